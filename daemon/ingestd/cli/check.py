"""``ingestd check``: whether the daemon would start with this configuration, and work."""

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import click

from ingestd.calling import confinement
from ingestd.cli import show
from ingestd.cli.exitcodes import CONFIG, UNAVAILABLE
from ingestd.cli.loading import loader_for, plugin_findings
from ingestd.cli.settings import config_option, load
from ingestd.config import Config, StoreConfig, in_order
from ingestd.delivery import left_behind
from ingestd.disk import open_reader, see_that_it_answers
from ingestd.errors import ConfigError, PluginLoadError, Problem, StoreError, StoreUnavailable
from ingestd.redaction import Redactor
from ingestd.worker import Kind


@click.command(short_help="Check the configuration.")
@click.option("--connect", is_flag=True, help="Try the stores too, without writing to them.")
@config_option
def check(*, config_path: Path, connect: bool) -> int:
    """Check the configuration and load every plugin it names; connect to nothing.

    Prints everything that is wrong (exit code 78) or suspicious (0). With
    --connect a store that cannot be reached gives exit code 69.
    """
    config, problems = _read(config_path)
    found = plugin_findings(config)
    # A daemon would run the other collectors, but those who ask want to know of each.
    wrong = in_order([*problems, *found.beside(problems), *_unimportable(config)])
    for problem in wrong:
        click.echo(show.visible(str(problem)), err=True)
    for problem in (*config.unchecked, *found.suspicious):
        click.echo(f"warning: {show.visible(str(problem))}", err=True)
    for problem in found.notes:
        click.echo(f"note: {show.visible(str(problem))}", err=True)
    if wrong:
        return CONFIG
    for said in left_behind_in(config):
        click.echo(f"warning: {said}", err=True)
    collectors = show.counted(len(config.collectors), "collector")
    stores = show.counted(len(config.stores), "store")
    click.echo(f"{config.files[0]}: fine, {collectors}, {stores}")
    click.echo(f"worker processes: {confinement()[1]}")
    return asyncio.run(_connect(config)) if connect else 0


def _read(path: Path) -> tuple[Config, Sequence[Problem]]:
    """Return a configuration as far as it can be read, and what is wrong with it.

    Raises:
        ConfigError: It cannot be read at all.
    """
    try:
        return load(path, elsewhere=True), ()
    except ConfigError as error:
        if not isinstance(error.config, Config):
            raise
        return error.config, error.problems


def left_behind_in(config: Config) -> list[str]:
    """Say what the state directory holds for stores that are not configured any more.

    Nothing if this user cannot look into it, which is no fault of the configuration.

    Raises:
        StateError: It does not answer.
    """
    see_that_it_answers(config.daemon.state_dir)
    path = config.daemon.state_dir / "state.db"
    adopted = {each.former for each in config.stores.values() if each.former}
    try:
        if not path.exists():
            return []
        with closing(open_reader(path)) as db:
            return [f"stores: {said}" for said in left_behind(db, {*config.stores, *adopted})]
    except (OSError, sqlite3.Error):
        return []


def _unimportable(config: Config) -> list[Problem]:
    """Import ordinary functions in a process of their own, as a run would, each file once."""
    loader = loader_for(config)
    problems, told = [], dict[str, str]()
    for each in config.collectors.values():
        try:
            plugin = loader.load(each.plugin or "?", python=each.python)
        except PluginLoadError:
            continue  # told already
        if not each.enabled or plugin.kind is not Kind.FUNCTION or plugin.python is not None:
            continue  # another interpreter has imported it in order to describe it
        if each.plugin not in told:
            try:
                loader.verify(plugin)
                told[each.plugin] = ""
            except PluginLoadError as error:
                told[each.plugin] = str(error)
        if text := told[each.plugin]:
            problems.append(Problem(each.where, f"collectors.{each.name}.plugin", text))
    return problems


async def _connect(config: Config) -> int:
    redactor = Redactor(config.secrets)
    stores = [each for each in config.stores.values() if not _is_open(each.name, config)]
    answers = await asyncio.gather(*map(_try, stores))
    code = 0
    for name in config.stores.keys() - {each.name for each in stores}:
        click.echo(
            f"warning: {name}: not tried, since only the service has its credentials", err=True
        )
    for store, answer in zip([each.name for each in stores], answers, strict=True):
        for warning in answer.warnings:
            click.echo(f"warning: {store}: {show.visible(redactor.text(warning))}", err=True)
        if answer.error:
            code = UNAVAILABLE
            click.echo(f"{store}: {show.visible(redactor.text(answer.error))}", err=True)
        else:
            who = f": {show.visible(redactor.text(answer.who))}" if answer.who else ""
            click.echo(f"{store}: answers{who}")
    return code


def _is_open(store: str, config: Config) -> bool:
    """Return whether only the service knows how to reach a store."""
    return any(each.key.startswith(f"stores.{store}.") for each in config.unchecked)


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came of trying a store: who answers, warnings, and why it cannot be used."""

    who: str = ""
    warnings: Sequence[str] = ()
    error: str = ""


async def _try(config: StoreConfig) -> _Answer:
    """Try a store; whatever it does, the others are tried too."""
    from ingestd.cli.stores import opened  # noqa: PLC0415 -- both take their time
    from ingestd.sinks import mending  # noqa: PLC0415

    try:
        async with opened(config) as sink:
            if sink is None:
                return _Answer(warnings=["the file will be made"])
            try:
                warnings = await sink.check()
            except StoreError as error:
                tells = not isinstance(error, StoreUnavailable) or error.answered
                who = mending(await sink.identify(), sink.expected) if tells else ""
                return _Answer(error=f"{error}{who}")
            return _Answer(who=str(await sink.identify()), warnings=warnings)
    except Exception as error:  # border: the libraries below a sink  # noqa: BLE001
        return _Answer(error=f"unexpected {type(error).__name__}: {error!s:.200}")
