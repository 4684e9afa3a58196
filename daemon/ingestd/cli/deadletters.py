"""``ingestd dead-letters``: what stores have refused for good."""

from collections.abc import Sequence
from pathlib import Path

import click

from ingestd.cli import show
from ingestd.cli.connecting import ask
from ingestd.cli.exitcodes import FAILURE
from ingestd.cli.settings import Verbs, config_option, json_option


@click.group("dead-letters", cls=Verbs, short_help="List, retry or purge what stores have refused.")
def dead_letters() -> None:
    """List, retry or purge readings that a store has refused for good."""


@dead_letters.command("list", short_help="List them.")
@click.option("--store", metavar="NAME", help="Only those of one store.")
@click.option("--after", default=0, metavar="ID", help="Begin after this number.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 10_000))
@config_option
@json_option
def list_letters(
    *, store: str | None, after: int, limit: int, config_path: Path, as_json: bool
) -> None:
    """List dead letters in the order of their numbers."""
    found = ask(
        config_path, lambda backend: backend.dead_letters(store=store, after=after, limit=limit)
    )
    if as_json:
        show.as_json(found)
        return
    rows = [
        [
            str(each["id"]),
            each["store"],
            show.ago(each["at"]),
            show.clipped(each["reason"], 60),
            show.clipped(each["payload"], 120),
        ]
        for each in found
    ]
    headers = ["id", "store", "refused", "reason", "reading"]
    of_store = f" of {store}" if store else ""
    empty = f"no dead letters{of_store}{f' after {after}' if after else ''}"
    show.table(headers, rows, right={"id"}, cut="reading", empty=empty)


def _selection(command: click.decorators.FC) -> click.decorators.FC:
    """Add the options that say which dead letters are meant."""
    for option in (
        config_option,
        click.option("--all", "everything", is_flag=True, help="All of the store's."),
        click.option("--store", required=True, metavar="NAME", help="The store they are for."),
        click.argument("ids", nargs=-1, type=int, metavar="[ID]..."),
    ):
        command = option(command)
    return command


@dead_letters.command(short_help="Send them again.")
@_selection
def retry(*, ids: tuple[int, ...], store: str, everything: bool, config_path: Path) -> int:
    """Send dead letters again, after the store or its limits have been put right."""
    wanted = _ids(ids, everything=everything)
    count = ask(config_path, lambda backend: backend.retry(store, wanted))
    return _tell(store, wanted, count, "queued again", lacking=" that can be sent")


@dead_letters.command(short_help="Delete them.")
@_selection
def purge(*, ids: tuple[int, ...], store: str, everything: bool, config_path: Path) -> int:
    """Delete dead letters; there is no way back."""
    wanted = _ids(ids, everything=everything)
    count = ask(config_path, lambda backend: backend.purge(store, wanted))
    return _tell(store, wanted, count, "deleted")


def _ids(ids: Sequence[int], *, everything: bool) -> Sequence[int] | None:
    if bool(ids) == everything:
        raise click.UsageError("expected the numbers of some, or --all")
    return None if everything else sorted(set(ids))


def _tell(
    store: str, ids: Sequence[int] | None, count: int, done: str, *, lacking: str = ""
) -> int:
    """Say what was done, and of how many numbers it could not be.

    Args:
        store: The store.
        ids: The numbers that were given, or None for all there are.
        count: How many dead letters it was done to.
        done: What was done, as a participle.
        lacking: What else a number may lack than being that of a dead letter.
    """
    unknown = 0 if ids is None else len(ids) - count
    if count or not unknown:
        click.echo(f"{store}: {show.counted(count, 'reading')} {done}")
    if unknown <= 0:
        return 0
    verb = "is no dead letter" if unknown == 1 else "are no dead letters"
    numbers = show.counted(unknown, "number")
    text = f"{numbers} of {len(ids or ())} {verb} of this store{lacking}"
    click.echo(f"{store}: {text}; see ingestd dead-letters list", err=True)
    return FAILURE
