"""Runs an action on a connection so that what belongs to the connection stays in its thread.

A connection keeps one compiled statement for each text, and lends it to cursor after
cursor. A cursor that is freed resets the statement that it had, though another cursor
has it by now. In the thread of the connection this comes between two calls and harms
nothing. In another thread it comes in the midst of a call: an ``executemany`` there
fails with "bad parameter or other API misuse", or a ``SELECT`` begins anew. So no cursor
leaves the thread, neither as the value of an action nor by a traceback, which keeps the
local variables of every function that the error has passed.
"""

import sqlite3
import traceback
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def run(action: Callable[[sqlite3.Connection], T], connection: sqlite3.Connection) -> T:
    """Run an action, and return or raise what may be handed to another thread.

    A cursor is returned closed: how many rows it has changed can be read, rows no more.
    """
    try:
        value = action(connection)
    except Exception as exc:
        _free_locals(exc)
        raise
    if isinstance(value, sqlite3.Cursor):
        value.close()
    return value


def _free_locals(exc: BaseException) -> None:
    """Empty the local variables of the functions that an error has passed."""
    each: BaseException | None = exc
    while each is not None:
        traceback.clear_frames(each.__traceback__)
        each = each.__context__
