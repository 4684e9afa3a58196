"""The tables of the state database, how they came to be, and how the file is opened.

One file holds what a spooled batch and the state that it carries must share: a
transaction. A file that SQLite cannot read is set aside whole, never repaired:
an empty state means that sources are read again from their beginning, which
repeats but skips nothing, while a repaired one might remember a position whose
readings it has lost.
"""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from ingestd.disk.damage import any_text
from ingestd.errors import DatabaseDamaged, DiskFull, StateError

# Each brings the schema from the version before (its index) to the next; never edit a
# released one.
MIGRATIONS: Final = (
    """
    CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;

    CREATE TABLE state (
        collector TEXT PRIMARY KEY,
        state TEXT NOT NULL,     -- YAML
        hidden TEXT NOT NULL,    -- YAML
        masks TEXT NOT NULL,     -- YAML: param name -> fingerprint
        changed REAL NOT NULL,   -- seconds since the Unix epoch
        crc INTEGER NOT NULL     -- of the name and the three texts
    );

    CREATE TABLE runs (
        id INTEGER PRIMARY KEY,
        collector TEXT NOT NULL,
        outcome TEXT NOT NULL,
        started REAL NOT NULL,   -- seconds since the Unix epoch
        record TEXT NOT NULL     -- JSON: the rest, for reading only
    );
    CREATE INDEX runs_of_a_collector ON runs (collector, id);

    CREATE TABLE spool (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        store TEXT NOT NULL,
        droppable INTEGER NOT NULL,
        points INTEGER NOT NULL,
        first_us INTEGER NOT NULL,
        last_us INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        spooled_at REAL NOT NULL,
        crc INTEGER NOT NULL,
        data BLOB NOT NULL
    );
    CREATE INDEX spool_of_a_store ON spool (store, id);

    CREATE TABLE dead_letters (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        store TEXT NOT NULL,
        at REAL NOT NULL,
        reason TEXT NOT NULL,
        payload BLOB NOT NULL
    );
    CREATE INDEX dead_letters_of_a_store ON dead_letters (store, id);

    CREATE TABLE damaged (
        id INTEGER PRIMARY KEY,
        at REAL NOT NULL,
        table_name TEXT NOT NULL,
        key TEXT NOT NULL,
        payload BLOB,
        error TEXT NOT NULL
    );
    """,
    """
    CREATE TABLE backfills (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        collector TEXT NOT NULL,
        status TEXT NOT NULL,
        asked REAL NOT NULL,     -- seconds since the Unix epoch
        record TEXT NOT NULL     -- JSON: the rest
    );
    CREATE INDEX backfills_of_a_collector ON backfills (collector, id);

    CREATE TABLE series (
        collector TEXT NOT NULL,
        series TEXT NOT NULL,
        tags TEXT NOT NULL,      -- JSON: a list of sorted pairs
        PRIMARY KEY (collector, series, tags)
    ) WITHOUT ROWID;
    """,
    """
    ALTER TABLE series ADD COLUMN newest_us INTEGER;  -- microseconds since the Unix epoch
    ALTER TABLE series ADD COLUMN moved_at REAL;      -- when that came, in seconds, likewise
    ALTER TABLE series ADD COLUMN shortest REAL;      -- seconds from one newest to the next
    ALTER TABLE series ADD COLUMN longest REAL;
    """,
    """
    CREATE TABLE absent (        -- what the source of a collector does not have
        collector TEXT NOT NULL,
        series TEXT NOT NULL,
        tags TEXT NOT NULL,      -- JSON: a list of sorted pairs
        after_us INTEGER NOT NULL,
        end_us INTEGER NOT NULL,
        asked REAL NOT NULL,     -- seconds since the Unix epoch
        UNIQUE (collector, series, tags, after_us, end_us)
    );
    """,
    """
    CREATE TABLE stores (
        name TEXT PRIMARY KEY,
        configured INTEGER NOT NULL,         -- 0: it has gone, and left something in its spool
        beside TEXT NOT NULL DEFAULT '[]',   -- JSON: the stores that there were beside it
        mark_us INTEGER                      -- the earliest time of what was sent since
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE requested_runs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        collector TEXT NOT NULL,
        status TEXT NOT NULL,
        project TEXT,
        trace TEXT,
        key TEXT,                -- chosen by the one who asked, the same for all asked at once
        added REAL NOT NULL,     -- seconds since the Unix epoch
        record TEXT NOT NULL,    -- JSON: the rest
        input BLOB,              -- JSON: what the plugin is given
        result BLOB              -- JSON: what it gave besides readings
    );
    CREATE INDEX requested_runs_of_a_collector ON requested_runs (collector, id);
    CREATE INDEX requested_runs_by_key ON requested_runs (key);
    CREATE INDEX requested_runs_by_status ON requested_runs (status, id);

    ALTER TABLE runs ADD COLUMN requested INTEGER;  -- which requested run it was, if it was one
    """,
)
PAGE_BYTES: Final = 16384
JOURNAL_PAGES: Final = 512
CHECKED_WHOLE_BYTES: Final = 64 * 1024 * 1024  # a quarter of a second
BIG: Final = frozenset({"spool", "dead_letters", "runs", "requested_runs"})
DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
# Quotas show as write errors, and shared memory grows in a file of its own.
FULL: Final = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE}
)


