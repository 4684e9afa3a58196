"""The bodies that wait on disk for a store.

Theory of operation. The spool of a store is a queue of bodies, exactly as they
will be sent, in the order in which they came. ``horizon_us`` is the latest time
of any point in it: a point beyond the horizon cannot be a repeat of one that
waits here, so it may overtake the queue, while a correction of an older point
has to go behind what it corrects.

A body that no longer matches its checksum is set aside and counted as lost;
the others go on. A flipped bit can make a text of a blob or a number, which Python
would refuse to read, and with it every row behind; hence the casts.

What is held is counted in memory, because adding up a large table for every
body would cost more than storing it.
"""

import asyncio
import random
import sqlite3
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

from ingestd.clock import Clock
from ingestd.disk import DamagedRow, Database, is_text, move_aside
from ingestd.errors import DiskFull
from ingestd.model import Body

# As they count towards the whole: a damaged number must not add up to more than SQLite can say.
_POINTS: Final = "min(max(CAST(coalesce(points, 1) AS INTEGER), 1), 1000000000)"
_BYTES: Final = "min(max(CAST(coalesce(bytes, 0) AS INTEGER), 0), 1000000000)"
WHOLE: Final = (
    "SELECT id, coalesce(CAST(data AS BLOB), x''), points, first_us, last_us, droppable, crc"
    " FROM spool"
)


@dataclass(frozen=True, slots=True)
class Spooled:
    """A body in the spool, with its place in the queue."""

    id: int
    body: Body
    droppable: bool


@dataclass(frozen=True, slots=True)
class Contents:
    """What a spool holds.

    Attributes:
        bodies: How many bodies.
        points: How many points in them.
        size_bytes: Their weight.
        horizon_us: The latest time of any point, in microseconds, or None if empty.
        oldest_at: When the first was spooled, in seconds since the Unix epoch, or None.
    """

    bodies: int = 0
    points: int = 0
    size_bytes: int = 0
    horizon_us: int | None = None
    oldest_at: float | None = None


