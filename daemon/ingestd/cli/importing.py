"""``ingestd import``: take over what another system has set up."""

import asyncio
import json
import os
import sqlite3
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from ingestd.bmon.importing import TABLE, Entry, Setup, dumped, params_stay, setups, written
from ingestd.cli import show
from ingestd.cli.bmonscripts import needs_of
from ingestd.cli.exitcodes import CommandError
from ingestd.cli.settings import Verbs, config_option, load
from ingestd.config import Config, format_duration
from ingestd.contract import Memory
from ingestd.errors import NotPossible, ResultError
from ingestd.redaction import find_secrets

if TYPE_CHECKING:
    from ingestd.app import Daemon
    from ingestd.records import StateStore

T = TypeVar("T")

SQLITE: Final = b"SQLite format 3\0"


@dataclass(frozen=True, slots=True)
class PlannedCollector:
    """One collector as it will be, and what the operator should look at."""

    entry: Entry
    notes: tuple[str, ...]


@click.group("import", cls=Verbs, short_help="Take over what another system has set up.")
def import_() -> None:
    """Take over what another system has set up."""


@import_.command(short_help="Take over the periodic scripts of BMON.")
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
@config_option
def bmon(*, file: Path, scripts: Path | None, output: Path | None, config_path: Path) -> None:
    """Make collectors of the periodic scripts that BMON has set up.

    FILE is what `manage.py dumpdata bmsapp.periodicscript` writes, or BMON's SQLite
    database, which is only read. What the scripts remember, hidden values
    included, becomes the collectors' state; a state that exists is never changed,
    nor is a file.
    """
    config = load(config_path)
    output = Path(
        os.path.normpath((output or config_path.parent / "conf.d" / "bmon.yaml").absolute())
    )
    plans = [_plan(setup, scripts, config) for setup in setups(records_in(file))]
    _refuse_taken(plans, config, output)
    text = written(plan.entry for plan in plans)

    async def take_over(daemon: "Daemon") -> tuple[bool, Mapping[str, str]]:
        fresh = _write(output, text)
        return fresh, {each.entry.setup.name: await _keep(each, daemon.states) for each in plans}

    fresh, states = _change(config, take_over)
    _tell(plans, states)
    _tell_file(output, text, fresh=fresh)
    _tell_notes(plans, output)


def records_in(file: Path) -> Sequence[Mapping[str, Any]]:
    """Read an export, or the database itself.

    Raises:
        NotPossible: It is something else.
    """
    try:
        with file.open("rb") as opened:
            is_database = opened.read(len(SQLITE)) == SQLITE
        return _rows(file) if is_database else dumped(json.loads(file.read_bytes()))
    except OSError as exc:
        raise CommandError(f"{file}: cannot be read: {exc.strerror}") from exc
    except (ValueError, RecursionError):
        text = "expected JSON as `manage.py dumpdata bmsapp.periodicscript` writes it, or SQLite"
        raise NotPossible(f"{file}: {text}") from None
    except NotPossible as exc:
        raise NotPossible(f"{file}: {exc}") from None


def _rows(file: Path) -> list[Mapping[str, Any]]:
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as db:
            db.row_factory = sqlite3.Row
            # All columns, because older versions have fewer of them.
            return [dict(row) for row in db.execute(f"SELECT * FROM {TABLE} ORDER BY id")]  # noqa: S608 -- our own name
    except sqlite3.Error as exc:
        raise NotPossible(f"expected BMON's database with a table {TABLE}, got: {exc}") from exc


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


def _tell_notes(plans: Sequence[PlannedCollector], output: Path) -> None:
    lines = [*_lines(plans)]
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
