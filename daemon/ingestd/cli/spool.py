"""``ingestd spool``: what waits on disk for each store."""

from pathlib import Path

import click

from ingestd.cli import show
from ingestd.cli.connecting import ask
from ingestd.cli.exitcodes import FAILURE, INTERRUPTED
from ingestd.cli.settings import Verbs, config_option, json_option


@click.group(
    cls=Verbs,
    invoke_without_command=True,
    short_help="Show what waits on disk for each store, move or drop it.",
)
@config_option
@json_option
@click.pass_context
def spool(ctx: click.Context, *, config_path: Path, as_json: bool) -> None:
    """Show what waits on disk for each store.

    What waits for one that is configured no more can be moved to another, or dropped.
    """
    if ctx.invoked_subcommand is not None:
        return
    found = ask(config_path, lambda backend: backend.spool())
    if as_json:
        show.as_json(found)
        return
    rows = [
        [
            each["store"],
            each["health"] or show.NOTHING,
            show.number(each["points"]),
            show.number(each["bodies"]),
            show.size(each["bytes"]),
            show.size(each["limit_bytes"]),
            show.ago(each["oldest_at"]),
        ]
        for each in found
    ]
    headers = ["store", "", "readings", "batches", "size", "limit", "oldest"]
    show.table(headers, rows, right=set(headers[2:6]))


@spool.command(short_help="Give a store what waits for one that has gone.")
@click.argument("old")
@click.argument("new")
@click.option(
    "--overwrite",
    is_flag=True,
    help="Move also what may be older than what has been stored since.",
)
@config_option
@json_option
def move(*, old: str, new: str, overwrite: bool, config_path: Path, as_json: bool) -> int:
    """Give the store NEW what waits for OLD, which is not configured any more.

    Its dead letters go along. Readings that may be older than what has been stored since
    are kept back unless --overwrite is given.
    """
    found = ask(config_path, lambda backend: backend.move_spool(old, new, overwrite=overwrite))
    if as_json:
        show.as_json(found)
    else:
        moved = show.counted(found["points"], "reading")
        dead = found["dead_letters"]
        click.echo(f"{new}: {moved}{f' and {dead:,} dead letters' if dead else ''} of {old}")
        if found["kept_back"]:
            kept = show.counted(found["kept_back"], "reading")
            text = "kept back, since newer ones may have been stored; see ingestd spool"
            click.echo(f"{old}: {kept} {text}", err=True)
    return 0 if any(found.values()) else FAILURE


@spool.command(short_help="Delete what waits for a store that has gone.")
@click.argument("old")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@config_option
def drop(*, old: str, yes: bool, config_path: Path) -> int:
    """Delete what waits for OLD, which is not configured any more; there is no way back."""
    if not yes and not click.confirm(f"{old}: delete what waits for it?", err=True):
        click.echo(f"{old}: not confirmed, nothing was deleted", err=True)
        return INTERRUPTED
    count = ask(config_path, lambda backend: backend.drop_spool(old))
    click.echo(f"{old}: {show.counted(count, 'reading')} deleted")
    return 0 if count else FAILURE
