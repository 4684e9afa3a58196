"""What the daemon remembers of its collectors: state, hidden, masks, run records, series.

A collector's memory is one row with a checksum. A row that does not match it is
set aside, and the collector begins with nothing: its source is read again from
the beginning, which repeats but skips nothing.
"""

import asyncio
import hashlib
import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final, Self

from ingestd.clock import Clock
from ingestd.contract import Memory
from ingestd.disk import DamagedRow, Database, is_moment, mend_rows, move_aside
from ingestd.errors import StateError
from ingestd.health import PaceKept, SeriesKey
from ingestd.model import Series
from ingestd.records.memories import decode, encode, put, raw_rows, set_row_aside
from ingestd.records.runs import (
    RunRecord,
    find_run,
    first_runs,
    insert_runs,
    list_runs,
    newest_run,
    prune_runs,
    recent_outcomes,
    take_up_runs,
)
from ingestd.records.series import Named, Paces, SeriesNotes, load_paces

Tell = Callable[[str], None]

KEY_BYTES: Final = 32
RECORDS_WAIT: Final = 5.0  # seconds; what a kill may cost
MOST_RECORDS_WAITING: Final = 10_000  # records, while the disk is full; the oldest go first
PRUNE_EVERY: Final = 20  # runs of a collector
PRUNE_AT_ONCE: Final = 100  # collectors: a tenth of a second, in which other writes wait


def _tell_nothing(_problem: str) -> None:
    """Leave a problem untold, where there is no log."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What was found for a collector.

    Attributes:
        memory: Empty if there was nothing, or if that was damaged.
        changed: When it was committed, in seconds since the Unix epoch, or None.
        damage: Why it was set aside, or an empty string. To be logged as an error.
    """

    memory: Memory = field(default_factory=Memory)
    changed: float | None = None
    damage: str = ""


