"""Answers from the files, where no daemon serves an API.

Looking needs no lock: it works beside a daemon with ``listen: off`` too. Whatever
changes something takes the state directory, as a daemon would.
"""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import closing
from functools import partial
from typing import Final, TypeVar

from ingestd import __version__
from ingestd.backfilling import OVER, Status
from ingestd.backfilling import records as backfillrecords
from ingestd.cli.backend import Follow, Json, Wanted
from ingestd.cli.exitcodes import CommandError
from ingestd.cli.loading import loader_for
from ingestd.cli.settings import known
from ingestd.cli.statedir import held, refuse_foreign_root
from ingestd.clock import SystemClock
from ingestd.config import CollectorConfig, Config, StoreConfig
from ingestd.contract import Memory
from ingestd.delivery import deadletters, spool
from ingestd.disk import MIGRATIONS, Database, Holder, migrate, open_reader, translate
from ingestd.errors import StateError
from ingestd.model import MICROSECONDS, Body
from ingestd.records import FAILED_OUTCOMES, StateStore, decode, list_series, raw_rows
from ingestd.records import runs as runrecords
from ingestd.redaction import Redactor
from ingestd.web import latest_json, remembered_json, schedule_text, shown

PAGE: Final = 1000  # dead letters in one transaction
MOST_BACKFILLS: Final = 1000
MOST_RUNS: Final = 2**63 - 1  # beyond the number of any run

T = TypeVar("T")


