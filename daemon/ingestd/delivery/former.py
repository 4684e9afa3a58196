"""Stores that are not configured any more, and what still waits on disk for them.

Theory of operation. A store is known by its name, so one that is renamed leaves its spool behind.
The new name adopts it (``former:`` in the configuration), an operator moves or drops it, or the
old name comes back. Whichever it is, an old value must not overwrite a newer one: from the moment
that a name is gone, what it left may be corrected by what its successor is sent, and the horizon
of a spool is only looked at by the store that has it. So each former name has a *mark*: the
earliest time of any point that was given to a store since, down from the latest time in its
spool. The mark is on disk before that point is sent. When the spool is adopted, bodies from the
mark on may be older than what is stored. They are kept under another name, which no store can
have, until an operator has them sent all the same, or drops them.

Stores that were configured beside the one that has gone are other stores, so what they are sent
moves no mark.
"""

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from ingestd.delivery import deadletters, spool
from ingestd.delivery.spool import Contents
from ingestd.disk import Database
from ingestd.model import EARLIEST_US

GONE: Final = "no longer in the configuration"
OLDER: Final = "@older"  # no name of a store has such a sign


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """What a store has taken over from a former one.

    Attributes:
        spooled: What was in the spool.
        dead: How many dead letters.
        kept_back: How many spooled points may be older than what is stored, and were left.
    """

    spooled: Contents
    dead: int
    kept_back: int


@dataclass(slots=True, kw_only=True)
class FormerStore:
    """A store that has gone, with what moves its mark.

    Attributes:
        beside: The stores that were configured together with it.
        mark_us: The earliest time, in microseconds, of what was sent since; None for nothing.
        horizon_us: The latest time in its spool, likewise; None while that is not known yet.
    """

    beside: frozenset[str] = frozenset()
    mark_us: int | None = None
    horizon_us: int | None = None

    def is_moved_by(self, store: str, first_us: int) -> bool:
        """Say whether a store that is sent a point of that time may correct what waits here."""
        if store in self.beside or (self.mark_us is not None and self.mark_us <= first_us):
            return False
        return self.horizon_us is None or first_us <= self.horizon_us


