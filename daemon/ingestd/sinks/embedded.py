"""The embedded store: a SQLite file that anyone may read while the daemon writes.

A body is JSON in columns; a payload is a JSON object with one point. Times are
microseconds since the Unix epoch, so that nothing is rounded; the view
``points`` has them in seconds as well, which is what Grafana's SQLite source
and SQLite's own functions take.
"""

import asyncio
import math
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from typing import Any, Final, TypeVar

import msgspec
import orjson
import structlog

from ingestd.config import EmbeddedStore
from ingestd.disk import READERS, Database, Writer, any_text, is_text, migrate, preparing
from ingestd.errors import (
    BodyRejected,
    QueryError,
    StateError,
    StoreUnavailable,
    UnreadableBody,
    UnsendablePayload,
)
from ingestd.model import Body, Point, Series, StoredPoint
from ingestd.sinks.identity import Identity
from ingestd.sinks.protocol import Encoded

T = TypeVar("T")

# Each brings the schema from the version before to the next; never edit a released one.
MIGRATIONS: Final = (
    """
    CREATE TABLE series (
        id INTEGER PRIMARY KEY,
        measurement TEXT NOT NULL,
        field TEXT NOT NULL,
        name TEXT NOT NULL,
        tags TEXT NOT NULL,      -- a JSON object, its keys sorted
        unit TEXT NOT NULL,
        UNIQUE (name, tags, measurement, field)
    );

    CREATE TABLE readings (
        series_id INTEGER NOT NULL REFERENCES series (id),
        time INTEGER NOT NULL,   -- microseconds since the Unix epoch, UTC
        value REAL NOT NULL,
        PRIMARY KEY (series_id, time)
    ) WITHOUT ROWID;

    CREATE VIEW points AS
    SELECT
        series.name AS series,
        series.measurement,
        series.field,
        series.unit,
        series.tags,
        readings.time / 1000000.0 AS time,  -- seconds
        readings.time AS time_us,
        readings.value
    FROM series JOIN readings ON readings.series_id = series.id;
    """,
)
# In time order a batch touches a page of every series, so pages are small and many are kept.
PRAGMAS: Final = (
    "page_size=4096",
    "journal_mode=WAL",
    "synchronous=FULL",
    "journal_size_limit=67108864",
    "cache_size=-32768",
    "busy_timeout=5000",
)
MOST_TOLD: Final = 20  # series with damaged rows that the log tells of
ROWS_AT_ONCE: Final = 10_000  # points of an answer in memory
NOT_TEXT: Final = "a name or tag is not valid Unicode"
SELECT: Final = """
    SELECT series.name, series.tags, series.measurement, series.field, time, value
    FROM series CROSS JOIN readings ON series_id = id
"""  # CROSS: from series to readings, or else SQLite may read every row
NEWEST: Final = "time = (SELECT max(time) FROM readings WHERE series_id = id)"


class Columns(msgspec.Struct):
    """A body: its series once each, and three columns of the same length."""

    series: list[tuple[str, dict[str, str], str, str, str]]
    index: list[int]
    time: list[int]
    value: list[float]


class Row(msgspec.Struct):
    """A payload: one point; ``time`` is in microseconds since the Unix epoch."""

    series: str
    tags: dict[str, str]
    measurement: str
    field: str
    unit: str
    time: int
    value: float


BODY: Final = msgspec.json.Decoder(Columns)
PAYLOAD: Final = msgspec.json.Decoder(Row)


