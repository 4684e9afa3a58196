"""What runs inside a worker process: one plugin version, one call after another.

Started as ``ingestd.worker CHANNEL RULESET`` below a supervisor (``processes``), which ends what it
leaves behind. Everything else, params and their secrets above all, comes over the channel. Standard
output and error are a pipe that the daemon reads.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import importlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from ingestd import landlock
from ingestd.contract import FunctionContext, check_of, problems_of, result_as_builtins
from ingestd.errors import PluginError, ResultTooLarge
from ingestd.worker import wire
from ingestd.worker.description import describe
from ingestd.worker.failures import run_failure
from ingestd.worker.importing import call_ordinary, import_plugin, import_run
from ingestd.worker.localzone import set_local_zone
from ingestd.worker.memorylimit import is_shortage, memory_limit
from ingestd.worker.source import Source

READINGS_IN_MESSAGE: Final = (
    5_000  # readings in one message: the daemon's loop turns between two messages
)
RESULT_LIMIT: Final = 64 << 20  # bytes: some two million readings
TOO_MUCH: Final = f"run must give at most {RESULT_LIMIT >> 20} MiB at once"

Send = Callable[[object], int]


def main() -> None:
    """Serve the daemon until it closes the channel."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    channel.set_inheritable(False)
    if sys.argv[2] != "-":
        landlock.restrict(int(sys.argv[2]))
    _settle_in()

    # A fork that the plugin made must neither answer for us nor keep the channel open.
    os.register_at_fork(after_in_child=channel.close)
    worker = _Worker(_sender(channel))
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            worker.serve(wire.receive(channel))


def _sender(channel: socket.socket) -> Send:
    lock = threading.Lock()  # the plugin's threads may log

    def send(message: object) -> int:
        data = wire.encode(message)
        if len(data) > RESULT_LIMIT:
            raise ResultTooLarge(f"{TOO_MUCH}, got {len(data) >> 20} MiB")
        with lock:
            channel.sendall(data)
        return len(data)

    return send


def _settle_in() -> None:
    """Prepare signals and output for foreign code.

    Stopping is the daemon's decision, but systemd may send SIGTERM to the whole
    service. A handler that does nothing is better than ignoring: a program
    that the plugin starts does not inherit it, nor does a fork.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
        os.register_at_fork(
            after_in_child=lambda number=number: signal.signal(number, signal.SIG_DFL)
        )
    faulthandler.enable()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)  # type: ignore[union-attr]


class _Worker:
    """Holds the imported plugin between calls."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._run: Callable[..., Any] | None = None
        self._doc = ""
        self._source: Source | None = None

    def serve(self, asked: Mapping[str, Any]) -> None:
        """Answer one request: some messages, the last of them ``done`` or ``failed``."""
        path, module, files = asked["plugin"]
        source = Source(Path(path), module, files)
        set_local_zone(asked.get("timezone"))
        try:
            with memory_limit(asked.get("memory_limit")):
                self._send(("done", self._answer(source, asked)))
        except BaseException as exc:  # noqa: BLE001 (the border to foreign code)
            failure = _failure(exc, source, asked.get("memory_limit"))
            # After these the process may be in any condition.
            spoiled = self._run is None or is_shortage(exc) or isinstance(exc, SystemExit)
            _flush()
            self._send(("failed", type(failure).__name__, str(failure), failure.details, spoiled))

    def _answer(self, source: Source, asked: Mapping[str, Any]) -> dict[str, Any] | None:
        for provider, settings in asked["hosts"]:
            importlib.import_module(provider).provide(settings)
            self._run = None  # a host imports a plugin anew for each run: nothing stays in it
        if asked["do"] == "check":
            check = check_of(import_plugin(source, asked["unavailable"]))
            return {
                "problems": [problems_of(check, each) if check else [] for each in asked["params"]]
            }
        run, doc = self._imported(source, asked["unavailable"])
        if asked["do"] == "describe":
            described = describe(run, doc, source)
            return {**asdict(described), "kind": described.kind.value}
        kwargs = dict(asked["kwargs"])
        if asked["ctx"]:
            kwargs["ctx"] = FunctionContext(self._log)
        returned = call_ordinary(run, kwargs)
        _flush()
        if asked["hosts"] and not isinstance(returned, Mapping):  # a host asks for no result
            return None
        result = result_as_builtins(returned)
        _flush()
        return {**result, **self._ship(result)}

    def _imported(
        self, source: Source, unavailable: Mapping[str, str]
    ) -> tuple[Callable[..., Any], str]:
        if self._run is None:
            self._run, self._doc = import_run(source, unavailable)
            self._source = source  # keeps its modules
        return self._run, self._doc

    def _log(self, level: str, event: str, values: Mapping[str, Any]) -> None:
        self._send(("log", level, event, dict(values)))

    def _ship(self, result: Mapping[str, Any]) -> dict[str, Any]:
        """Send all readings but the last few ahead of the result; return those few."""
        readings = result.get("readings", [])
        sent = at = 0
        while len(readings) - at > READINGS_IN_MESSAGE:
            sent += self._send(("readings", readings[at : at + READINGS_IN_MESSAGE]))
            at += READINGS_IN_MESSAGE
            # Told by the first ones, before the daemon has unpacked the others in vain.
            if sent / at * len(readings) > RESULT_LIMIT:
                raise ResultTooLarge(
                    f"{TOO_MUCH}, or yield its readings from an async generator, "
                    f"got {len(readings)} readings"
                )
        return {"readings": readings[at:]} if at else {}


def _failure(exc: BaseException, source: Source, limit: int | None) -> PluginError:
    failure = run_failure(exc, source.root)
    if limit and (is_shortage(exc) or is_shortage(exc.__context__)):
        text = f"needs more memory than memory_limit allows, which is {limit / (1 << 20):.0f} MiB"
        return PluginError(text, details=failure.details)
    return failure


def _flush() -> None:
    """Push out what was printed, from Python and from C, before the result is sent."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # the plugin may have put anything there
            stream.flush()
    ctypes.CDLL(None).fflush(None)


if __name__ == "__main__":
    main()
