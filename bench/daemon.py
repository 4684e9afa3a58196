"""The real daemon, as a process: ``ingestd run`` with a configuration of ours."""

import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

PLUGINS: Final = Path(__file__).parent / "plugins"
TICK: Final = os.sysconf("SC_CLK_TCK")
PATIENCE: Final = 300.0
COMMAND: Final = "import ingestd.cli; ingestd.cli.main()"


@dataclass(frozen=True, slots=True)
class Daemon:
    """A running daemon.

    Attributes:
        process: The process.
        state_dir: Where it keeps what it must not forget.
        start_seconds: From starting the process until it said that it was ready.
    """

    process: subprocess.Popen[bytes]
    state_dir: Path
    start_seconds: float

    @property
    def cpu(self) -> float:
        """Seconds of processor time that it has used."""
        return cpu_seconds(self.process.pid)

    @property
    def rss_mib(self) -> float:
        """How much memory it has, in MiB."""
        return memory_mib(self.process.pid, "VmRSS")

    def children_pss_mib(self) -> list[float]:
        """Return what memory each process below it has for itself, in MiB."""
        return [proportional_mib(pid) for pid in descendants(self.process.pid)]

    def said(self, path: Path) -> Any:
        """Wait for what a plugin writes into a file, and return it."""
        self.wait_for(path.exists)
        return json.loads(path.read_text())

    def wait_until_empty(self) -> float:
        """Return when the spool is empty, in monotonic seconds."""
        with closing(self.database()) as database:
            self.wait_for(
                lambda: not database.execute("SELECT EXISTS (SELECT 1 FROM spool)").fetchone()[0]
            )
        return time.monotonic()

    def wait_until_draining(self) -> None:
        """Return when the first body has left the spool."""
        with closing(self.database()) as database:
            first = self.first_spooled(database)
            self.wait_for(lambda: self.first_spooled(database) != first)

    def first_spooled(self, database: sqlite3.Connection) -> int | None:
        """Return the number of the first body in the spool."""
        (first,) = database.execute("SELECT min(id) FROM spool").fetchone()
        return int(first) if first is not None else None

    def spooled(self) -> int:
        """Return how many points are in the spool."""
        with closing(self.database()) as database:
            (points,) = database.execute("SELECT coalesce(sum(points), 0) FROM spool").fetchone()
        return int(points)

    def runs(self) -> list[dict[str, Any]]:
        """Return the records of its runs that are on disk."""
        with closing(self.database()) as database:
            return [json.loads(text) for (text,) in database.execute("SELECT record FROM runs")]

    def database(self) -> sqlite3.Connection:
        """Open its database for reading."""
        (path,) = self.state_dir.glob("*.db")
        return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)

    def wait_for(self, condition: Any) -> None:
        """Wait for a condition, while the daemon lives."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            ended = self.process.poll()
            if ended is not None or time.monotonic() > deadline:
                why = "did not come to an end" if ended is None else f"ended with {ended}"
                told = f"{log_of(self.state_dir)}\nits runs: {self.runs()}"
                raise RuntimeError(f"the daemon {why}\n{told}")
            time.sleep(0.01)


@contextmanager
def running(
    folder: Path,
    *,
    stores: Mapping[str, Any],
    collectors: Mapping[str, Any],
    buffer: Mapping[str, Any] | None = None,
    log_level: str = "warning",
) -> Iterator[Daemon]:
    """Run a daemon in a folder, which may be one that a former daemon used."""
    state_dir = folder / "state"
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "daemon": {"state_dir": str(state_dir), "listen": "off", "plugin_dirs": [str(PLUGINS)]},
        "stores": dict(stores),
        "buffer": dict(buffer or {}),
        "collectors": dict(collectors),
    }
    path = folder / "ingestd.yaml"
    path.write_text(yaml.safe_dump(config))
    with ready_socket(folder) as ready, (folder / "log").open("ab") as log:
        began = time.monotonic()
        argv = [sys.executable, "-c", COMMAND, "run", "--config", str(path)]
        process = subprocess.Popen(
            [*argv, "--log-level", log_level],
            stdout=log,
            stderr=log,
            env={**os.environ, "NOTIFY_SOCKET": str(folder / "notify")},
        )
        try:
            wait_until_ready(ready, process, folder)
            yield Daemon(process, state_dir, time.monotonic() - began)
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def ready_socket(folder: Path) -> Iterator[socket.socket]:
    """Make the socket on which a service tells systemd that it is ready."""
    (folder / "notify").unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(folder / "notify"))
        listener.settimeout(0.5)
        yield listener


def wait_until_ready(ready: socket.socket, process: subprocess.Popen[bytes], folder: Path) -> None:
    """Return once the daemon has said that it is ready."""
    while process.poll() is None:
        with suppress(TimeoutError):
            if b"READY=1" in ready.recv(4096):
                return
    raise RuntimeError(f"the daemon did not start\n{log_of(folder / 'state')}")


def log_of(state_dir: Path) -> str:
    """Return the end of a daemon's log."""
    return (state_dir.parent / "log").read_text(errors="replace")[-3000:]


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def memory_mib(pid: int, name: str) -> float:
    """Return a figure of a process' memory, in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 1024


def descendants(pid: int) -> list[int]:
    """Return the processes that a process started, and those that these did."""
    found, parents = [], {pid}
    for stat in sorted(Path("/proc").glob("[0-9]*/stat"), key=lambda path: int(path.parent.name)):
        if parent_of(stat) in parents:
            found.append(int(stat.parent.name))
            parents.add(found[-1])
    return found


def parent_of(path: Path) -> int:
    """Return the parent of a process, by its ``stat`` file; 0 if it has gone."""
    with suppress(OSError):
        return int(path.read_text().rpartition(")")[2].split()[1])
    return 0


def proportional_mib(pid: int) -> float:
    """Return a process' memory, what it shares counted in parts, in MiB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
