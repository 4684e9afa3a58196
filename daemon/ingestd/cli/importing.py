"""``ingestd import``: take over what another system has set up."""

import asyncio
import os
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from ingestd.bmon.importing import SCRIPTS, Entry, Setup, params_stay, setups, written
from ingestd.cli import show
from ingestd.cli.bmonexport import Site, Zone, read_export, site_of
from ingestd.cli.bmonhistory import bmon_history
from ingestd.cli.bmonscripts import needs_of
from ingestd.cli.exitcodes import CommandError
from ingestd.cli.settings import Verbs, config_option, load
from ingestd.config import DROP_INS, Config, format_duration
from ingestd.contract import Memory
from ingestd.errors import ResultError
from ingestd.redaction import find_secrets

if TYPE_CHECKING:
    from ingestd.app import Daemon
    from ingestd.records import StateStore

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PlannedCollector:
    """One collector as it will be, and what the operator should look at."""

    entry: Entry
    notes: tuple[str, ...]


@click.group("import", cls=Verbs, short_help="Take over what another system has set up.")
def import_() -> None:
    """Take over what another system has set up."""


import_.add_command(bmon_history)


@import_.command(short_help="Take over scripts and sensors of BMON.")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--scripts",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    help="Where the scripts are: BMON's folder periodic_scripts.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The file to write; conf.d/bmon.yaml beside the configuration if it is left out.",
)
@click.option(
    "--timezone",
    type=Zone(),
    help="Where the site is, such as US/Alaska; what the buildings say if it is left out.",
)
@config_option
def bmon(
    *,
    file: Path,
    scripts: Path | None,
    output: Path | None,
    timezone: str | None,
    config_path: Path,
) -> None:
    """Make collectors of BMON's periodic scripts, and a catalogue of its sensors.

    FILE is BMON's SQLite database, which is only read, or what `manage.py dumpdata
    bmsapp.periodicscript bmsapp.sensor bmsapp.unit bmsapp.building` writes. What the
    scripts remember, hidden values included, becomes the collectors' state; a state
    that exists is never changed, nor is a file.
    """
    config = load(config_path)
    output = Path(
        os.path.normpath((output or config_path.parent / DROP_INS / "bmon.yaml").absolute())
    )
    export = read_export(file)
    plans = [_plan(setup, scripts, config) for setup in setups(export[SCRIPTS])]
    _refuse_taken(plans, config, output)
    site = site_of(export, config, output, timezone)
    text = written((plan.entry for plan in plans), zone=site.zone, series=site.series)

    async def take_over(daemon: "Daemon") -> tuple[bool, Mapping[str, str]]:
        fresh = _write(output, text)
        return fresh, {each.entry.setup.name: await _keep(each, daemon.states) for each in plans}

    fresh, states = _change(config, take_over)
    _tell(plans, states)
    if fresh or _same(output, text):
        _tell_site(site)
    _tell_file(output, text, fresh=fresh)
    _tell_notes(plans, site, output)


def _plan(setup: Setup, scripts: Path | None, config: Config) -> PlannedCollector:
    path = _script(setup.script, scripts, config)
    needs, notes = needs_of(path), [*setup.notes]
    if needs.settings:
        names = ", ".join(needs.settings)
        notes.append(f"reads {names} from Django's settings: set them under settings:")
    notes += needs.notes
    stay = params_stay(setup.params)
    if not stay:
        notes.append("its parameters cannot be written as they are: write them by hand: disabled")
        setup = _without_params(setup)
    if secret := sorted(name for name, each in setup.params.items() if find_secrets({name: each})):
        notes.append(f"secrets in params stand in the file: {', '.join(secret)}")
    enabled = setup.enabled and needs.runs and stay
    why = [] if enabled else [each for each in notes if "disabled" in each]
    return PlannedCollector(Entry(setup, path, enabled, needs.settings, why), tuple(notes))


def _without_params(setup: Setup) -> Setup:
    parts = {name: getattr(setup, name) for name in setup.__slots__}
    return Setup(**{**parts, "params": {}})


def _script(name: str, scripts: Path | None, config: Config) -> Path:
    """Return where a script is, or where it should be."""
    folders = [scripts.absolute()] if scripts else list(config.daemon.plugin_dirs)
    found = [folder / f"{name}.py" for folder in folders]
    fallback = found[0] if found else Path("periodic_scripts", f"{name}.py").absolute()
    return next((path for path in found if path.is_file()), fallback)