class Spool:
    """The queue of one store.

    Args:
        database: Where it is kept.
        store: The store's name.
        limit_bytes: How much it should weigh at most.
        clock: Where the time comes from.
    """

    def __init__(self, database: Database, store: str, *, limit_bytes: int, clock: Clock) -> None:
        self._database, self.store, self._clock = database, store, clock
        self.limit_bytes = limit_bytes
        self.holds = Contents()
        self._expected_us: int | None = None
        self._checked_out: frozenset[int] = frozenset()
        self._choosing = asyncio.Lock()

    async def open(self) -> None:
        """Learn what a former daemon left."""
        self.holds = await self._database.read(lambda db: contents(db, self.store))

    @contextmanager
    def expecting(self, horizon_us: int | None) -> Iterator[None]:
        """Let nothing overtake what is about to join the queue, which may run empty before.

        Args:
            horizon_us: The latest time of any point in it, or None if it is nothing.
        """
        self._expected_us = horizon_us
        try:
            yield
        finally:
            self._expected_us = None

    @property
    def horizon_us(self) -> int | None:
        """The latest time of any point that waits here or is about to, or None."""
        return _latest(self.holds.horizon_us, self._expected_us)

    def joined(self, others: Contents) -> None:
        """Count bodies that another store's queue has given to this one."""
        held = self.holds
        times = [each for each in (held.oldest_at, others.oldest_at) if each is not None]
        self.holds = Contents(
            bodies=held.bodies + others.bodies,
            points=held.points + others.points,
            size_bytes=held.size_bytes + others.size_bytes,
            horizon_us=_latest(held.horizon_us, others.horizon_us),
            oldest_at=min(times, default=None),
        )

    def has_room(self, size_bytes: int) -> bool:
        """Say whether a body of that size stays within the limit."""
        return self.holds.size_bytes + size_bytes <= self.limit_bytes

    def is_beyond_horizon(self, time_us: int) -> bool:
        """Say whether a point of that time may go before what waits here."""
        return self.horizon_us is None or time_us > self.horizon_us

    async def append(
        self,
        body: Body,
        *,
        droppable: bool,
        also: Callable[[sqlite3.Connection], object] | None = None,
    ) -> None:
        """Add a body; it is on disk when this returns.

        Args:
            body: What to add.
            droppable: Whether it may be dropped when the spool is full.
            also: What else belongs to the same transaction.

        Raises:
            DiskFull: There is no room for it, and nothing was written.
        """
        now = self._clock.now()

        def act(db: sqlite3.Connection) -> None:
            insert(db, self.store, body, droppable=droppable, now=now)
            if also is not None:
                also(db)

        await self._database.write(act)
        self._add(body, now)

    async def append_over_oldest(self, body: Body) -> int:
        """Add a droppable body in the place of the oldest ones; return how many points these held.

        The transaction frees as much as it takes, so it works on a full disk.

        Raises:
            DiskFull: There is no room even so, and nothing was changed.
        """
        now, size = self._clock.now(), len(body.data)
        async with self._choosing:
            checked_out = self._checked_out

            def act(db: sqlite3.Connection) -> tuple[tuple[int, int, int], float | None]:
                ids = _droppable(db, self.store, size, checked_out)
                removed = _delete(db, ids, aside="")
                if removed[2] < size:
                    raise DiskFull(f"spool of {self.store}: nothing left to drop for {size} bytes")
                insert(db, self.store, body, droppable=True, now=now)
                return removed, _oldest_at(db, self.store)

            removed, oldest_at = await self._database.write(act, on_full="use_ballast")
            self._forget(*removed)
            self._add(body, now)
            self.holds = replace(self.holds, oldest_at=oldest_at)
        return removed[1]

    def _add(self, body: Body, now: float) -> None:
        held = self.holds
        self.holds = Contents(
            bodies=held.bodies + 1,
            points=held.points + body.points,
            size_bytes=held.size_bytes + len(body.data),
            horizon_us=_latest(held.horizon_us, body.last_us),
            oldest_at=now if held.oldest_at is None else held.oldest_at,
        )

    async def oldest(self, points: int, *, past: Collection[int] = ()) -> tuple[list[Spooled], int]:
        """Return the first bodies in the queue, with about so many points together.

        Bodies whose place is in ``past`` are left out, and are there for ``pick``.

        They are checked out until ``replace`` or ``check_in``, and not dropped meanwhile:
        points that are on their way to the store cannot be counted as dropped.

        Returns:
            The bodies, and how many points were lost in damaged ones just found.
        """
        async with self._choosing:
            found, damaged = await self._database.read(
                lambda db: _oldest(db, self.store, points, past)
            )
            self._checked_out = frozenset(each.id for each in found)
        lost = await self._remove(damaged, aside="checksum differs") if damaged else 0
        return found, lost

    async def try_disk(self) -> None:
        """Write something small, as a body would be written.

        Raises:
            StateError: The disk has no room, or fails.
        """
        await self._database.write(_touch)

    async def pick(self, places: Sequence[int]) -> list[Spooled]:
        """Return the bodies at some places that are still there, checked out."""
        async with self._choosing:
            found = await self._database.read(lambda db: _picked(db, places))
            self._checked_out |= {each.id for each in found}
        return found

    async def sample(self, *, past: Collection[int] = ()) -> list[Body]:
        """Return the newest body and one that is picked at random; nothing if none waits."""
        found = await self._database.read(lambda db: _sampled(db, self.store, past))
        return [each.body for each in found]

    async def replace(self, spooled: Sequence[Spooled], body: Body | None) -> None:
        """Take bodies out of the queue; put what is left of them in their place."""
        ids = [each.id for each in spooled]
        if body is None:
            await self._remove(ids)
        else:
            # One whose source keeps no copy any more makes the whole one that is never dropped.
            droppable = all(each.droppable for each in spooled)
            await self._shrink(ids, body, droppable=droppable)

    async def _shrink(self, ids: Sequence[int], body: Body, *, droppable: bool) -> None:
        """Put one body in the place of several, in one transaction."""
        first, *others = ids

        def act(db: sqlite3.Connection) -> tuple[int, int, int]:
            removed = _delete(db, others, aside="")
            before = _weight(db, first)
            _update(db, first, body, droppable=droppable)
            return (
                removed[0],
                removed[1] + before[0] - body.points,
                removed[2] + before[1] - len(body.data),
            )

        self._forget(*await self._database.write(act, on_full="use_ballast"))

    def check_in(self) -> None:
        """Take the bodies back that were checked out."""
        self._checked_out = frozenset()

    async def set_aside(self, spooled: Sequence[Spooled], why: str) -> int:
        """Take bodies that cannot be sent out of the queue, and keep them; return their points."""
        return await self._remove([each.id for each in spooled], aside=why)

    async def drop_oldest(self, size_bytes: int) -> int:
        """Drop droppable bodies until that much is free; return how many points they held."""
        async with self._choosing:
            checked_out = self._checked_out
            ids = await self._database.read(
                lambda db: _droppable(db, self.store, size_bytes, checked_out)
            )
            return await self._remove(ids)

    async def expire(self, before: float) -> int:
        """Drop bodies spooled before a time (Unix seconds); return how many points they held."""
        if self.holds.oldest_at is None or self.holds.oldest_at >= before:
            return 0
        ids = await self._database.read(lambda db: _spooled_before(db, self.store, before))
        return await self._remove(ids)

    async def _remove(self, ids: Sequence[int], *, aside: str = "") -> int:
        (bodies, points, size), oldest_at = await self._database.write(
            lambda db: (_delete(db, ids, aside=aside), _oldest_at(db, self.store)),
            on_full="use_ballast",
        )
        self._forget(bodies, points, size)
        self.holds = replace(self.holds, oldest_at=oldest_at if self.holds.bodies else None)
        return points

    def _forget(self, bodies: int, points: int, size_bytes: int) -> None:
        held = self.holds
        left = held.bodies - bodies
        self.holds = Contents(
            bodies=left,
            points=held.points - points,
            size_bytes=held.size_bytes - size_bytes,
            horizon_us=held.horizon_us if left else None,
            oldest_at=held.oldest_at if left else None,
        )


