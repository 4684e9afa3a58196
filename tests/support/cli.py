"""The real ``ingestd`` as a process, over the folder of a daemon that runs or does not."""

import json
import os
import pty
import select
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.daemonprocess import DaemonProcess
from tests.support.deadline import WITHIN
from tests.support.ingestdprocess import PIPE, IngestdProcess
from tests.support.ports import free_port

GOOD: Final = """
def run(*, count=0, **_):
    return {"readings": [(1_700_000_000, "level", 4.25, {"site": "here"})], "count": count + 1}
"""


@dataclass(frozen=True)
class Said:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """What it printed, in lines."""
        return self.out.splitlines()


class CommandLine:
    """Runs commands with the configuration of one daemon; ``program`` as ``IngestdProcess``."""

    def __init__(self, config_path: Path, program: Sequence[str] = ()) -> None:
        self.config_path, self.program = config_path, program
        self.environ = {**os.environ, "INGESTD_CONFIG": str(config_path), "COLUMNS": "80"}

    def __call__(self, *args: str, stdin: str = "") -> Said:
        """Run a command to its end."""
        with given(stdin) as descriptor, self.started(*args, stdin=descriptor) as process:
            out, err = process.read()
            code = process.wait()
        assert "Traceback (most recent call last):\n" not in err, err
        return Said(code, out, err)

    def started(self, *args: str, stdin: int | None = None) -> IngestdProcess:
        """Start a command, and have what it says come by pipes; to be used with ``with``."""
        return IngestdProcess(
            *args, environ=self.environ, folder=self.config_path.parent,
            stdin=stdin, stdout=PIPE, stderr=PIPE, program=self.program,
        )  # fmt: skip

    def json(self, *args: str) -> Any:
        """Run a command that ends well; return the JSON it prints."""
        said = self(*args, "--json")
        assert said.code in {0, 1, 69}, said
        return json.loads(said.out)

    def on_terminal(self, *args: str, **environ: str) -> str:
        """Run a command on a terminal of 80 columns; return all that appears there."""
        environ = {**self.environ, "TERM": "xterm", **environ}
        ours, theirs = pty.openpty()
        process = IngestdProcess(
            *args, environ=environ, stdin=theirs, stdout=theirs, stderr=theirs, program=self.program
        )
        os.close(theirs)
        with os.fdopen(ours), process:
            shown = "".join(_shown(ours))
            process.wait()
        return shown


@contextmanager
def given(text: str) -> Iterator[int]:
    """Give a descriptor that a text can be read from; it must be shorter than a pipe holds."""
    ours, theirs = os.pipe()
    with os.fdopen(ours), os.fdopen(theirs, "w") as pipe:
        pipe.write(text)
        pipe.close()
        yield ours


def _shown(terminal: int) -> Iterator[str]:
    while select.select([terminal], [], [], WITHIN)[0]:
        try:
            yield os.read(terminal, 65536).decode()
        except OSError:  # how Linux tells that the last writer is gone
            return


@pytest.fixture
def cli(daemon: DaemonProcess) -> CommandLine:
    """Give a command line for the test's daemon, which is not started yet."""
    return CommandLine(daemon.config_path)


@pytest.fixture
def site(daemon: DaemonProcess) -> DaemonProcess:
    """Give a daemon, not started yet, with one collector that works and one that fails."""
    daemon.plugin("good", GOOD)
    daemon.plugin("bad", "def run(**_):\n    raise OSError('no route')\n")
    away = {"type": "victoriametrics", "url": f"http://127.0.0.1:{free_port()}"}
    daemon.configure(
        stores={"here": {"type": "embedded"}, "there": away},
        collectors={
            "good": {"plugin": "good", "every": "365d"},
            "bad": {"plugin": "bad", "cron": "0 0 1 1 *", "timezone": "UTC"},
        },
        series={"level": {"unit": "m"}},
    )
    return daemon