class EmbeddedSink:
    """Writes to a SQLite file of our own."""

    def __init__(self, config: EmbeddedStore) -> None:
        self.config = config
        self._database: Database | None = None
        self._opening = asyncio.Lock()
        self._had_folder = False  # one that is gone was deleted, with all that is beside the file
        self._ids: dict[tuple[str, ...], int] = {}
        self._damaged: set[str] = set()

    async def open(self) -> None:
        """Open the file, making it if it is not there.

        Raises:
            StoreUnavailable: It is damaged, locked, or cannot be made.
        """
        await self._opened()

    async def close(self) -> None:
        """Finish writing and close the file."""
        async with self._opening:
            database, self._database = self._database, None
            if database is not None:
                await database.close()

    async def identify(self) -> Identity:
        """Say that it is our own file."""
        return Identity("SQLite", sqlite3.sqlite_version)

    @property
    def expected(self) -> str:
        """What should answer."""
        return "SQLite"

    def key(self, payload: bytes) -> bytes:
        """Return a payload without its value."""
        row = PAYLOAD.decode(payload)
        return orjson.dumps([row.series, row.tags, row.measurement, row.field, row.time])

    async def check(self) -> list[str]:
        """See whether the file can be written.

        Raises:
            StoreUnavailable: It is damaged, locked, or cannot be made.
        """
        await self.write(orjson.dumps({"series": [], "index": [], "time": [], "value": []}))
        return []

    def encode(self, points: Sequence[Point]) -> Encoded:
        """Turn points into columns, setting aside those whose names are not text."""
        good = list(points)
        refused: list[tuple[bytes, str]] = []
        try:
            data = columns(good)
        except orjson.JSONEncodeError:  # lone surrogates, which no encoding can write
            good = [point for point in points if is_writable(point[0])]
            bad = [point for point in points if not is_writable(point[0])]
            refused = [(repr(point).encode(errors="replace"), NOT_TEXT) for point in bad]
            data = columns(good)
        if not good:
            return Encoded(None, 0, refused)
        times = [point[1] for point in good]
        return Encoded(Body(data, len(good), min(times), max(times)), len(data), refused)

    def split(self, data: bytes) -> list[bytes]:
        """Take a body apart into one JSON object for each point.

        Raises:
            UnreadableBody: It is damaged, or not in columns.
        """
        try:
            body = BODY.decode(data)
            return [
                msgspec.json.encode(Row(*body.series[at], time, value))
                for at, time, value in zip(body.index, body.time, body.value, strict=True)
            ]
        except (msgspec.DecodeError, ValueError, IndexError) as exc:
            raise UnreadableBody(f"expected columns of JSON, got {data[:20]!r}: {exc}") from exc

    def join(self, payloads: Sequence[bytes]) -> bytes:
        """Make a body of such objects.

        Raises:
            UnsendablePayload: One of them is no such object.
        """
        try:
            rows = [PAYLOAD.decode(payload) for payload in payloads]
        except (msgspec.DecodeError, ValueError) as exc:
            raise UnsendablePayload(f"expected points as JSON objects: {exc}") from exc
        names = [
            (row.series, tuple(row.tags.items()), row.measurement, row.field, row.unit)
            for row in rows
        ]
        known = {name: at for at, name in enumerate(dict.fromkeys(names))}
        body = Columns(
            [(name, dict(tags), *rest) for name, tags, *rest in known],  # type: ignore[misc]
            [known[name] for name in names],
            [row.time for row in rows],
            [row.value for row in rows],
        )
        return msgspec.json.encode(body)

    async def write(self, data: bytes) -> None:
        """Store a body; it is on the disk when this returns.

        Raises:
            StoreUnavailable: The disk is full, or the file damaged or locked.
            BodyRejected: It is not such a body.
        """
        try:
            body = BODY.decode(data)
        except msgspec.DecodeError as exc:
            raise BodyRejected(f"{self.config.path}: the body is damaged: {exc}") from exc
        database = await self._opened()
        try:
            made = await database.write(lambda connection: self._insert(connection, body))
        except StateError as exc:
            # A file that the operator has put right meanwhile is found only by opening it.
            await self.close()
            raise StoreUnavailable(str(exc)) from exc
        self._ids.update(made)

    async def read(
        self, series: str, *, start_us: int, end_us: int, tags: dict[str, str]
    ) -> list[StoredPoint]:
        """Return the points of one series in time order."""
        query = f"{SELECT} WHERE name = ? AND time >= ? AND time < ? ORDER BY time"
        found = await self._query(query, (series, start_us, end_us))
        return [point for point in found if tags.items() <= point.tags.items()]

    async def latest(self, *, since_us: int) -> list[StoredPoint]:
        """Return the newest point of every series that has one since then."""
        return await self._query(f"{SELECT} WHERE {NEWEST} AND time >= ?", (since_us,))

    async def scan(self, *, start_us: int, end_us: int) -> AsyncIterator[list[StoredPoint]]:
        """Yield everything from start to before end, series by series."""
        database = await self._opened(QueryError)
        ids = await self._read(database, "SELECT id FROM series ORDER BY id", ())
        query = (
            f"{SELECT} WHERE id = ? AND time >= ? AND time < ? ORDER BY time LIMIT {ROWS_AT_ONCE}"
        )
        for (series_id,) in ids:
            after_us = start_us
            while rows := await self._read(database, query, (series_id, after_us, end_us)):
                yield self._sound(rows)
                if not isinstance(rows[-1][4], int):
                    break  # in the order of SQLite texts stand behind all numbers
                after_us = rows[-1][4] + 1

    def _insert(self, connection: sqlite3.Connection, body: Columns) -> dict[tuple[str, ...], int]:
        """Write a body; return the identities of series that were not known."""
        made = {}
        ids = []
        for name, tags, *rest in body.series:
            key = (name, tags_text(tags), *rest)
            known = self._ids.get(key)
            if known is None:
                known = made[key] = series_id(connection, key)
            ids.append(known)
        # In the order of the table, which makes neighbours of what is written.
        rows = sorted(zip([ids[at] for at in body.index], body.time, body.value, strict=True))
        connection.executemany("INSERT OR REPLACE INTO readings VALUES (?, ?, ?)", rows)
        return made

    async def _query(self, query: str, values: Sequence[Any]) -> list[StoredPoint]:
        database = await self._opened(QueryError)
        return self._sound(await self._read(database, query, values))

    def _sound(self, rows: Iterable[Sequence[Any]]) -> list[StoredPoint]:
        """Return rows as points, without those that are damaged."""
        points: list[StoredPoint] = []
        for row in rows:
            try:
                points.append(stored(row))
            except ValueError as exc:
                self._tell(row, exc)
        return points

    def _tell(self, row: Sequence[Any], exc: ValueError) -> None:
        name = f"{row[0]!r:.100}"
        if name not in self._damaged and len(self._damaged) < MOST_TOLD:
            self._damaged.add(name)
            log = structlog.get_logger("ingestd").bind(store=self.config.name)
            problem = f"{self.config.path}: {name}: {exc}; left out of answers"
            log.error("a row of readings was damaged", problem=problem)

    async def _read(self, database: Database, query: str, values: Sequence[Any]) -> list[Any]:
        try:
            return await database.read(lambda db: db.execute(query, values).fetchall())
        except StateError as exc:
            raise QueryError(str(exc)) from exc

    async def _opened(self, error: Callable[[str], Exception] = StoreUnavailable) -> Database:
        async with self._opening:
            if self._database is None:
                self._ids = {}
                try:
                    self._database = await opened(self.config, make=not self._had_folder)
                except StateError as exc:
                    raise error(str(exc)) from exc
                self._had_folder = True
            return self._database