def _latest(*times_us: int | None) -> int | None:
    return max((each for each in times_us if each is not None), default=None)


def contents(db: sqlite3.Connection, store: str) -> Contents:
    """Add up the spool of a store."""
    row = db.execute(
        f"SELECT count(*), coalesce(sum({_POINTS}), 0), coalesce(sum({_BYTES}), 0),"  # noqa: S608 -- our own words
        " max(CAST(last_us AS INTEGER)), min(CAST(spooled_at AS REAL))"
        " FROM spool WHERE store = ?",
        (store,),
    ).fetchone()
    return Contents(*row)


def stores(db: sqlite3.Connection) -> list[str]:
    """Name the stores that something is spooled for."""
    rows = db.execute("SELECT DISTINCT store FROM spool ORDER BY store")
    return [name for (name,) in rows if is_text(name)]


def insert(db: sqlite3.Connection, store: str, body: Body, *, droppable: bool, now: float) -> None:
    """Add a body to the end of a store's queue."""
    db.execute(
        "INSERT INTO spool (store, droppable, points, first_us, last_us, bytes, spooled_at,"
        " crc, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            store,
            droppable,
            body.points,
            body.first_us,
            body.last_us,
            len(body.data),
            now,
            zlib.crc32(body.data),
            body.data,
        ),
    )


def _oldest(
    db: sqlite3.Connection, store: str, points: int, past: Collection[int]
) -> tuple[list[Spooled], list[int]]:
    found: list[Spooled] = []
    damaged: list[int] = []
    for row in db.execute(f"{WHOLE} WHERE store = ? ORDER BY id", (store,)):
        if row[0] in past:
            continue
        spooled = _spooled(row)
        if spooled is None:
            damaged.append(row[0])
            continue
        if found and spooled.body.points > points:
            break
        found.append(spooled)
        points -= spooled.body.points
        if points <= 0:
            break
    return found, damaged


