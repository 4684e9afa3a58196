"""Ends what a plugin has started and left behind, in sessions of its own or after double forks.

What descends from a process is found by the parents in ``/proc``. A worker process adopts its
orphans, so none of its descendants leaves that tree while it lives. After its death they are known
by a variable of their environment, unless they have cleared that.
"""

import contextlib
import os
import secrets
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

MARK: Final = "INGESTD_WORKER"  # the variable
ROUNDS: Final = 10  # looks at the processes, since some may start others meanwhile
PAUSE: Final = 0.01  # seconds between two looks


def new_mark() -> str:
    """Return a mark that no other process has, nor begins its own with."""
    return secrets.token_hex(8)


def kill_descendants(root: int | None, mark: str) -> list[str]:
    """Kill processes until none is left; return their names. It blocks for some milliseconds.

    Args:
        root: Those that descend from this one, which itself is left alone, or None.
        mark: And those whose environment has a mark that begins with this.
    """
    names: list[str] = []
    for _ in range(ROUNDS):
        found = {pid: name for pid, name in _family(root, mark) if _kill(pid, root, mark)}
        if not found:
            break
        names += found.values()
        time.sleep(PAUSE)
    return names


def hold_descendants(root: int) -> list[int]:
    """Return descriptors of the processes that descend from one, to kill them when that is gone."""
    alive, held = dict(_processes()), []
    for pid in alive:
        if _descends(pid, root, alive):
            with contextlib.suppress(OSError):  # gone meanwhile
                held.append(os.pidfd_open(pid))
    return held


def kill_held(held: list[int]) -> None:
    """Kill the processes that are still there, and close their descriptors."""
    for handle in held:
        with contextlib.suppress(OSError):  # gone meanwhile
            signal.pidfd_send_signal(handle, signal.SIGKILL)
        os.close(handle)


def _family(root: int | None, mark: str) -> Iterator[tuple[int, str]]:
    alive = dict(_processes())
    for pid, (name, _) in alive.items():
        if pid not in {root, os.getpid()} and (
            _descends(pid, root, alive) or _is_marked(pid, mark)
        ):
            yield pid, name


def _descends(pid: int, root: int | None, alive: dict[int, tuple[str, int]]) -> bool:
    while root is not None and pid in alive:
        pid = alive[pid][1]
        if pid == root:
            return True
    return False


def _is_marked(pid: int, mark: str) -> bool:
    sought = f"{MARK}={mark}".encode()
    try:
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:  # gone, or of another user
        return False
    return any(each.startswith(sought) for each in variables)


def _kill(pid: int, root: int | None, mark: str) -> bool:
    """Kill a process, if its number still belongs to one of the family."""
    with contextlib.suppress(OSError):
        handle = os.pidfd_open(pid)
        try:
            if _descends(pid, root, dict(_processes(pid))) or _is_marked(pid, mark):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
                return True
        finally:
            os.close(handle)
    return False


def _processes(only: int | None = None) -> Iterator[tuple[int, tuple[str, int]]]:
    """Yield the number of each process with its name and its parent; the dead are left out.

    Args:
        only: Nothing but this one and those above it.
    """
    if only is not None:
        while only and (found := _process(only)):
            yield only, found
            only = found[1]
        return
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (found := _process(int(entry.name))):
            yield int(entry.name), found


def _process(pid: int) -> tuple[str, int] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    name, _, rest = text.partition("(")[2].rpartition(")")
    state, parent, *_ = rest.split()
    return None if state in "ZX" else (name, int(parent))