def _refuse_taken(plans: Sequence[PlannedCollector], config: Config, output: Path) -> None:
    for plan in plans:
        name = plan.entry.setup.name
        other = config.collectors.get(name)
        if other is not None and Path(other.where.rpartition(":")[0]) != output:
            raise CommandError(f"{other.where}: has a collector {name!r} already; rename that one")


def _write(output: Path, text: str) -> bool:
    """Write the file, whole or not at all, unless there is one; say whether it is new."""
    if os.path.lexists(output):
        return False
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        # Only our own user may read it; and no folder of configuration takes it for a part.
        file, unfinished = tempfile.mkstemp(dir=output.parent, prefix=f".{output.name}.")
        try:
            _fill(file, text)
            return _named(Path(unfinished), output)
        finally:
            Path(unfinished).unlink()
    except OSError as exc:
        raise CommandError(f"{output}: cannot be written: {exc.strerror}") from exc


def _named(unfinished: Path, output: Path) -> bool:
    """Give a file its name, unless there is another of that name by now."""
    try:
        output.hardlink_to(unfinished)
    except FileExistsError:
        return False
    return True


def _fill(file: int, text: str) -> None:
    with os.fdopen(file, "w", encoding="utf-8") as opened:
        opened.write(text)
        opened.flush()
        os.fsync(file)


def _change(config: Config, job: Callable[["Daemon"], Awaitable[T]]) -> T:
    from ingestd.cli.headless import change  # noqa: PLC0415 -- takes its time

    return asyncio.run(change(config, job))


async def _keep(plan: PlannedCollector, states: "StateStore") -> str:
    """Keep what a script remembers, unless there is something already; say what was done."""
    setup = plan.entry.setup
    if not setup.state and not setup.hidden:
        return "nothing to remember"
    if (await states.load(setup.name)).changed is not None:
        return "its state here is kept"
    try:
        await states.commit(setup.name, Memory(state=setup.state, hidden=setup.hidden))
    except ResultError as exc:
        return str(exc)
    counts = ((len(setup.state), "state"), (len(setup.hidden), "hidden"))
    return ", ".join(f"{show.counted(count, 'key')} {what}" for count, what in counts if count)


def _tell(plans: Sequence[PlannedCollector], states: Mapping[str, str]) -> None:
    rows = [
        [
            plan.entry.setup.name,
            f"every {format_duration(plan.entry.setup.every)}"
            if plan.entry.enabled
            else "disabled",
            states[plan.entry.setup.name],
            plan.entry.setup.description,
        ]
        for plan in plans
    ]
    show.table(["collector", "schedule", "remembers", "in BMON"], rows, empty="no scripts in it")


def _tell_site(site: Site) -> None:
    if site.zone:
        click.echo(f"\ntime zone of the scripts: {site.zone}")
    if site.series:
        click.echo(f"\n{show.counted(len(site.series), 'sensor')} described under series:")


def _tell_file(output: Path, text: str, *, fresh: bool) -> None:
    if fresh:
        click.echo(f"\n{output}: written; look at it, then: ingestd check")
    elif _same(output, text):
        click.echo(f"\n{output}: is there already, with the same content")
    else:
        click.echo(f"\n{output}: is there already, and is kept as it is")


def _same(output: Path, text: str) -> bool:
    try:
        return output.read_bytes() == text.encode()
    except OSError as exc:
        raise CommandError(f"{output}: cannot be read: {exc.strerror}") from exc


def _tell_notes(plans: Sequence[PlannedCollector], site: Site, output: Path) -> None:
    lines = [*_lines(plans), *site.notes]
    if lines:
        click.echo("\nfor you to look at:")
        for line in lines:
            click.echo(f"  {show.visible(line)}")
    if any("secrets in params" in note for plan in plans for note in plan.notes):
        text = "is for its owner alone (mode 0600); or write ${NAME}"
        click.echo(f"  {output}: {text}")


def _lines(plans: Sequence[PlannedCollector]) -> Iterator[str]:
    for plan in plans:
        for note in plan.notes:
            yield f"{plan.entry.setup.name}: {note}"
