"""A bar on standard error, where that is a terminal."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import click


@dataclass(frozen=True, slots=True)
class Bar:
    """Shows how far something has come.

    Attributes:
        tell: Shows a part of 1, and a few words.
        say: Prints a line above.
    """

    tell: Callable[[float, str], None]
    say: Callable[[str], None]


def _ignore(_done: float, _text: str) -> None:
    """Show nothing, since standard error is no terminal."""


def _say(text: str) -> None:
    click.echo(text, err=True)


@contextmanager
def bar() -> Iterator[Bar]:
    """Give what shows progress; the bar goes away at the end."""
    if not sys.stderr.isatty():
        yield Bar(_ignore, _say)
        return
    from rich.console import Console  # noqa: PLC0415 -- takes its time
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    columns = (
        BarColumn(20),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[text]}", markup=False),
    )
    console = Console(stderr=True, highlight=False)
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=1.0, text="")

        def tell(done: float, text: str) -> None:
            progress.update(task, completed=done, text=text)

        def say(text: str) -> None:
            console.print(text, markup=False)

        yield Bar(tell, say)