async def opened(config: EmbeddedStore, *, make: bool) -> Database:
    """Open the file as a database.

    Not with ``Database.open``, which reads the file whole for damage and begins
    an empty one if it finds some: history is worth keeping, and too long to read.

    Args:
        config: Where it is.
        make: Whether its folder is made if there is none.

    Raises:
        StateError: It is damaged, locked, or cannot be made.
    """
    readers = ThreadPoolExecutor(READERS, thread_name_prefix="ingestd-readings")
    opening = asyncio.wrap_future(readers.submit(partial(connected, config, make=make)))
    try:
        writer = Writer(await opening, config.path, None)
    except StateError:
        readers.shutdown()
        raise
    writer.start()
    return Database(config.path, writer, readers, damage="")


def connected(config: EmbeddedStore, *, make: bool) -> sqlite3.Connection:
    """Return a connection for the writer, its tables made.

    Raises:
        StateError: The file is damaged, locked, or cannot be made.
    """
    path = config.path
    try:
        if make:
            path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        connection.text_factory = any_text
    except (OSError, sqlite3.Error) as exc:
        raise StateError(f"{path}: cannot be opened: {exc}") from exc
    with preparing(connection, path):
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}").fetchall()
        migrate(connection, path, MIGRATIONS)
    return connection


def columns(points: Sequence[Point]) -> bytes:
    """Return points as a body.

    Raises:
        JSONEncodeError: A name or tag is not valid Unicode.
    """
    known: dict[Series, int] = {}
    index = [known.setdefault(point[0], len(known)) for point in points]
    return orjson.dumps(
        {
            "series": [identity(series) for series in known],
            "index": index,
            "time": [point[1] for point in points],
            "value": [point[2] for point in points],
        }
    )


def is_writable(series: Series) -> bool:
    """Whether all the names of a series are valid Unicode."""
    try:
        orjson.dumps(identity(series))
    except orjson.JSONEncodeError:
        return False
    return True


def identity(series: Series) -> tuple[str, dict[str, str], str, str, str]:
    """Return a series as a body has it; a tag with an empty value is no tag."""
    tags = {key: value for key, value in series.tags if value}
    return series.name, tags, series.measurement, series.field, series.unit


def series_id(connection: sqlite3.Connection, key: Iterable[str]) -> int:
    """Return the id of a series, making its row if need be, and note its unit."""
    row = connection.execute(
        "INSERT INTO series (name, tags, measurement, field, unit) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET unit = excluded.unit RETURNING id",
        tuple(key),
    ).fetchone()
    return int(row[0])


def tags_text(tags: dict[str, str]) -> str:
    """Return tags as the database has them."""
    return orjson.dumps(tags, option=orjson.OPT_SORT_KEYS).decode()


def stored(row: Sequence[Any]) -> StoredPoint:
    """Return a row of ``SELECT`` as a point.

    Raises:
        ValueError: It is damaged.
    """
    name, tags, measurement, field, time_us, value = row
    told = tags_of(name, tags, measurement, field)
    if type(time_us) is not int or not isinstance(value, float | int) or not math.isfinite(value):
        raise ValueError("damaged: expected a time and a number")
    return StoredPoint(name, told, measurement, field, time_us, value)


@lru_cache(maxsize=1024)
def tags_of(name: Any, tags: Any, measurement: Any, field: Any) -> dict[str, str]:
    """Return the tags of a row, which many rows have in common.

    Raises:
        ValueError: One of the names or the tags is damaged.
    """
    told = orjson.loads(tags) if isinstance(tags, str) and is_text(tags) else None
    if not isinstance(told, dict) or not all(map(is_text, (name, measurement, field))):
        raise ValueError("damaged: expected the names of a series")
    return told
