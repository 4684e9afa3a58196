#!/usr/bin/env bash
# A used up cursor of sqlite3 breaks an executemany when another thread frees it.
#
# Versions: Debian 12's python3.11 3.11.2 and Python 3.11.7, SQLite 3.40.1 (threadsafety 3).
#
# One thread does all the work on a connection that has check_same_thread=False. Another one
# only frees the cursors that executemany has returned, and calls nothing. The next
# executemany of the same text has the same compiled statement. A cursor that is freed
# resets it, and notes that it is not in use; if this happens while the working thread is
# in a step, its own reset is left out afterwards, and binding the next row fails.
# (Modules/_sqlite/cursor.c, cursor_dealloc, and statement.c, stmt_reset, of 3.11. The
# note has gone in 3.12; that a cursor resets what another cursor uses has not:
# https://github.com/python/cpython/issues/118172.)
#
# Seen, on two busy cores:
#   freed by another thread: sqlite3.InterfaceError: bad parameter or other API misuse
#       (SQLITE_MISUSE), after 193 executemany of 20 rows
#   closed before: no error in 20000
#   freed by the same thread: no error in 20000
#
# Exits with 1 if there is another outcome, with 2 if there is no Python 3.11.
set -euo pipefail

python=$(command -v python3.11) || { echo 'python3.11 is missing' >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat >cursors.py <<'PYTHON'
import queue, sqlite3, sys, threading

ROWS = [(number, b"x" * 50) for number in range(20)]

def tried(name, times, end_of):
    """Write again and again; return the error, and after how many times it came."""
    connection = sqlite3.connect(f"{name}.db", isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE t (a, b)")
    connection.execute("BEGIN")
    for number in range(times):
        try:
            cursor = connection.executemany("INSERT INTO t VALUES (?, ?)", ROWS)
        except sqlite3.Error as exc:
            return f"{type(exc).__name__} {exc.sqlite_errorname}", number
        end_of(cursor)
        del cursor
    return "", times

cursors = queue.SimpleQueue()

def free():
    while cursors.get() is not None:
        pass

def closed(cursor):
    cursor.close()
    cursors.put(cursor)

other = threading.Thread(target=free)
other.start()
freed = tried("freed", 200_000, cursors.put)
closed = tried("closed", 20_000, closed)
same = tried("same", 20_000, lambda cursor: None)
cursors.put(None)
other.join()
print(f"Python {sys.version.split()[0]}, SQLite {sqlite3.sqlite_version}, threadsafety {sqlite3.threadsafety}")
print(f"freed by another thread: {freed}\nclosed before: {closed}\nfreed by the same thread: {same}")
as_seen = freed[0] == "InterfaceError SQLITE_MISUSE" and not closed[0] and not same[0]
sys.exit(0 if as_seen else 1)
PYTHON
timeout 120 "$python" cursors.py