class FormerStores:
    """All stores that have gone and have something in their spool, by name."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._by_name: dict[str, FormerStore] = {}

    async def remember(self, configured: Mapping[str, str | None]) -> None:
        """Find out at the start which stores have gone since, and note those there are.

        Args:
            configured: The name of each store, with the one that it had before, or None.

        Raises:
            StateError: The database failed.
        """
        if await self._database.read(lambda db: is_as_before(db, configured)):
            return
        self._by_name = await self._database.write(
            lambda db: remembered(db, configured), on_full="use_ballast"
        )

    def removed(self, name: str, beside: Iterable[str]) -> None:
        """Watch from now on over what a store leaves behind, which is still being spooled."""
        # Its own delivery is still bringing points to safety, in their order.
        self._by_name[name] = FormerStore(beside=frozenset({name, *beside}))

    async def ended(self, name: str) -> None:
        """Note on disk that a store has gone, now that all of its points are in its spool.

        Raises:
            StateError: The database failed.
        """
        if (former := self._by_name.get(name)) is None:
            return
        waiting = await self._database.read(lambda db: spool.contents(db, name))
        former.horizon_us = waiting.horizon_us
        if not waiting.bodies:
            self.forget(name)
            await self._database.write(lambda db: delete(db, name))
        else:
            await self._database.write(lambda db: save(db, name, former))

    async def note(self, store: str, first_us: int) -> None:
        """Move the marks of what a store's next points may correct; on disk when it returns.

        Raises:
            StateError: The database failed.
        """
        moved = {
            name: former
            for name, former in self._by_name.items()
            if former.is_moved_by(store, first_us)
        }
        if not moved:
            return

        def act(db: sqlite3.Connection) -> None:
            for name, former in moved.items():
                save(db, name, replace(former, mark_us=first_us))

        await self._database.write(act, on_full="use_ballast")
        for former in moved.values():
            former.mark_us = first_us

    def forget(self, name: str) -> None:
        """Watch no longer over a store: it came back, or nothing is left of it."""
        self._by_name.pop(name, None)


def left_behind(db: sqlite3.Connection, configured: Collection[str]) -> list[str]:
    """Say of each store that is not configured what waits for it, and what can be done."""
    gone = [name for name in spool.stores(db) if name not in configured]
    return [f"{name}: {said_of_former(name, spool.contents(db, name).points)}" for name in gone]


def said_of_former(name: str, points: int) -> str:
    """Say what a store that is not configured any more has left, and what can be done about it.

    Args:
        name: The store.
        points: How many points wait for it.
    """
    if not points:
        return GONE
    base = name.removesuffix(OLDER)
    readings = "1 reading" if points == 1 else f"{points:,} readings"
    waits, to = f"{GONE}; {readings} left", "STORE"
    if base != name:
        waits, to = f"{readings} that may be older than what is stored", f"{base} --overwrite"
    return (
        f"{waits}; ingestd spool move {name} {to} sends them, "
        f"ingestd spool drop {name} deletes them"
    )


def is_as_before(db: sqlite3.Connection, configured: Mapping[str, str | None]) -> bool:
    """Say whether the stores are those of the last time, and none has left anything."""
    rows = dict(db.execute("SELECT name, configured FROM stores").fetchall())
    return rows == dict.fromkeys(configured, 1) and configured.keys() >= set(spool.stores(db))


def needs_adoption(db: sqlite3.Connection, store: str, predecessor: str | None) -> bool:
    """Say whether a store comes back, or its former name has left anything."""
    there = "SELECT 1 FROM stores WHERE name = ? AND NOT configured"
    if db.execute(there, (store,)).fetchone():
        return True
    if predecessor is None:
        return False
    left = spool.contents(db, predecessor).bodies or deadletters.count(db, predecessor)
    known = db.execute("SELECT 1 FROM stores WHERE name = ?", (predecessor,)).fetchone()
    return bool(left or known)


def remembered(
    db: sqlite3.Connection, configured: Mapping[str, str | None]
) -> dict[str, FormerStore]:
    """Note which stores there are, and return those that have gone and left something."""
    rows = db.execute("SELECT name, configured FROM stores").fetchall()
    before = {name for name, there in rows if there}
    known = {name for name, _ in rows}
    waiting = {name for name in spool.stores(db) if not name.endswith(OLDER)}
    adopted = {former for former in configured.values() if former}
    for name in configured.keys() - known:
        db.execute("INSERT INTO stores (name, configured) VALUES (?, 1)", (name,))
    for name in known - configured.keys() - waiting - adopted:
        delete(db, name)
    gone = waiting - configured.keys() - adopted
    for name in gone & before:  # until now it was there
        save(db, name, FormerStore(beside=frozenset(before - {name})))
    for name in gone - known:  # from before there was this table
        save(db, name, FormerStore())
    return {name: read(db, name) for name in gone}


def read(db: sqlite3.Connection, name: str) -> FormerStore:
    """Return what is known of a store that has gone."""
    beside, mark_us = db.execute(
        "SELECT beside, mark_us FROM stores WHERE name = ?", (name,)
    ).fetchone()
    return FormerStore(
        beside=_names(beside),
        mark_us=None if mark_us is None else _mark(mark_us),
        horizon_us=spool.contents(db, name).horizon_us,
    )


def _names(text: object) -> frozenset[str]:
    """Return the names in a JSON list; a damaged one has none."""
    try:
        names = json.loads(text) if isinstance(text, str | bytes) else []
    except (ValueError, RecursionError):
        return frozenset()
    return frozenset(map(str, names)) if isinstance(names, list) else frozenset()


def _mark(value: object) -> int:
    """Return the earliest time that was sent; a damaged one is before everything that waits."""
    return value if isinstance(value, int) else EARLIEST_US


def save(db: sqlite3.Connection, name: str, former: FormerStore) -> None:
    """Write what is known of a store that has gone."""
    db.execute(
        "INSERT OR REPLACE INTO stores (name, configured, beside, mark_us) VALUES (?, 0, ?, ?)",
        (name, json.dumps(sorted(former.beside)), former.mark_us),
    )


def delete(db: sqlite3.Connection, name: str | bytes) -> None:
    """Forget a store that has gone and left nothing."""
    # A damaged name may be no text, or none that SQLite takes.
    raw = name if isinstance(name, bytes) else str(name).encode(errors="surrogateescape")
    db.execute("DELETE FROM stores WHERE CAST(name AS BLOB) = ?", (raw,))


def adopt(
    db: sqlite3.Connection, store: str, names: Collection[str], *, overwrite: bool = False
) -> Adopted:
    """Give a store what waits for others that have gone, or for itself when it comes back.

    Args:
        db: In a write.
        store: The name of a store that is configured.
        names: Those of the others, and perhaps its own.
        overwrite: Whether to take also what may be older than what is stored.
    """
    bodies = points = size = dead = kept_back = 0
    horizon_us: int | None = None
    oldest_at: float | None = None
    for name in names:
        if not overwrite:
            kept_back += keep_back(db, name)
        if name == store:
            continue
        held = spool.contents(db, name)
        bodies, points, size = bodies + held.bodies, points + held.points, size + held.size_bytes
        horizon_us = max(
            (each for each in (horizon_us, held.horizon_us) if each is not None), default=None
        )
        oldest_at = min(
            (each for each in (oldest_at, held.oldest_at) if each is not None), default=None
        )
        dead += deadletters.count(db, name)
        db.execute("UPDATE spool SET store = ? WHERE store = ?", (store, name))
        db.execute("UPDATE dead_letters SET store = ? WHERE store = ?", (store, name))
        delete(db, name)
    db.execute("INSERT OR REPLACE INTO stores (name, configured) VALUES (?, 1)", (store,))
    spooled = Contents(bodies, points, size, horizon_us, oldest_at)
    return Adopted(spooled=spooled, dead=dead, kept_back=kept_back)


def keep_back(db: sqlite3.Connection, name: str) -> int:
    """Put what may be older than what is stored under another name; return its points."""
    row = db.execute(
        "SELECT mark_us FROM stores WHERE name = ? AND NOT configured", (name,)
    ).fetchone()
    if row is None or row[0] is None:
        return 0
    mark_us = _mark(row[0])
    (points,) = db.execute(
        "SELECT CAST(total(max(CAST(points AS INTEGER), 1)) AS INTEGER) FROM spool"
        " WHERE store = ? AND CAST(last_us AS INTEGER) >= ?",
        (name, mark_us),
    ).fetchone()
    db.execute(
        "UPDATE spool SET store = ? WHERE store = ? AND CAST(last_us AS INTEGER) >= ?",
        (f"{name}{OLDER}", name, mark_us),
    )
    return int(points)


def drop(db: sqlite3.Connection, name: str) -> int:
    """Delete what waits for a store that has gone; return how many points those were."""
    points = spool.contents(db, name).points
    db.execute("DELETE FROM spool WHERE store = ?", (name,))
    delete(db, name)
    return points


def first_body(db: sqlite3.Connection, name: str) -> bytes | None:
    """Return the body that has waited longest for a store, or None."""
    row = db.execute(
        "SELECT CAST(data AS BLOB) FROM spool WHERE store = ? ORDER BY id LIMIT 1", (name,)
    ).fetchone()
    return None if row is None else bytes(row[0])