def is_full(exc: BaseException) -> bool:
    """Tell whether SQLite failed for want of room."""
    return isinstance(exc, sqlite3.Error) and getattr(exc, "sqlite_errorcode", None) in FULL


def translate(exc: sqlite3.Error, path: Path) -> StateError:
    """Return our word for SQLite's error.

    A primary code is the low byte of what SQLite reports.
    """
    if is_full(exc):
        return DiskFull(f"{path}: no room on the disk: {exc}")
    if getattr(exc, "sqlite_errorcode", 0) & 0xFF in DAMAGED:
        return DatabaseDamaged(f"{path}: damaged: {exc}")
    return StateError(f"{path}: {exc}")


def open_writer(path: Path, migrations: Sequence[str] = MIGRATIONS) -> sqlite3.Connection:
    """Open the database for writing, making or migrating it first.

    Raises:
        DatabaseDamaged: SQLite cannot read it.
        DiskFull: There is no room for its journal.
        StateError: It is of a later version than ours, or cannot be opened.
    """
    try:
        # SQLite gives its journal the mode of the database.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        connection.text_factory = any_text  # a damaged text is told by what reads it
    except OSError as exc:
        problem = f"{path}: expected a file that this user can write, got {exc.strerror}"
        raise StateError(problem) from exc
    except sqlite3.Error as exc:
        raise translate(exc, path) from exc
    with preparing(connection, path):
        quick_check(connection, path)
        configure(connection)
        migrate(connection, path, migrations)
    return connection


@contextmanager
def preparing(connection: sqlite3.Connection, path: Path) -> Iterator[None]:
    """Close the connection if what is done with it first fails, and tell it in our words.

    Raises:
        StateError: SQLite failed.
    """
    try:
        yield
    except sqlite3.Error as exc:
        connection.close()
        raise translate(exc, path) from exc
    except StateError:
        connection.close()
        raise


def open_reader(path: Path) -> sqlite3.Connection:
    """Open the database for reading beside the writer."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    connection.text_factory = any_text  # a damaged text is told by what reads it
    return connection


def configure(connection: sqlite3.Connection) -> None:
    """Make commits survive a power cut, and the file give back what it no longer needs."""
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    if pages == 0:  # these two have no meaning later
        connection.execute(f"PRAGMA page_size={PAGE_BYTES}")
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
    connection.execute("PRAGMA journal_mode=WAL").fetchone()
    connection.execute("PRAGMA synchronous=FULL")
    # Well below the ballast: writing the journal back may take as much room again.
    connection.execute(f"PRAGMA wal_autocheckpoint={JOURNAL_PAGES}").fetchone()
    connection.execute(f"PRAGMA journal_size_limit={JOURNAL_PAGES * PAGE_BYTES}").fetchone()


def migrate(connection: sqlite3.Connection, path: Path, migrations: Sequence[str]) -> None:
    """Bring the schema to our version, one transaction for each step.

    Raises:
        StateError: It is of a later version than ours.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(migrations):
        raise StateError(
            f"{path}: written by a later ingestd: expected schema version {len(migrations)}"
            f" or earlier, got {version}"
        )
    for number in range(version, len(migrations)):
        step = f"BEGIN IMMEDIATE; {migrations[number]}; PRAGMA user_version={number + 1}; COMMIT"
        connection.executescript(step)


def quick_check(connection: sqlite3.Connection, path: Path) -> None:
    """Read the pages now, since a bad one may show up only much later.

    All of them if they are few. Else only the small tables: the big ones are
    checked row by row by their owner, or are expendable.

    Raises:
        DatabaseDamaged: One of them is not as it should be.
    """
    tables = "SELECT name FROM sqlite_schema WHERE type = 'table'"
    checks = ["PRAGMA quick_check(1)"]
    if path.stat().st_size > CHECKED_WHOLE_BYTES:
        names = {name for (name,) in connection.execute(tables)} - BIG
        checks = [f"PRAGMA quick_check('{name}')" for name in names]
    for check in checks:
        (answer,) = connection.execute(check).fetchone()
        if answer != "ok":
            raise DatabaseDamaged(f"{path}: damaged: {answer}")


def move_aside(path: Path) -> Path:
    """Rename a damaged database together with its journal; return its new path."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    # The journal first: were we stopped in between, SQLite would play an old
    # journal into the new database.
    for suffix in ("-wal", "-shm", ""):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    return aside