class StateStore:
    """Memories and run records in the state database."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        key: bytes,
        last: Mapping[str, RunRecord],
        run: int,
        tell: Tell = _tell_nothing,
    ) -> None:
        self._database, self._clock, self._key = database, clock, key
        self._last = dict(last)
        self._run = run
        self._tell = tell
        self._waiting: dict[int, RunRecord] = {}
        self._series = SeriesNotes()
        self._unpruned: Counter[str] = Counter()
        self._timer: asyncio.TimerHandle | None = None
        self._flushing: asyncio.Task[None] | None = None
        self._one_at_a_time = asyncio.Lock()

    @classmethod
    async def open(cls, database: Database, clock: Clock, *, tell: Tell = _tell_nothing) -> Self:
        """Learn what a former daemon left.

        Args:
            database: The state database.
            clock: Where the time comes from.
            tell: Called with what is to be logged as an error: rows that are damaged.

        Raises:
            StateError: The database failed.
        """
        key, last, damaged = await database.write(_take_up, on_full="use_ballast")
        run = await database.read(newest_run)
        for row in damaged:
            tell(str(row))
        last_runs = {record.collector: record for record in last}
        return cls(database, clock, key=key, last=last_runs, run=run, tell=tell)

    async def close(self) -> None:
        """Write the records and notes that still wait."""
        if self._flushing is not None:
            await asyncio.wait([self._flushing])
        if self._timer is not None:
            self._timer.cancel()
        with suppress(StateError):  # told, not promised
            await self.flush()

    def fingerprint(self, value: Any) -> str:
        """Return a mark of a param's value, from which it cannot be guessed without our key."""
        text = repr(_canonical(value)).encode()
        return hashlib.blake2b(text, key=self._key, digest_size=16).hexdigest()

    async def load(self, collector: str) -> Kept:
        """Return what is kept for a collector, setting it aside if it is damaged.

        Raises:
            StateError: The database failed.
        """
        found = await self._load(collector)
        return next(iter(found.values()), Kept())

    async def load_all(self) -> dict[str, Kept]:
        """Return what is kept for every collector there has been, by name.

        Raises:
            StateError: The database failed.
        """
        return await self._load(None)

    async def commit(self, collector: str, memory: Memory) -> None:
        """Replace what is kept for a collector; it is on disk when this returns.

        Raises:
            ResultError: Something in it cannot be kept.
            DiskFull: There is no room, and nothing was written.
            StateError: The database failed.
        """
        row = encode(collector, memory, now=self._clock.now())
        await self._database.write(partial(put, row=row), on_full="use_ballast")

    async def reset(self, collector: str, *, masks: bool = False) -> bool:
        """Forget a collector's state and hidden, and its masks if asked to.

        Returns:
            Whether there was anything to forget.
        """
        before = (await self.load(collector)).memory
        after = Memory(masks={} if masks else before.masks)
        if before == after:
            return False
        await self.commit(collector, after)
        return True

    async def limits(self) -> bytes:
        """Return what was kept of the limits of requests, or nothing.

        Raises:
            StateError: The database failed.
        """
        return await self._database.read(_limits)

    async def keep_limits(self, limits: bytes) -> None:
        """Replace what is kept of the limits of requests; it is on disk when this returns.

        Raises:
            StateError: The database failed.
        """
        await self._database.write(partial(_put_limits, limits))

    def add_run(self, record: RunRecord) -> int:
        """Keep the record of a run that has ended, within seconds; return its number."""
        self._run += 1
        record = replace(record, id=self._run)
        if record.requested is None:
            self._last[record.collector] = record
        self._waiting[record.id] = record
        if len(self._waiting) > MOST_RECORDS_WAITING:
            del self._waiting[next(iter(self._waiting))]
        self._flush_later()
        return record.id

    def note_series(self, collector: str, series: Series) -> None:
        """Note that a collector has given a series, within seconds."""
        if self._series.add(collector, series):
            self._flush_later()

    async def series(self, collector: str) -> list[Named]:
        """Return the series that a collector has given, sorted.

        Raises:
            StateError: The database failed.
        """
        found, damaged = await self._series.listed(self._database, collector)
        await self._set_aside(damaged)
        return found

    async def paces(self) -> tuple[dict[str, Paces], dict[str, float]]:
        """Return what a former daemon left of series, and when collectors ran first.

        Both are by the name of the collector.

        Raises:
            StateError: The database failed.
        """
        paces, damaged = await self._database.read(load_paces)
        await self._set_aside(damaged)
        return paces, await self._database.read(first_runs)

    def keep_paces(self, collector: str, paces: Mapping[SeriesKey, PaceKept]) -> None:
        """Keep how far some series of a collector have come, within seconds."""
        self._series.keep(collector, paces, seen_at=self._clock.now())
        self._flush_later()

    async def forget_series(self, collector: str, key: SeriesKey) -> bool:
        """Forget a series of a collector; return whether it was known.

        Raises:
            StateError: The database failed.
        """
        return await self._series.forget(self._database, collector, key)

    async def flush(self) -> None:
        """Write the records and notes that wait.

        Raises:
            StateError: They could not be written, and go on waiting.
        """
        async with self._one_at_a_time:
            records = list(self._waiting.values())
            unpruned = self._unpruned + Counter(record.collector for record in records)
            most = unpruned.most_common(PRUNE_AT_ONCE)
            due = [name for name, number in most if number >= PRUNE_EVERY]
            await self._database.write(partial(_write_runs, records, due, self._clock.now()))
            self._unpruned = Counter({name: unpruned[name] for name in unpruned.keys() - due})
            for record in records:
                self._waiting.pop(record.id, None)
            await self._series.write(self._database)

    async def runs(
        self,
        collector: str | None = None,
        *,
        limit: int,
        before: int | None = None,
        failing: bool = False,
    ) -> list[RunRecord]:
        """Return the newest runs, newest first.

        Args:
            collector: The collector that ran, or None for all.
            limit: How many at most.
            before: Only those with a lower number, for the next page.
            failing: Whether only those that failed are wanted.

        Raises:
            StateError: The database failed.
        """
        below = before or self._run + 1
        waiting = {
            number: record
            for number, record in self._waiting.items()
            if number < below
            and collector in (None, record.collector)
            and (record.failed or not failing)
        }
        written, damaged = await self._database.read(
            partial(list_runs, collector=collector, limit=limit, before=below, failing=failing)
        )
        await self._set_aside(damaged)
        found = {record.id: record for record in written} | waiting
        return [found[number] for number in sorted(found, reverse=True)[:limit]]

    async def recent(self, collectors: Sequence[str], *, most: int) -> dict[str, list[str]]:
        """Return how the newest scheduled runs of some collectors ended, the newest last.

        Args:
            collectors: Whose.
            most: How many of each.

        Raises:
            StateError: The database failed.
        """
        written = await self._database.read(
            partial(recent_outcomes, collectors=collectors, most=most)
        )
        found = {name: dict(each) for name, each in written.items()}
        for record in self._waiting.values():
            if record.collector in found and record.requested is None:
                found[record.collector][record.id] = record.outcome.value
        return {name: [each[n] for n in sorted(each)[-most:]] for name, each in found.items()}

    async def run(self, run_id: int) -> RunRecord | None:
        """Return one run, or None if there is none of that number any more."""
        if run_id in self._waiting:
            return self._waiting[run_id]
        found, damaged = await self._database.read(partial(find_run, run_id=run_id))
        await self._set_aside(damaged)
        return next(iter(found), None)

    def last_runs(self) -> dict[str, RunRecord]:
        """Return the last run of every collector that ever ran, by name."""
        return dict(self._last)

    async def _load(self, collector: str | None) -> dict[str, Kept]:
        rows = await self._database.read(partial(raw_rows, collector=collector))
        found = {}
        for rowid, raw, crc, changed in rows:
            name = raw[0].decode(errors="replace")
            try:
                found[name] = Kept(decode(raw, crc), changed if is_moment(changed) else None)
            except StateError as exc:
                found[name] = Kept(damage=f"{exc}; set aside, it begins with an empty state")
                damaged = partial(set_row_aside, rowid=rowid, raw=raw, error=str(exc))
                await self._database.write(damaged, on_full="use_ballast")
        return found

    async def _set_aside(self, damaged: Sequence[DamagedRow]) -> None:
        if damaged:
            await self._database.write(partial(move_aside, rows=damaged), on_full="use_ballast")
        for row in damaged:
            self._tell(str(row))

    def _start_flush(self) -> None:
        self._timer = None
        self._flushing = asyncio.create_task(self._flush_or_wait(), name="ingestd.run-records")

    async def _flush_or_wait(self) -> None:
        try:
            await self.flush()
        except StateError:
            # A committer meets the same error, and logs it.
            self._flush_later()

    def _flush_later(self) -> None:
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(RECORDS_WAIT, self._start_flush)


