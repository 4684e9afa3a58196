"""``ingestd check``: whether the daemon would start with this configuration, and work."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import click

from ingestd.cli import show
from ingestd.cli.exitcodes import CONFIG, UNAVAILABLE
from ingestd.cli.loading import loader_for
from ingestd.cli.settings import config_option, load
from ingestd.cli.stores import opened
from ingestd.config import Config, StoreConfig
from ingestd.disk import open_reader
from ingestd.errors import IngestError, PluginLoadError, Problem, StoreUnavailable
from ingestd.loading import check_plugins
from ingestd.records import decode, raw_rows
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
    config = load(config_path)
    loader = loader_for(config)
    wrong, suspicious = check_plugins(config, loader, remembered=remembered(config))
    disabled = {
        f"collectors.{each.name}.plugin" for each in config.collectors.values() if not each.enabled
    }
    # Without the others a daemon would run; whoever asks wants this one to run too.
    unloadable = [
        each for each in suspicious if each.key.endswith(".plugin") and each.key not in disabled
    ]
    wrong += [*unloadable, *_unimportable(config, {each.key for each in unloadable} | disabled)]
    for problem in wrong:
        click.echo(show.visible(str(problem)), err=True)
    for problem in suspicious:
        if problem not in unloadable:
            click.echo(f"warning: {show.visible(str(problem))}", err=True)
    if wrong:
        return CONFIG
    collectors = show.counted(len(config.collectors), "collector")
    stores = show.counted(len(config.stores), "store")
    click.echo(f"{config.files[0]}: fine, {collectors}, {stores}")
    return asyncio.run(_connect(config)) if connect else 0


def _unimportable(config: Config, known: set[str]) -> list[Problem]:
    """Import ordinary functions in a process of their own, as a run would."""
    loader = loader_for(config)
    problems = []
    for each in config.collectors.values():
        key = f"collectors.{each.name}.plugin"
        if key in known:
            continue
        plugin = loader.load(each.plugin)
        try:
            if plugin.kind is Kind.FUNCTION:
                loader.verify(plugin)
        except PluginLoadError as error:
            problems.append(Problem(each.where, key, str(error)))
    return problems


def remembered(config: Config) -> dict[str, frozenset[str]] | None:
    """Return which names each collector holds in its state; None if we may not look."""
    path = config.daemon.state_dir / "state.db"
    try:
        if not path.exists():
            return {}
        with closing(open_reader(path)) as db:
            rows = raw_rows(db, None)
            memories = {raw[0].decode(): decode(raw, crc) for _, raw, crc, _ in rows}
    except (OSError, sqlite3.Error, IngestError):  # whatever it is, the daemon is to tell of it
        return None
    return {name: frozenset({*each.state, *each.hidden}) for name, each in memories.items()}


async def _connect(config: Config) -> int:
    redactor = Redactor(config.secrets)
    answers = await asyncio.gather(*map(_try, config.stores.values()))
    code = 0
    for store, (warnings, error) in zip(config.stores, answers, strict=True):
        for warning in warnings:
            click.echo(f"warning: {store}: {show.visible(redactor.text(warning))}", err=True)
        if error:
            code = UNAVAILABLE
            click.echo(f"{store}: {show.visible(redactor.text(error))}", err=True)
        else:
            click.echo(f"{store}: answers")
    return code


async def _try(config: StoreConfig) -> tuple[list[str], str]:
    """Return what a store's adapter warns of, and why it cannot be used."""
    async with opened(config) as sink:
        try:
            return (await sink.check() if sink else ["the file will be made"]), ""
        except StoreUnavailable as error:
            return [], str(error)