class Offline:
    """Looks into the files.

    Args:
        config: What the operator wrote.
        holder: The daemon that holds the state directory but serves no API, or None.
    """

    def __init__(self, config: Config, holder: Holder | None) -> None:
        self._config, self._holder = config, holder
        self._path = config.daemon.state_dir / "state.db"
        self._redactor = Redactor(config.secrets)

    async def status(self) -> Json:
        """Say what the files tell."""
        last = [each["last_run"] for each in await self.collectors() if each["last_run"]]
        failing = [record for record in last if record["outcome"] in FAILED_OUTCOMES]
        return {
            "version": __version__,
            "pid": self._holder.pid if self._holder else None,
            "started": self._holder.started if self._holder else None,
            "uptime": time.time() - self._holder.started if self._holder else None,
            "config": {
                "path": str(self._config.files[0]),
                "last_reload": "",
                "ok": True,
                "refused_at": None,
                "loaded_at": None,
            },
            "state_dir": str(self._config.daemon.state_dir),
            "stopping": False,
            "buffer": {"points": 0, "capacity": self._config.buffer.points, "paused": []},
            "stores": self._read(self._stores),
            "collectors": {
                "total": len(self._config.collectors),
                "running": 0,
                "failing": len(failing),
            },
            "backfills": [each for each in await self.backfills() if each["status"] not in OVER],
        }

    async def collectors(self) -> list[Json]:
        """List the configured collectors with their last runs."""
        records = self._read(runrecords.latest_runs)
        last = {record.collector: record.as_dict() for record in records}
        return [self._collector(each, last) for each in self._config.collectors.values()]

    async def run_now(self, collector: str) -> Json:
        """Run a collector in this process, its readings on their real way."""
        from ingestd.cli.headless import run_once  # noqa: PLC0415 -- takes its time

        refuse_foreign_root(self._config.daemon.state_dir)
        return await run_once(self._config, self._known(collector))

    async def runs(self, *, collector: str | None, limit: int) -> list[Json]:
        """List runs, the newest first."""

        def listed(db: sqlite3.Connection) -> list[Json]:
            before = runrecords.newest_run(db) + 1
            found = runrecords.list_runs(db, collector=collector, limit=limit, before=before)
            return [record.as_dict() for record in found]

        return self._read(listed)

    async def run(self, run_id: int) -> Json:
        """Return the record of one run."""
        record = self._read(lambda db: runrecords.find_run(db, run_id))
        if record is None:
            raise CommandError(f"no run {run_id} on record; old ones are forgotten")
        return record.as_dict()

    async def state(self, collector: str) -> Json:
        """Return what is remembered for a collector, what is hidden only counted."""
        rows = self._read(lambda db: raw_rows(db, collector))
        if not rows:
            self._known(collector)
        memory = decode(rows[0][1], rows[0][2]) if rows else Memory()
        self._redactor.add(memory.hidden.values())
        last = self._read(
            lambda db: runrecords.list_runs(db, collector=collector, limit=1, before=MOST_RUNS)
        )
        return remembered_json(collector, memory, next(iter(last), None), self._redactor)

    async def reset(self, collector: str, *, masks: bool) -> None:
        """Forget that."""
        if not self._read(lambda db: raw_rows(db, collector)):
            self._known(collector)
        async with held(self._config.daemon.state_dir) as database:
            states = await StateStore.open(database, SystemClock())
            await states.reset(collector, masks=masks)
            await states.close()

    async def spool(self) -> list[Json]:
        """List what waits on disk for each store."""
        stores = self._read(self._stores)
        return [
            {"store": each["name"], **each["spool"], "health": each["health"]} for each in stores
        ]

    async def dead_letters(self, *, store: str | None, after: int, limit: int) -> list[Json]:
        """List dead letters in the order of their numbers."""
        found = self._read(lambda db: deadletters.listed(db, store=store, after=after, limit=limit))
        return [shown(each.as_dict(), self._redactor) for each in found]

    async def retry(self, store: str, ids: Sequence[int] | None) -> int:
        """Queue dead letters again; return how many."""
        from ingestd.sinks import make_sink  # noqa: PLC0415 -- takes its time

        config, clock = self._store(store), SystemClock()
        sink, queued = make_sink(config), 0
        async with held(self._config.daemon.state_dir) as database:
            queue = spool.Spool(
                database, store, limit_bytes=self._config.buffer.spool_bytes, clock=clock
            )
            async for letters in _letters(database, store, ids):
                if not letters:
                    continue
                payloads = [letter.payload for letter in letters]
                numbers = [letter.id for letter in letters]
                now_us = int(clock.now() * MICROSECONDS)
                body = Body(sink.join(payloads), len(payloads), 0, now_us)
                forget = partial(deadletters.delete, ids=numbers)
                await queue.append(body, droppable=False, also=forget)
                queued += len(letters)
        return queued

    async def purge(self, store: str, ids: Sequence[int] | None) -> int:
        """Forget dead letters; return how many."""
        purged = 0
        async with held(self._config.daemon.state_dir) as database:
            dead = deadletters.DeadLetters(database, store, clock=SystemClock())
            async for letters in _letters(database, store, ids):
                purged += await dead.remove([letter.id for letter in letters])
        return purged

    async def latest(self, *, within: float, series: str | None, store: str | None) -> list[Json]:
        """List the newest reading of each series that has one in so many seconds."""
        from ingestd.cli.stores import opened  # noqa: PLC0415 -- takes its time

        config = self._store(store or next(iter(self._config.stores)))
        since_us = int((time.time() - within) * MICROSECONDS)
        async with opened(config) as sink:
            points = await sink.latest(since_us=since_us) if sink else []
        return latest_json(points, self._config.catalogue, series)

    async def series(self, collector: str) -> list[Json]:
        """List the series that a collector has given."""
        found = self._read(lambda db: list_series(db, collector) if has(db, "series") else [])
        return [{"series": name, "tags": dict(tags)} for name, tags in sorted(found)]

    async def backfills(self, collector: str | None = None) -> list[Json]:
        """List the backfills of one collector, or of all, the newest first."""

        def listed(db: sqlite3.Connection) -> list[Json]:
            found = backfillrecords.listed(db, collector=collector, limit=MOST_BACKFILLS)
            for record in found:
                if not record.over and not self._holder:
                    record.status, record.why = Status.PAUSED, "no daemon runs"
            return [record.as_dict() for record in found]

        return self._read(lambda db: listed(db) if has(db, "backfills") else [])

    async def backfill(self, wanted: Wanted, follow: Follow | None) -> Json:
        """Read it in this process, for as long as that takes."""
        from ingestd.cli.headless import backfill_here  # noqa: PLC0415 -- takes its time

        collector = self._known(wanted.collector)
        if follow is None:
            raise CommandError(f"{wanted.collector}: no daemon runs that it could be left to")
        refuse_foreign_root(self._config.daemon.state_dir)
        return await backfill_here(self._config, collector, wanted, follow)

    async def cancel_backfill(self, number: int) -> Json:
        """Give up a backfill, and return how far it came."""

        def cancelled(db: sqlite3.Connection) -> Json:
            record = backfillrecords.find(db, number)
            if record is None or record.over:
                raise CommandError(f"backfill {number}: is over already")
            record.status, record.why, record.ended = Status.CANCELLED, "", time.time()
            backfillrecords.update(db, backfillrecords.encode(record))
            return record.as_dict()

        async with held(self._config.daemon.state_dir) as database:
            return await database.write(cancelled, on_full="use_ballast")

    async def plugins(self) -> list[Json]:
        """List the plugins that have a name."""
        config = self._config
        loader = loader_for(config)
        return [
            {
                "name": each.name,
                "path": str(each.path),
                "kind": each.kind.value if each.kind else None,
                "summary": each.summary,
                "error": each.error,
            }
            for each in await asyncio.to_thread(loader.available)
        ]

    async def reload(self) -> Json:
        """Say that there is nobody to reload."""
        where = self._config.daemon.state_dir
        if self._holder:
            text = f"process {self._holder.pid} has no API (listen: off); send it SIGHUP"
            raise CommandError(f"{where}: {text}")
        raise CommandError(f"{where}: no daemon runs there")

    # -- the state database

    def _read(self, action: Callable[[sqlite3.Connection], T]) -> T:
        """Look into the state database; where there is none, into an empty one."""
        try:
            with closing(self._reader()) as db:
                return action(db)
        except sqlite3.Error as exc:
            raise translate(exc, self._path) from exc
        except PermissionError as exc:
            raise StateError(f"{self._path}: cannot be read: {exc.strerror}") from exc

    def _reader(self) -> sqlite3.Connection:
        if self._path.exists():
            return open_reader(self._path)
        empty = sqlite3.connect(":memory:", isolation_level=None)
        migrate(empty, self._path, MIGRATIONS)
        return empty

    # -- shapes

    def _collector(self, config: CollectorConfig, last: dict[str, Json]) -> Json:
        return {
            "name": config.name,
            "plugin": config.plugin,
            "schedule": schedule_text(config),
            "enabled": config.enabled,
            "next_run": _next_run(config) if self._holder else None,
            "running": None,
            "failures": 0,
            "backing_off_for": 0.0,
            "last_run": last.get(config.name),
            "last_reading": None,
            "where": config.where,
        }

    def _stores(self, db: sqlite3.Connection) -> list[Json]:
        names = [*self._config.stores, *spool.stores(db), *deadletters.stores(db)]
        return [self._store_json(db, name) for name in dict.fromkeys(names)]

    def _store_json(self, db: sqlite3.Connection, name: str) -> Json:
        holds, config = spool.contents(db, name), self._config.stores.get(name)
        unknown = ("since", "retry_in", "accepted", "inherited", "stored", "dropped", "in_memory")
        return {
            "name": name,
            "type": config.type if config else None,
            "health": None,
            "error": "" if config else "no longer in the configuration",
            **dict.fromkeys(unknown),
            "spool": {
                "bodies": holds.bodies,
                "points": holds.points,
                "bytes": holds.size_bytes,
                "limit_bytes": self._config.buffer.spool_bytes,
                "oldest_at": holds.oldest_at,
            },
            "dead_letters": deadletters.count(db, name),
        }

    def _known(self, collector: str) -> CollectorConfig:
        return known(self._config.collectors, collector, "collector")

    def _store(self, name: str) -> StoreConfig:
        return known(self._config.stores, name, "store")


def has(db: sqlite3.Connection, table: str) -> bool:
    """Whether there is a table; an older daemon may have left a database without it."""
    row = db.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (table,)).fetchone()
    return row is not None


def _next_run(config: CollectorConfig) -> float | None:
    from ingestd.collecting import schedule_of  # noqa: PLC0415 -- takes its time

    schedule = schedule_of(config)
    return schedule.next_after(time.time()) if schedule and config.enabled else None


async def _letters(
    database: Database, store: str, ids: Sequence[int] | None
) -> AsyncIterator[list[deadletters.DeadLetter]]:
    """Yield a store's dead letters page by page: those in ``ids``, or all."""
    if ids is not None:
        yield await database.read(partial(deadletters.found, store=store, ids=ids))
        return
    after = 0
    listed = partial(deadletters.listed, store=store, limit=PAGE)
    while found := await database.read(partial(listed, after=after)):
        after = found[-1].id
        yield found
