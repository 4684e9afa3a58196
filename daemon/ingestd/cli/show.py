"""What commands print: tables for people, aligned text for pipes, JSON for programs."""

import json
import os
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal

import click

GOOD: Final = frozenset({"ok", "up", "fresh"})
BAD: Final = frozenset(
    {
        "failed", "timeout", "down",
        "blocked", "paused", "disconnected", "failing", "backing off", "never", "late",
    }
)  # fmt: skip
NOTHING: Final = "-"
GAP: Final = 2  # spaces between columns
LEAST: Final = 20  # characters of a column that is cut


def as_json(value: Any) -> None:
    """Print JSON."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def table(
    headers: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: Collection[str] = (),
    cut: str | None = None,
    empty: str = "none",
) -> None:
    """Print rows under their headers; without any, say so on standard error.

    Args:
        headers: In lower case; empty ones belong to what explains itself.
        rows: As many texts in each.
        right: The headers of columns of numbers.
        cut: That of the column that may lose its end on a narrow terminal, instead of
            going on in the next line.
        empty: What to say if there are no rows.
    """
    if not rows:
        click.echo(empty, err=True)
        return
    numbers = [header in right for header in headers]
    rows = [[visible(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _on_terminal(headers, rows, numbers, cut)
    else:
        _plain(headers, rows, numbers)


def _on_terminal(
    headers: Sequence[str],
    rows: Sequence[Sequence[str]],
    numbers: Sequence[bool],
    cut: str | None,
) -> None:
    from rich.console import Console  # noqa: PLC0415 -- takes its time
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console(highlight=False)
    widths = [max(map(len, column)) + GAP for column in zip(headers, *rows, strict=True)]
    kept = sum(width for header, width in zip(headers, widths, strict=True) if header != cut)
    shown = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    for header, is_number in zip(headers, numbers, strict=True):
        justify: Literal["left", "right"] = "right" if is_number else "left"
        if header == cut:
            width = max(console.width - kept, LEAST)
            shown.add_column(header, max_width=width, no_wrap=True, overflow="ellipsis")
        else:
            shown.add_column(header, justify=justify, overflow="fold")
    for row in rows:
        shown.add_row(*(Text(cell, style=_style(cell)) for cell in row))
    console.print(shown)


def readings(found: Sequence[Mapping[str, Any]], *, empty: str = "no readings") -> None:
    """Print readings in the API's JSON as a table."""
    standing = any(each.get("state") not in {None, "fresh"} for each in found)
    rows = [
        [
            series(each["series"], each["tags"]),
            f"{number(each['value'])} {each['unit']}".rstrip(),
            NOTHING if each["time"] is None else moment(each["time"]),
            ago(each["time"]),
            *([_standing(each)] if standing else []),
        ]
        for each in found
    ]
    headers = ["series", "value", "time", "", *(["state"] if standing else [])]
    table(headers, rows, right={"value"}, empty=empty)


def _standing(reading: Mapping[str, Any]) -> str:
    """Return ``late``, and how often the series was expected, or nothing if all is well."""
    if reading["state"] in {None, "fresh"}:
        return ""
    every = "" if reading["every"] is None else f", every {span(reading['every'])}"
    return f"{reading['state']}{every}"


def series(name: str, tags: Mapping[str, str]) -> str:
    """Return a series with its tags."""
    pairs = ",".join(f"{tag}={value}" for tag, value in tags.items())
    return f"{name} ({pairs})" if pairs else name


def facts(pairs: Mapping[str, str]) -> None:
    """Print names with what there is to say about them, empty ones left out."""
    width = max(map(len, pairs), default=0)
    for name, text in pairs.items():
        first, *more = visible_lines(text) or [""]
        if text:
            click.echo(f"{bold(name.ljust(width))}  {first}")
        for line in more:
            click.echo(f"{' ' * width}  {line}")


def bold(text: str) -> str:
    """Return a text in bold where that is welcome."""
    return click.style(text, bold=True) if colorful() else text


def colored(word: str) -> str:
    """Return an outcome or a health in its colour where that is welcome."""
    style = _style(word)
    return click.style(word, fg=style) if style and colorful() else word


def colorful() -> bool:
    """Whether colours are welcome on standard output."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def state(name: str) -> str:
    """Return the state of a collector as people read it."""
    return name.replace("_", " ")


def ago(when: float | None, *, now: float | None = None) -> str:
    """Return how long ago, or until, a time in Unix seconds is: ``3s ago``, ``in 5m``."""
    if when is None:
        return NOTHING
    from ingestd.health import ago as spoken  # noqa: PLC0415 -- takes its time

    return spoken(when, time.time() if now is None else now)


def span(seconds: float) -> str:
    """Return a duration with two digits or so: ``42ms``, ``7s``, ``90m``, ``36h``, ``12d``."""
    from ingestd.health import span as spoken  # noqa: PLC0415 -- takes its time

    return spoken(seconds)


def size(count: int) -> str:
    """Return bytes with three digits or so: ``512 B``, ``1.4 MiB``."""
    from ingestd.health import size as spoken  # noqa: PLC0415 -- takes its time

    return spoken(count)


def number(value: float | None) -> str:
    """Return a number as people read it: a count with its thousands apart."""
    from ingestd.health import number as spoken  # noqa: PLC0415 -- takes its time

    return NOTHING if value is None else spoken(value)


def counted(count: int, noun: str) -> str:
    """Return a number of things: ``1 reading``, ``2 readings``."""
    from ingestd.health import counted as spoken  # noqa: PLC0415 -- takes its time

    return spoken(count, noun)


def moment(when: float, *, seconds: bool = True) -> str:
    """Return a time in Unix seconds as local time with its offset."""
    local = datetime.fromtimestamp(when, UTC).astimezone()
    return local.isoformat(" ", "seconds" if seconds else "minutes")


def day(when: float) -> str:
    """Return the local date of a time in Unix seconds."""
    return f"{datetime.fromtimestamp(when, UTC).astimezone():%Y-%m-%d}"


def clipped(text: str, most: int) -> str:
    """Return the first line of a text, cut to a length."""
    line = next(iter(text.strip().splitlines()), "")
    return line if len(line) <= most else f"{line[: most - 3]}..."


def visible(text: str) -> str:
    """Return a text that stays on its line and plays no tricks with the terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def visible_lines(text: str) -> list[str]:
    """Return the lines of a text, each of them visible."""
    return [visible(line.expandtabs()) for line in text.splitlines()]


def _style(word: str) -> str:
    if word in GOOD:
        return "green"
    if word in BAD or word.startswith("late,"):
        return "red"
    return "yellow" if word in {"degraded", "probing", "cancelled"} else ""


def _plain(headers: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[bool]) -> None:
    lines = [headers, *rows]
    widths = [max(len(line[at]) for line in lines) for at in range(len(headers))]
    for line in lines:
        cells = zip(line, widths, numbers, strict=True)
        texts = [cell.rjust(width) if right else cell.ljust(width) for cell, width, right in cells]
        click.echo("  ".join(texts).rstrip())
