"""A command as the operator wrote it, and as it is started."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from ingestd.plugins._places import Write, filled, json_filled, needed
from ingestd.plugins._problems import Gathering

from .words import texts_by_name, words_of


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Command:
    """What is started; never shown, because secrets travel in its environment and its input.

    Attributes:
        words: The program and its arguments, with places in them.
        cwd: Where it runs, or None for where the daemon does.
        env: What its environment has besides.
        stdin: What it reads: a text, or what it gets as JSON; None for nothing.
    """

    words: Sequence[str]
    cwd: str | None
    env: Mapping[str, str]
    stdin: Any

    @property
    def name(self) -> str:
        """What to call it, for people."""
        return Path(self.words[0]).name

    def start(
        self, ctx: Any, write: Write, *, reads: bool = True, patience: float = 2.0
    ) -> AbstractAsyncContextManager[Any]:
        """Start it, with something in its places; it ends with the context.

        Args:
            ctx: The context of the run.
            write: Returns what to write in a place.
            reads: Whether anything reads its output; else that goes where its errors go.
            patience: How long it has to end once it was asked to, in seconds.

        Raises:
            ValueError: There is nothing to write in a place.
        """
        words = [filled(word, lambda place: str(needed(write, place))) for word in self.words]
        started: Callable[..., AbstractAsyncContextManager[Any]] = ctx.program
        return started(
            words,
            cwd=self.cwd,
            env=self.env,
            files=[word for word in self.words if word.startswith("/")],
            reads_output=reads,
            patience=patience,
        )

    def input(self, write: Write) -> bytes:
        """Return what it reads.

        Raises:
            ValueError: There is nothing to write in a place.
        """
        if self.stdin is None:
            return b""
        if isinstance(self.stdin, str):
            return filled(self.stdin, lambda place: str(needed(write, place))).encode()
        return orjson.dumps(json_filled(self.stdin, write)) + b"\n"


def command_of(command: Any, *, cwd: Any, env: Any, stdin: Any = None) -> Command:
    """Read the options that say what is started.

    Raises:
        ValueError: Says what is wrong with them.
    """
    with Gathering() as wrong:
        words = wrong.read(lambda: words_of(command))
        folder = wrong.read(lambda: folder_of(cwd))
        variables = wrong.read(lambda: texts_by_name(env, "env"))
        wrong.read(lambda: look_at_input(stdin))
    return Command(words=words, cwd=folder, env=variables, stdin=stdin)


def folder_of(cwd: Any) -> str | None:
    """Return where a command runs.

    Raises:
        ValueError: It is no full path of a folder that is there.
    """
    if cwd is None:
        return None
    if not isinstance(cwd, str) or not Path(cwd).is_absolute():
        raise ValueError(f"cwd: expected the full path of a folder, got {cwd!r:.200}")
    if not Path(cwd).is_dir():
        raise ValueError(f"cwd: expected a folder, got {cwd!r:.200}, which is none")
    return cwd


def look_at_input(stdin: Any) -> None:
    """Look at what a command is to read.

    Raises:
        ValueError: It can be no JSON. The message has no value: it may be a secret.
    """
    try:
        orjson.dumps(stdin)
    except TypeError:
        message = "stdin: expected a text, or what can be written as JSON"
        raise ValueError(message) from None
