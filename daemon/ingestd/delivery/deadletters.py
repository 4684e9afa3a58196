"""Payloads that a store refused for good, kept with the reason."""

import sqlite3
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from ingestd.clock import Clock
from ingestd.disk import Database, is_moment, is_text
from ingestd.errors import UnsendablePayload
from ingestd.sinks import Sink

PAGE: Final = 1000  # dead letters that are moved together
# What stands in a damaged one is shown as it is, and the store refuses it again.
_SELECT: Final = (
    "SELECT id, store, coalesce(CAST(at AS REAL), 0), coalesce(CAST(reason AS TEXT), ''),"
    " coalesce(CAST(payload AS BLOB), x'') FROM dead_letters"
)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One refused point.

    Attributes:
        id: Its number, for retry and purge.
        store: The store that refused it.
        at: When, in seconds since the Unix epoch.
        reason: In the store's own words, or ours.
        payload: The point as it would have been sent.
    """

    id: int
    store: str
    at: float
    reason: str
    payload: bytes

    def as_dict(self) -> dict[str, Any]:
        """Return the letter for a listing."""
        return {
            "id": self.id,
            "store": self.store,
            "at": self.at,
            "reason": self.reason,
            "payload": self.payload.decode(errors="replace"),
        }


class DeadLetters:
    """The dead letters of one store."""

    def __init__(self, database: Database, store: str, *, clock: Clock) -> None:
        self._database, self.store, self._clock = database, store, clock
        self.count = 0

    async def open(self) -> None:
        """Learn what a former daemon left."""
        self.count = await self._database.read(lambda db: count(db, self.store))

    async def add(self, refused: Sequence[tuple[bytes, str]]) -> None:
        """Keep payloads with the reason of each.

        Raises:
            DiskFull: There is no room for them, and nothing was written.
        """
        now = self._clock.now()
        rows = [(self.store, now, reason, payload) for payload, reason in refused]
        await self._database.write(partial(insert, rows=rows))
        self.count += len(rows)

    async def listed(self, *, after: int = 0, limit: int = 100) -> list[DeadLetter]:
        """Return dead letters in the order of their numbers, beginning after one."""
        return await self._database.read(
            lambda db: listed(db, store=self.store, after=after, limit=limit)
        )

    async def remove(self, ids: Sequence[int]) -> int:
        """Forget dead letters; return how many there were."""
        count = await self._database.write(lambda db: delete(db, ids), on_full="use_ballast")
        self.removed(count)
        return count

    def removed(self, count: int) -> None:
        """Note that so many have been deleted, in a transaction of something else."""
        self.count -= count


async def pages(
    database: Database, store: str, ids: Sequence[int] | None
) -> AsyncIterator[list[DeadLetter]]:
    """Yield those of a store's dead letters that have some numbers, page by page.

    Without numbers all that are there now, so that those it refuses again meanwhile do
    not come up for ever.
    """
    read = database.read
    if ids is not None:
        for start in range(0, len(ids), PAGE):
            yield await read(partial(found, store=store, ids=ids[start : start + PAGE]))
        return
    last, after = await read(newest), 0
    while page := await read(partial(listed, store=store, after=after, limit=PAGE)):
        after = page[-1].id
        letters = [each for each in page if each.id <= last]
        if not letters:
            return
        yield letters


def sendable(sink: Sink, letters: Sequence[DeadLetter]) -> tuple[list[DeadLetter], bytes]:
    """Return the letters that a kind of store can be sent, and a body of them; takes a while."""
    good = [each for each in letters if is_sendable(sink, each.payload)]
    return good, sink.join([each.payload for each in good]) if good else b""


def is_sendable(sink: Sink, payload: bytes) -> bool:
    """Say whether a kind of store can be sent a payload."""
    try:
        sink.join([payload])
    except UnsendablePayload:
        return False
    return True


def insert(db: sqlite3.Connection, rows: Sequence[tuple[str, float, str, bytes]]) -> None:
    """Keep payloads, each with its store, the time of its refusal and the reason."""
    db.executemany(
        "INSERT INTO dead_letters (store, at, reason, payload) VALUES (?, ?, ?, ?)", rows
    )


def count(db: sqlite3.Connection, store: str) -> int:
    """Count the dead letters of a store."""
    row = db.execute("SELECT count(*) FROM dead_letters WHERE store = ?", (store,)).fetchone()
    return int(row[0])


def by_reason(db: sqlite3.Connection, *, most: int) -> list[dict[str, Any]]:
    """Return how many dead letters there are for each store and reason, with the first of them.

    Args:
        db: The state database.
        most: How many groups at most; those with most letters come first.
    """
    rows = db.execute(
        "SELECT store, substr(coalesce(CAST(reason AS TEXT), ''), 1, 500) AS why, count(*),"
        " min(at), max(at), min(id) FROM dead_letters GROUP BY store, why"
        " ORDER BY count(*) DESC LIMIT ?",
        (most,),
    ).fetchall()
    groups = []
    for store, reason, number, first, last, first_id in rows:
        (payload,) = db.execute(
            "SELECT coalesce(substr(CAST(payload AS BLOB), 1, 500), x'') FROM dead_letters"
            " WHERE id = ?",
            (first_id,),
        ).fetchone()
        groups.append(
            {
                "store": str(store),
                "reason": reason,
                "count": number,
                "first": first if is_moment(first) else None,
                "last": last if is_moment(last) else None,
                "sample": payload.decode(errors="replace"),
            }
        )
    return groups


def listed(
    db: sqlite3.Connection, *, store: str | None = None, after: int = 0, limit: int = 100
) -> list[DeadLetter]:
    """Return dead letters in the order of their numbers, beginning after one."""
    rows = db.execute(
        f"{_SELECT} WHERE id > ? AND (? IS NULL OR store = ?) ORDER BY id LIMIT ?",
        (after, store, store, limit),
    )
    return [DeadLetter(*row) for row in rows]


def newest(db: sqlite3.Connection) -> int:
    """Return the number of the last dead letter, or 0."""
    (last,) = db.execute("SELECT coalesce(max(id), 0) FROM dead_letters").fetchone()
    return int(last)


def found(db: sqlite3.Connection, store: str, ids: Sequence[int]) -> list[DeadLetter]:
    """Return those of some numbers that are a store's dead letters."""
    select = f"{_SELECT} WHERE id = ? AND store = ?"
    rows = (db.execute(select, (row_id, store)).fetchone() for row_id in sorted(set(ids)))
    return [DeadLetter(*row) for row in rows if row is not None]


def stores(db: sqlite3.Connection) -> list[str]:
    """Name the stores that have dead letters."""
    rows = db.execute("SELECT DISTINCT store FROM dead_letters ORDER BY store")
    return [name for (name,) in rows if is_text(name)]


def delete(db: sqlite3.Connection, ids: Sequence[int]) -> int:
    """Forget dead letters by number; return how many there were."""
    return sum(
        db.execute("DELETE FROM dead_letters WHERE id = ?", (row_id,)).rowcount for row_id in ids
    )