def _canonical(value: Any) -> Any:
    """Return what is equal for values that an operator would call the same."""
    if isinstance(value, Mapping):
        return sorted((repr(key), repr(_canonical(item))) for key, item in value.items())
    if isinstance(value, list | tuple):
        return [_canonical(item) for item in value]
    return value


def _fingerprint_key(db: sqlite3.Connection) -> tuple[bytes, list[DamagedRow]]:
    select = "SELECT value FROM meta WHERE key = 'fingerprint_key'"
    row = db.execute(select).fetchone()
    if row is not None and not (isinstance(row[0], bytes) and len(row[0]) == KEY_BYTES):
        # Nothing of the value: it may be most of the key.
        damaged = DamagedRow(
            "meta", {"key": "fingerprint_key"}, "fingerprint_key", None,
            "expected 32 bytes; params that plugins have deleted come back",
        )  # fmt: skip
        move_aside(db, [damaged])
        row = None
    else:
        damaged = None
    if row is None:
        row = (os.urandom(KEY_BYTES),)
        db.execute("INSERT INTO meta VALUES ('fingerprint_key', ?)", row)
    return bytes(row[0]), [damaged] if damaged else []


def _limits(db: sqlite3.Connection) -> bytes:
    row = db.execute("SELECT value FROM meta WHERE key = 'http_limits'").fetchone()
    return row[0] if row is not None and isinstance(row[0], bytes) else b""


def _put_limits(limits: bytes, db: sqlite3.Connection) -> None:
    db.execute("INSERT OR REPLACE INTO meta VALUES ('http_limits', ?)", (limits,))


def _take_up(db: sqlite3.Connection) -> tuple[bytes, list[RunRecord], list[DamagedRow]]:
    """Return the key and the last runs, and move aside what is damaged; for a write."""
    mended = mend_rows(db)
    key, of_key = _fingerprint_key(db)
    last, of_runs = take_up_runs(db)
    return key, last, [*mended, *of_key, *of_runs]


def _write_runs(
    records: list[RunRecord], due: list[str], now: float, db: sqlite3.Connection
) -> None:
    insert_runs(db, records)
    for collector in due:
        prune_runs(db, collector, now=now)
