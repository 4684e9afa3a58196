"""Ends what a plugin has started and left behind, in sessions of its own or after double forks.

What descends from a process is found by the parents in ``/proc``. A supervisor adopts its
orphans, so none of its descendants leaves that tree while it lives. After its death they are known
by a variable of their environment, unless they have cleared that.
"""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Collection, Iterator
from typing import Final

MARK: Final = "INGESTD_WORKER"  # the variable
ROUNDS: Final = 10  # looks at the processes, since some may start others meanwhile
PAUSE: Final = 0.01  # seconds between two looks

Names = dict[int, str]  # number of a process -> its name


def new_mark() -> str:
    """Return a mark that no other process has, nor begins its own with."""
    return os.urandom(8).hex()


def mark_below(mark: str, number: int) -> str:
    """Return a mark that begins with another one, and with which that of no other number begins."""
    return f"{mark}.{number}."


def kill_descendants(root: int | None, mark: str | None) -> list[str]:
    """Kill processes until none is left; return their names. It blocks for some milliseconds.

    Args:
        root: Those that descend from this one, which itself is left alone, or None.
        mark: And those whose environment has a mark that begins with this, or None.
    """

    def find(only: int | None) -> Names:
        alive = dict(_processes(only))
        pids = [only] if only in alive else alive if only is None else ()
        return {
            pid: alive[pid][0]
            for pid in pids
            if pid not in {root, os.getpid()}
            and (_descends(pid, root, alive) or _is_marked(pid, mark))
        }

    return _kill_all(find)


def strays(supervisor: int) -> Names:
    """Return what a supervised process has started and no longer holds.

    They have lost their parents, or left its process group. Its own children in its group
    are its helpers, such as pools of processes. None are found where the kernel does not
    list children.

    Args:
        supervisor: The process above it.
    """
    supervised, *orphans = children(supervisor) or [0]
    found = [pid for orphan in orphans for pid in (orphan, *below(orphan))]
    found += [pid for pid in below(supervised) if _group(pid) != supervised]
    return {pid: known[0] for pid in found if (known := _process(pid))}


def supervised(supervisor: int) -> int | None:
    """Return the process that a supervisor was started for, or None if it is not there.

    It is the oldest child, in a group of its own. An orphan may be so, too, but only in the
    moment before the supervisor ends it.
    """
    for pid in children(supervisor) or [pid for pid, (_, up) in _processes() if up == supervisor]:
        if _group(pid) == pid:
            return pid
    return None


def hears(pid: int, number: int) -> bool:
    """Say whether a process has a handler for a signal."""
    try:
        lines = _read(f"/proc/{pid}/status").splitlines()
    except OSError:
        return False
    masks = [int(line.split()[1], 16) for line in lines if line.startswith("SigCgt:")]
    return any(mask >> (number - 1) & 1 for mask in masks)


def kill_strays(supervisor: int) -> list[str]:
    """Kill strays until none is left; return their names. It blocks for some milliseconds."""

    def find(only: int | None) -> Names:
        found = strays(supervisor)
        return found if only is None else {pid: found[pid] for pid in (only,) if pid in found}

    return _kill_all(find)


def children(pid: int) -> list[int]:
    """Return the children of a process, the oldest first; none where the kernel lists none."""
    found: list[int] = []
    with contextlib.suppress(OSError):  # gone, or no such lists
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 (also for supervisors)
            found += map(int, _read(f"/proc/{pid}/task/{thread}/children").split())
    return found


def below(pid: int) -> Iterator[int]:
    """Yield what descends from a process, where the kernel lists children."""
    for child in children(pid) if pid else ():
        yield child
        yield from below(child)


def pids_of_group(group: int) -> list[int]:
    """Return the processes of a group."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:  # as a rule, and without a look at all processes
        return []
    except PermissionError:
        pass
    return [pid for pid, _ in _processes() if _group(pid) == group]


def start_of(pid: int) -> str | None:
    """Return when a process was started, as the kernel counts, or None if it is not there."""
    try:
        return _read(f"/proc/{pid}/stat").rpartition(")")[2].split()[19]
    except OSError:
        return None


def name_of(pid: int) -> str:
    """Return the name of a process, or an empty string if it is dead."""
    known = _process(pid)
    return known[0] if known else ""


def _group(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except OSError:
        return 0


def _kill_all(find: Callable[[int | None], Names]) -> list[str]:
    """Kill what is found until nothing is.

    Args:
        find: Returns the processes; or the one of a number, if it is still one of them.
    """
    names: Names = {}
    for _ in range(ROUNDS):
        killed = {pid: name for pid, name in find(None).items() if _kill(pid, find)}
        if not killed:
            break
        names |= killed
        time.sleep(PAUSE)
    return list(names.values())


def _kill(pid: int, find: Callable[[int | None], Collection[int]]) -> bool:
    """Kill a process, if its number still belongs to one of those."""
    with contextlib.suppress(OSError):
        handle = os.pidfd_open(pid)
        try:
            if find(pid):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
                return True
        finally:
            os.close(handle)
    return False


def _descends(pid: int, root: int | None, alive: dict[int, tuple[str, int]]) -> bool:
    while root is not None and pid in alive:
        pid = alive[pid][1]
        if pid == root:
            return True
    return False


def _is_marked(pid: int, mark: str | None) -> bool:
    if mark is None:
        return False
    try:
        variables = _read(f"/proc/{pid}/environ").split("\0")
    except OSError:  # gone, or of another user
        return False
    return any(each.startswith(f"{MARK}={mark}") for each in variables)


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
    for entry in os.listdir("/proc"):  # noqa: PTH208 (also for supervisors)
        if entry.isdigit() and (found := _process(int(entry))):
            yield int(entry), found


def _process(pid: int) -> tuple[str, int] | None:
    try:
        text = _read(f"/proc/{pid}/stat")
    except OSError:
        return None
    name, _, rest = text.partition("(")[2].rpartition(")")
    state, parent, *_ = rest.split()
    return None if state in "ZX" else (name, int(parent))


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123 (also for supervisors)
        return file.read()
