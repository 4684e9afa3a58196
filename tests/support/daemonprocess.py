"""The real daemon as a process: start it, follow its log, ask its API, end it in any way.

Everything is waited for: a log line wakes those who wait for it, and what has no log
line (a file, an answer of the API) is looked at again and again, up to a deadline.
"""

import json
import os
import signal
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import dedent
from typing import Any, Final, Self

import pytest
import yaml

from tests.support.deadline import WITHIN
from tests.support.ingestdprocess import PIPE, IngestdProcess
from tests.support.ports import free_port

Line = dict[str, Any]
Config = Mapping[str, Any]

# The two sides of the accounts of a store.
CAME: Final = ("ingestd_points_accepted_total", "ingestd_points_inherited_total")
WENT: Final = (
    "ingestd_points_stored_total",
    "ingestd_spool_points",
    "ingestd_dead_letters",
    "ingestd_points_dropped_total",
    "ingestd_points_in_memory",
)


class DaemonProcess:
    """A daemon with a folder of its own, started and ended as often as a test likes.

    Attributes:
        folder: Where its configuration and its plugins are.
        state_dir: Where it keeps what it must not forget.
        config: What to run it with, merged into the ``daemon:`` section that tests need.
        lines: The log of the process that was started last; what is no JSON has the
            event ``unreadable``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.state_dir = folder, folder / "state"
        self.config: Config = {}
        self.lines: list[Line] = []
        self.bugs: list[Line] = []
        self._listen = f"127.0.0.1:{free_port()}"
        self._news = threading.Condition()
        self._process: IngestdProcess | None = None
        self._reader: threading.Thread | None = None
        (folder / "plugins").mkdir(parents=True, exist_ok=True)

    # -- what it runs

    @property
    def listen(self) -> str:
        """The ``host:port`` of its API."""
        return self._listen

    @property
    def config_path(self) -> Path:
        """Its configuration file."""
        return self.folder / "ingestd.yaml"

    def configure(self, **sections: Any) -> None:
        """Replace the configuration on disk; a running daemon has yet to be told."""
        self.config = sections
        daemon = {
            "state_dir": str(self.state_dir),
            "plugin_dirs": [str(self.folder / "plugins")],
            "listen": self._listen,
            "log_format": "json",
            "log_level": "debug",  # with a line for each run
            "grace": "5s",
            "not_before": "1900-01-01",  # tests count from 1970
        }
        text = yaml.safe_dump({**sections, "daemon": {**daemon, **sections.get("daemon", {})}})
        beside = self.config_path.with_suffix(".new")
        beside.write_text(text)
        beside.replace(self.config_path)  # a watcher sees all of the file or nothing

    def plugin(self, name: str, text: str) -> None:
        """Write a plugin."""
        (self.folder / "plugins" / f"{name}.py").write_text(dedent(text))

    # -- its life

    def start(self, *, ready: bool = True, program: Sequence[str] = ()) -> Self:
        """Start it, and wait until it says that it is ready.

        Args:
            ready: Whether to wait.
            program: See ``IngestdProcess``.
        """
        assert not self.alive, "it is running already"
        self.lines = []
        self._process = IngestdProcess(
            "run", "--config", str(self.config_path), stderr=PIPE, program=program,
            environ={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, args=(self._process, self.lines))
        self._reader.start()
        if ready:
            self.wait_for("ready")
        return self

    @property
    def alive(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """End it as a power cut would, its worker processes left to the kernel."""
        if self._process is not None:
            self._process.kill()
            self.ended()

    def stop(self, *, within: float = WITHIN) -> int:
        """Ask it to end, and return its exit code."""
        self.send(signal.SIGTERM)
        return self.ended(within=within)

    def ended(self, *, within: float = WITHIN) -> int:
        """Wait for its end and return its exit code."""
        process = self._process
        assert process is not None
        assert self._reader is not None
        try:
            code = process.wait(within)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            pytest.fail(f"it did not end within {within:g} s:\n{self.tail()}")
        self._reader.join(WITHIN)
        return code

    # -- its log

    def wait_for(
        self, event: str, *, within: float = WITHIN, after: int = 0, **values: Any
    ) -> Line:
        """Return the first log line with that event and those values, once there is one.

        Args:
            event: The phrase.
            within: How long to wait, in seconds.
            after: How many lines from the start do not count.
            values: What the line must say; a string may be a part of it.
        """

        def found() -> Line | None:
            fitting = (line for line in self.lines[after:] if _fits(line, event, values))
            return next(fitting, None)

        with self._news:
            line = self._news.wait_for(lambda: found() or not self._following, within) and found()
        if not line:
            pytest.fail(f"no line {event!r} {values or ''} within {within:g} s:\n{self.tail()}")
        assert isinstance(line, dict)
        return line

    def logged(self, event: str, **values: Any) -> list[Line]:
        """Return the log lines so far with that event and those values."""
        return [line for line in list(self.lines) if _fits(line, event, values)]

    def tail(self) -> str:
        """Return the end of the log, for people."""
        return "\n".join(json.dumps(line) for line in self.lines[-40:])

    @property
    def _following(self) -> bool:
        return self._reader is not None and self._reader.is_alive()

    def _read(self, process: IngestdProcess, lines: list[Line]) -> None:
        with process.stderr as stream:
            for raw in stream:
                try:
                    line = json.loads(raw)
                except ValueError:
                    line = {"event": "unreadable", "text": raw.decode(errors="replace").rstrip()}
                with self._news:
                    lines.append(line)
                    if "exception" in line:
                        self.bugs.append(line)
                    self._news.notify_all()
        with self._news:
            self._news.notify_all()

    # -- its API

    def get(self, path: str) -> Any:
        """Return the JSON at a path of its API."""
        with urllib.request.urlopen(
            f"http://{self._listen}/api/v1/{path}", timeout=WITHIN
        ) as reply:
            return json.load(reply)

    def post(self, path: str, document: Any) -> Any:
        """Send JSON to a path of its API; return what it answers."""
        request = urllib.request.Request(
            f"http://{self._listen}/api/v1/{path}",
            data=json.dumps(document).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=WITHIN) as reply:
            return json.load(reply)

    def delete(self, path: str) -> Any:
        """Give up what is at a path of its API; return what it answers."""
        where = f"http://{self._listen}/api/v1/{path}"
        request = urllib.request.Request(where, method="DELETE")
        with urllib.request.urlopen(request, timeout=WITHIN) as reply:
            return json.load(reply)

    def metrics(self) -> dict[str, float]:
        """Return its metrics, by name and labels as they are written."""
        with urllib.request.urlopen(f"http://{self._listen}/metrics", timeout=WITHIN) as reply:
            text = reply.read().decode()
        rows = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, _, value in rows}

    def store(self, name: str) -> dict[str, Any]:
        """Return what its status says of one store."""
        found: dict[str, Any]
        (found,) = (each for each in self.get("status")["stores"] if each["name"] == name)
        return found

    def assert_balanced(self) -> None:
        """Check, for every store, that every point is accounted for at this very moment."""
        metrics = self.metrics()
        stores = [name for name in metrics if name.startswith("ingestd_points_accepted_total{")]
        assert stores
        for store in (name.removeprefix("ingestd_points_accepted_total") for name in stores):
            came = [metrics[f"{name}{store}"] for name in CAME]
            went = [metrics[f"{name}{store}"] for name in WENT]
            assert sum(came) == sum(went), f"{store}: {came} came, {went} went"

    def newest_run(self, collector: str) -> dict[str, Any]:
        """Return the record of the run that ended last."""
        found: list[dict[str, Any]] = self.get(f"runs?collector={collector}&limit=1")
        return found[0]


def _fits(line: Line, event: str, values: Mapping[str, Any]) -> bool:
    if line.get("event") != event:
        return False
    return all(
        value in str(line.get(name)) if isinstance(value, str) else line.get(name) == value
        for name, value in values.items()
    )


def eventually(condition: Callable[[], Any], *, within: float = WITHIN, what: str = "") -> Any:
    """Return what a condition gives once that is true; for what has no event to wait for."""
    deadline = time.monotonic() + within
    while not (value := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"not within {within:g} s: {what or condition}")
        time.sleep(0.01)
    return value


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[DaemonProcess]:
    """Give a daemon that is not started yet; its log must not tell of a bug of ours."""
    process = DaemonProcess(tmp_path)
    try:
        yield process
    finally:
        process.kill()
    assert not process.bugs, f"bugs of the daemon: {json.dumps(process.bugs, indent=1)}"
