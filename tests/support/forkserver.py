"""Forks the processes of commands that tests run, with all that they import there already.

Most of what a command costs is the start of Python and its imports, and the tests run a thousand.
``tests.support.forked`` asks for them, and says in what they differ from others.

``python -m tests.support.forkserver DESCRIPTOR``, with a socket whose messages are JSON.
"""

import gc
import importlib
import json
import os
import runpy
import signal
import socket
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from ingestd.cli.commands import COMMANDS

# Longer than any environment.
MESSAGE_BYTES: Final = 1 << 17


def load() -> None:
    """Import what any command imports."""
    for module, _ in COMMANDS.values():
        importlib.import_module(f"ingestd.cli.{module}")
    if len(list(Path("/proc/self/task").iterdir())) > 1:
        raise RuntimeError("expected no import to start a thread: a fork would not have it")
    gc.collect()
    gc.freeze()  # no child looks through it again


def serve(link: socket.socket) -> dict[str, Any] | None:
    """Fork for each command, and return that in the child; None once nobody asks any more."""
    while True:
        message, descriptors, _, _ = socket.recv_fds(link, MESSAGE_BYTES, 3)
        if not message:
            return None
        asked: dict[str, Any] = json.loads(message)
        if "ended" in asked:
            answer = os.waitpid(asked["ended"], 0)[1]
        elif not (answer := os.fork()):
            link.close()
            return {**asked, "descriptors": descriptors}
        for each in descriptors:
            os.close(each)
        link.send(json.dumps(answer).encode())


def become(
    *, argv: Iterable[str], environ: dict[str, str], folder: str, descriptors: Iterable[int]
) -> None:
    """Make this process what one that was started with these would be."""
    for number, each in enumerate(descriptors):
        os.dup2(each, number)
        os.close(each)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    time.tzset()
    sys.argv[1:], sys.path[0] = argv, folder
    sys.dont_write_bytecode = bool(environ.get("PYTHONDONTWRITEBYTECODE"))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.stdin = _opened(0, "r", sys.stdin)
    sys.stdout = _opened(1, "w", sys.stdout, by_line=os.isatty(1))
    sys.stderr = _opened(2, "w", sys.stderr, by_line=True)


def _opened(number: int, mode: str, like: Any, *, by_line: bool = False) -> Any:
    """Open an input or output as Python does at its start."""
    stream: Any = open(  # noqa: SIM115 -- open as long as the process is there
        number, mode, encoding=like.encoding, errors=like.errors, newline="\n", closefd=False
    )
    stream.reconfigure(line_buffering=by_line, write_through=like.write_through)
    return stream


def main() -> None:
    """Serve; or be a command, in a child."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it with the tests, in silence
    with socket.socket(fileno=int(sys.argv[1])) as link:
        load()
        command = serve(link)
    if command is not None:
        become(**command)
        runpy.run_module("ingestd", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
