"""Landlock, by which a process gives up access for itself and its children (Linux 5.13 and later).

A ruleset grants access to files and to all that lies below folders; whatever else it handles is
denied from the moment that a process restricts itself, to root as well. Its layer also keeps a
process from tracing those outside, which closes ``/proc/PID/environ`` and the like of theirs, and
since Linux 6.12 from sending signals to them. The kernel's manual: landlock(7).
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Iterable
from typing import Final

# The same numbers on every architecture.
CREATE_RULESET: Final = 444
ADD_RULE: Final = 445
RESTRICT_SELF: Final = 446
CREATE_RULESET_VERSION: Final = 1
RULE_PATH_BENEATH: Final = 1
PR_SET_NO_NEW_PRIVS: Final = 38

WRITE_FILE: Final = 1 << 1
READ_FILE: Final = 1 << 2
REMOVE: Final = 1 << 4 | 1 << 5  # folders, files
MAKE: Final = 0b111_1111 << 6  # files, folders and what else there is
REFER: Final = 1 << 13  # from version 2: move to another folder
TRUNCATE: Final = 1 << 14  # from version 3
READ: Final = READ_FILE
WRITE: Final = WRITE_FILE | REMOVE | MAKE | REFER | TRUNCATE
ON_FILES: Final = WRITE_FILE | READ_FILE | TRUNCATE
SCOPES: Final = 1 << 0 | 1 << 1  # abstract sockets, signals: from version 6
SIGNALS_SINCE: Final = 6

_LIBC: Final = ctypes.CDLL(None, use_errno=True)


def version() -> int:
    """Return the version of what the kernel offers, from 1 on.

    Raises:
        OSError: It offers none.
    """
    return _call(CREATE_RULESET, None, 0, CREATE_RULESET_VERSION)


def make_ruleset(grants: Iterable[tuple[str, int]]) -> int:
    """Return the descriptor of a ruleset.

    Args:
        grants: Files and folders, with READ, WRITE or both; those that are gone are left out.

    Raises:
        OSError: The kernel offers none.
    """
    offered = version()
    handled = READ | WRITE
    handled &= ~((REFER if offered < 2 else 0) | (TRUNCATE if offered < 3 else 0))
    attributes = struct.pack("=QQQ", handled, 0, SCOPES)
    size = 8 if offered < 4 else 16 if offered < SIGNALS_SINCE else 24
    ruleset = _call(CREATE_RULESET, attributes[:size], size, 0)
    try:
        for path, access in grants:
            _add(ruleset, path, access & handled)
    except BaseException:
        os.close(ruleset)
        raise
    return ruleset


def restrict(ruleset: int) -> None:
    """Restrict this thread, and all that it will start, and close the ruleset.

    Raises:
        OSError: The kernel refuses.
    """
    if _LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    _call(RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def _add(ruleset: int, path: str, access: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:  # gone meanwhile, or out of reach anyway
        return
    try:
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            access &= ON_FILES
        if access:
            _call(ADD_RULE, ruleset, RULE_PATH_BENEATH, struct.pack("=Qi", access, place), 0)
    finally:
        os.close(place)


def _call(number: int, *arguments: int | bytes | None) -> int:
    result: int = _LIBC.syscall(number, *arguments)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"Landlock: {os.strerror(error)}")
    return result