def _spooled(row: Sequence[Any]) -> Spooled | None:
    """Return what a row of ``WHOLE`` holds, or None if it is damaged."""
    row_id, data, *numbers = row
    if not all(type(number) is int for number in numbers) or zlib.crc32(data) != numbers[-1]:
        return None
    count, first_us, last_us, droppable, _ = numbers
    return Spooled(row_id, Body(data, count, first_us, last_us), bool(droppable))


def _picked(db: sqlite3.Connection, places: Sequence[int]) -> list[Spooled]:
    rows = (db.execute(f"{WHOLE} WHERE id = ?", (place,)).fetchone() for place in places)
    return [spooled for row in rows if row and (spooled := _spooled(row))]


def _sampled(db: sqlite3.Connection, store: str, past: Collection[int]) -> list[Spooled]:
    rows = db.execute("SELECT id FROM spool WHERE store = ?", (store,))
    ids = [row_id for (row_id,) in rows if row_id not in past]
    return _picked(db, [max(ids), random.choice(ids)]) if ids else []  # noqa: S311


def _touch(db: sqlite3.Connection) -> None:
    db.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('disk_tried', x'')")


def _weight(db: sqlite3.Connection, row_id: int) -> tuple[int, int]:
    """Return how many points and bytes a body has."""
    points, size = db.execute(
        f"SELECT {_POINTS}, {_BYTES} FROM spool WHERE id = ?",  # noqa: S608 -- our own words
        (row_id,),
    ).fetchone()
    return points, size


def _update(db: sqlite3.Connection, row_id: int, body: Body, *, droppable: bool) -> None:
    db.execute(
        "UPDATE spool SET data = ?, crc = ?, points = ?, bytes = ?, first_us = ?, last_us = ?,"
        " droppable = ? WHERE id = ?",
        (
            body.data,
            zlib.crc32(body.data),
            body.points,
            len(body.data),
            body.first_us,
            body.last_us,
            droppable,
            row_id,
        ),
    )


def _delete(db: sqlite3.Connection, ids: Sequence[int], *, aside: str) -> tuple[int, int, int]:
    bodies = points = size = 0
    for row_id in ids:
        row = db.execute(
            f"SELECT {_POINTS}, {_BYTES}, store, CAST(data AS BLOB) FROM spool WHERE id = ?",  # noqa: S608 -- our own words
            (row_id,),
        ).fetchone()
        if row is None:
            continue
        if aside:
            key = f"{row[2]}/{row_id}"
            move_aside(db, [DamagedRow("spool", {"id": row_id}, key, row[3], aside)])
        db.execute("DELETE FROM spool WHERE id = ?", (row_id,))
        bodies, points, size = bodies + 1, points + row[0], size + row[1]
    return bodies, points, size


def _oldest_at(db: sqlite3.Connection, store: str) -> float | None:
    row = db.execute(
        "SELECT coalesce(CAST(spooled_at AS REAL), 0) FROM spool"
        " WHERE store = ? ORDER BY id LIMIT 1",
        (store,),
    ).fetchone()
    return None if row is None else float(row[0])


def _droppable(
    db: sqlite3.Connection, store: str, size_bytes: int, checked_out: frozenset[int]
) -> list[int]:
    ids = []
    for row_id, size in db.execute(
        f"SELECT id, {_BYTES} FROM spool WHERE store = ? AND droppable ORDER BY id",  # noqa: S608 -- our own words
        (store,),
    ):
        if size_bytes <= 0:
            break
        if row_id not in checked_out:
            ids.append(row_id)
            size_bytes -= size
    return ids


def _spooled_before(db: sqlite3.Connection, store: str, before: float) -> list[int]:
    rows = db.execute(
        "SELECT id FROM spool WHERE store = ? AND spooled_at < ? ORDER BY id", (store, before)
    )
    return [row_id for (row_id,) in rows]
