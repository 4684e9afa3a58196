"""Answers from the files, where no daemon serves an API.

Looking needs no lock: it works beside a daemon with ``listen: off`` too. What changes
something is left to a daemon that lives in this process meanwhile; see ``headless``.
"""

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ingestd.backfilling import Absence, BackfillRecord, Status, absent
from ingestd.backfilling import records as backfillrecords
from ingestd.cli import requestedfiles
from ingestd.cli.backend import BackfillRequest, Follow, Json, RunAsked
from ingestd.cli.exitcodes import CommandError
from ingestd.cli.fromfiles import FromFiles
from ingestd.cli.loading import loader_for
from ingestd.cli.settings import known
from ingestd.collecting import schedule_of
from ingestd.config import CollectorConfig, Config, StoreConfig
from ingestd.contract import Memory
from ingestd.delivery import deadletters
from ingestd.disk import MIGRATIONS, Holder, migrate, open_reader, translate
from ingestd.errors import StateError
from ingestd.health import Overview, SeriesKey, StoreFacts
from ingestd.model import MICROSECONDS
from ingestd.records import RunRecord, decode, list_series, raw_rows
from ingestd.records import runs as runrecords
from ingestd.redaction import Redactor
from ingestd.requesting import RequestStatus, Selection, as_json, number_of
from ingestd.views import (
    Activity,
    Process,
    collector_json,
    held_for,
    held_for_others,
    known_json,
    latest_json,
    plugin_json,
    remembered_json,
    series_json,
    spool_json,
    status_json,
    store_json,
    without_secrets,
)

if TYPE_CHECKING:
    from ingestd.app import Daemon

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

    # -- looking

    async def status(self) -> Json:
        """Say what the files tell."""
        config, holder = self._config, self._holder
        process = Process()
        if holder:
            uptime = max(0.0, time.time() - holder.started)
            process = Process(pid=holder.pid, started=holder.started, uptime=uptime)
        found = status_json(
            config,
            config.files[0],
            process,
            stores=(stores := self._read(self._stores)),
            overview=self._overview(stores),
            backfills=[each.as_dict() for each in self._backfills(None) if not each.over],
        )
        return self._masked(found)

    async def collectors(self) -> list[Json]:
        """List the configured collectors with their last runs."""
        files = self._read(FromFiles.read)
        overview = files.overview(self._config, [])
        found = [
            collector_json(
                each, files.last.get(name), self._activity(each, overview, files.newest(each))
            )
            for name, each in self._config.collectors.items()
        ]
        return self._masked(found)

    async def runs(
        self,
        *,
        collector: str | None,
        limit: int,
        before: int | None = None,
        failing: bool = False,
    ) -> list[Json]:
        """List runs, the newest first."""
        found = self._runs(collector, limit, before=before or MOST_RUNS, failing=failing)
        return self._masked([each.as_dict() for each in found])

    async def run(self, run_id: int) -> Json:
        """Return the record of one run."""
        record = next(iter(self._read(lambda db: runrecords.find_run(db, run_id))[0]), None)
        if record is None:
            raise CommandError(f"no run {run_id} on record; old ones are forgotten")
        return self._masked(record.as_dict())

    async def ask_for_run(self, wanted: RunAsked, *, wait: bool) -> Json:
        """Make a run in this process, and those before it."""
        from ingestd.cli.headless import request_here  # noqa: PLC0415 -- takes its time

        collector = self._known(wanted.collector)
        if not wait:
            text = "no daemon runs that it could be left to; expected --wait"
            raise CommandError(f"{wanted.collector}: {text}")
        return await request_here(self._config, collector, wanted)

    async def requested_runs(
        self, *, collector: str | None, status: str | None, limit: int, before: str | None
    ) -> list[Json]:
        """List requested runs, the newest first."""
        wanted = Selection(
            collector=collector,
            status=None if status is None else RequestStatus(status),
            before=None if before is None else number_of(before),
            limit=limit,
        )
        read = partial(
            requestedfiles.listed,
            wanted=wanted,
            redactor=self._redactor,
            live=self._holder is not None,
        )
        return self._masked(self._read(read))

    async def requested_run(self, name: str) -> Json:
        """Return a requested run."""
        live = self._holder is not None
        read = partial(requestedfiles.found, name=name, redactor=self._redactor, live=live)
        return self._masked(self._read(read))

    async def run_result(self, name: str) -> Json:
        """Return what a requested run that has succeeded gave."""
        return self._masked(self._read(partial(requestedfiles.result, name=name)))

    async def cancel_run(self, name: str) -> Json:
        """Give up a requested run that waits, and return it."""
        number = number_of(name)

        async def cancel(daemon: "Daemon") -> Json | None:
            found = None if number is None else await daemon.requests.cancel(number)
            return None if found is None else dict(as_json(found, daemon.redactor))

        found = await self._change(cancel)
        if found is None:
            raise requestedfiles.unknown(name)
        return found

    async def state(self, collector: str) -> Json:
        """Return what is remembered for a collector, what is hidden only counted."""
        memory = self._memory(collector)
        self._redactor.add(memory.hidden.values(), owner=collector)
        last = next(iter(self._runs(collector, 1)), None)
        return self._masked(remembered_json(collector, memory, last, self._redactor))

    async def spool(self) -> list[Json]:
        """List what waits on disk for each store."""
        return spool_json(self._read(self._stores))

    async def dead_letters(self, *, store: str | None, after: int, limit: int) -> list[Json]:
        """List dead letters in the order of their numbers."""
        found = self._read(lambda db: deadletters.listed(db, store=store, after=after, limit=limit))
        return self._masked([each.as_dict() for each in found])

    async def latest(self, *, within: float, series: str | None, store: str | None) -> list[Json]:
        """List the newest reading of each series that has one in the last ``within`` seconds."""
        from ingestd.cli.stores import opened  # noqa: PLC0415 -- takes its time

        config = self._store(store or next(iter(self._config.stores)))
        since_us = int((time.time() - within) * MICROSECONDS)
        async with opened(config) as sink:
            points = await sink.latest(since_us=since_us) if sink else []
        files, configured = self._read(FromFiles.read), self._config.collectors.values()
        known = [(each, found) for each in configured for found in files.series(each)]
        rows = latest_json(points, self._config.catalogue, series)
        return self._masked(known_json(rows, known, series))

    async def series(self, collector: str) -> list[Json]:
        """List the series that a collector has given."""
        self._known(collector)
        found = self._read(lambda db: list_series(db, collector)[0] if has(db, "series") else [])
        return series_json(sorted(found))

    async def backfills(self, collector: str | None = None) -> list[Json]:
        """List the backfills of one collector, or of all, the newest first."""
        return self._masked([each.as_dict() for each in self._backfills(collector)])

    async def absent(self, collector: str) -> list[Json]:
        """List what the source of a collector is known not to have."""
        listed = partial(absent.listed, collector=collector)
        return absent.as_json(self._read(lambda db: listed(db) if has(db, "absent") else []))

    async def plugins(self) -> list[Json]:
        """List the plugins that have a name."""
        found = await asyncio.to_thread(loader_for(self._config).available)
        return self._masked([plugin_json(each) for each in found])

    # -- changing

    async def forget_series(self, collector: str, series: str, tags: Mapping[str, str]) -> bool:
        """Forget a series of a collector; say whether it was known."""
        key = SeriesKey(series, tuple(sorted(tags.items())))

        async def forget(daemon: "Daemon") -> bool:
            return await daemon.collectors.forget_series(collector, key)

        return await self._change(forget)

    async def run_now(self, collector: str) -> Json:
        """Run a collector in this process, its readings on their real way."""
        from ingestd.cli.headless import run_once  # noqa: PLC0415 -- takes its time

        return await run_once(self._config, self._known(collector))

    async def reset(self, collector: str, *, masks: bool) -> None:
        """Forget what is remembered for a collector; which params are masked only if asked to."""
        self._memory(collector)

        async def forget(daemon: "Daemon") -> bool:
            return await daemon.collectors.reset(collector, masks=masks)

        await self._change(forget)

    async def keep_hidden(self, collector: str, hidden: Mapping[str, Any]) -> None:
        """Give the next runs of a collector secrets, beside those that it has."""

        async def keep(daemon: "Daemon") -> None:
            await daemon.collectors.keep_hidden(collector, hidden)

        await self._change(keep)

    async def move_spool(self, name: str, store: str, *, overwrite: bool) -> Json:
        """Give a store what waits for a former one; return how many readings of each kind."""
        self._check_former(name)

        async def move(daemon: "Daemon") -> Json:
            found = await daemon.deliveries.move(name, store, overwrite=overwrite)
            return {
                "points": found.spooled.points,
                "dead_letters": found.dead,
                "kept_back": found.kept_back,
            }

        return await self._change(move, store=self._store(store))

    async def drop_spool(self, name: str) -> int:
        """Delete what waits for a former store; return how many readings."""
        self._check_former(name)

        async def drop(daemon: "Daemon") -> int:
            return await daemon.deliveries.drop(name)

        return await self._change(drop)

    def _check_former(self, name: str) -> None:
        """Refuse a configured store: the daemon of the command does not know all of them."""
        if name in self._config.stores:
            raise CommandError(f"{name}: expected a former store, got one that is configured")

    async def retry(self, store: str, ids: Sequence[int] | None) -> int:
        """Queue dead letters again; return how many."""

        async def queue_again(daemon: "Daemon") -> int:
            return await daemon.deliveries.retry(store, ids)

        return await self._change(queue_again, store=self._store(store))

    async def purge(self, store: str, ids: Sequence[int] | None) -> int:
        """Forget dead letters; return how many."""

        async def forget(daemon: "Daemon") -> int:
            return await daemon.deliveries.purge(store, ids)

        return await self._change(forget)

    async def backfill(self, wanted: BackfillRequest, follow: Follow | None) -> Json:
        """Read the past of a collector in this process, for as long as that takes."""
        from ingestd.cli.headless import backfill_here  # noqa: PLC0415 -- takes its time

        collector = self._known(wanted.collector)
        if follow is None:
            raise CommandError(f"{wanted.collector}: no daemon runs that it could be left to")
        return await backfill_here(self._config, collector, wanted, follow)

    async def note_absent(self, collector: str, holes: Sequence[Json]) -> None:
        """Keep what the source of a collector does not have."""
        asked = time.time()
        found = [
            Absence.in_seconds(
                each["series"], each["tags"], each["start"], each["end"], asked=asked
            )
            for each in holes
        ]

        async def note(daemon: "Daemon") -> None:
            await daemon.backfills.note_absent(collector, found)

        await self._change(note)

    async def cancel_backfill(self, number: int) -> Json:
        """Give up a backfill, and return how far it came."""

        async def cancel(daemon: "Daemon") -> BackfillRecord | None:
            return await daemon.backfills.cancel(number)

        found = await self._change(cancel)
        if found is None:
            raise CommandError(f"no backfill {number} on record; old ones are forgotten")
        return found.as_dict()

    async def reload(self) -> Json:
        """Say that no daemon runs that could read its configuration again."""
        where = self._config.daemon.state_dir
        if self._holder:
            text = f"process {self._holder.pid} has no API (listen: off); send it SIGHUP"
            raise CommandError(f"{where}: {text}")
        raise CommandError(f"{where}: no daemon runs there")

    async def _change(
        self, job: Callable[["Daemon"], Awaitable[T]], store: StoreConfig | None = None
    ) -> T:
        from ingestd.cli.headless import change  # noqa: PLC0415 -- takes its time

        return await change(self._config, job, store=store)

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

    def _overview(self, stores: Sequence[Json]) -> Overview:
        configured = self._config.stores
        facts = [
            StoreFacts(name=each["name"], dead=each["dead_letters"])
            for each in stores
            if each["name"] in configured
        ]
        return self._read(FromFiles.read).overview(self._config, facts)

    def _runs(
        self,
        collector: str | None,
        limit: int,
        *,
        before: int = MOST_RUNS,
        failing: bool = False,
    ) -> list[RunRecord]:
        return self._read(
            lambda db: runrecords.list_runs(
                db, collector=collector, limit=limit, before=before, failing=failing
            )[0]
        )

    def _memory(self, collector: str) -> Memory:
        """Return what is remembered for a collector, which may be a former one."""
        rows = self._read(lambda db: raw_rows(db, collector))
        if not rows:
            self._known(collector)
        return decode(rows[0][1], rows[0][2]) if rows else Memory()

    def _stores(self, db: sqlite3.Connection) -> list[Json]:
        configured, limit_bytes = self._config.stores, self._config.buffer.spool_bytes
        holds = {name: held_for(db, name) for name in configured} | held_for_others(db, configured)
        return [
            store_json(name, configured.get(name), held, limit_bytes=limit_bytes)
            for name, held in holds.items()
        ]

    def _backfills(self, collector: str | None) -> list[BackfillRecord]:
        def listed(db: sqlite3.Connection) -> list[BackfillRecord]:
            return backfillrecords.listed(db, collector=collector, limit=MOST_BACKFILLS)[0]

        found = self._read(lambda db: listed(db) if has(db, "backfills") else [])
        for record in found:
            if not record.over and not self._holder:
                record.status, record.why = Status.PAUSED, "no daemon runs"
        return found

    # -- what else there is to know

    def _activity(
        self, config: CollectorConfig, overview: Overview, newest: float | None
    ) -> Activity:
        """Return how a collector was, and when a daemon that serves no API will run it next."""
        runs = self._holder is not None and config.enabled and not config.on_request
        schedule = schedule_of(config) if runs else None
        return Activity(
            next_run=schedule.next_after(time.time()) if schedule else None,
            last_reading=newest,
            health=overview.collectors.get(config.name),
            facts=overview.facts.get(config.name),
        )

    def _masked(self, answer: T) -> T:
        masked: T = without_secrets(answer, self._redactor)
        return masked

    def _known(self, collector: str) -> CollectorConfig:
        return known(self._config.collectors, collector, "collector")

    def _store(self, name: str) -> StoreConfig:
        return known(self._config.stores, name, "store")


def has(db: sqlite3.Connection, table: str) -> bool:
    """Whether there is a table; an older daemon may have left a database without it."""
    row = db.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (table,)).fetchone()
    return row is not None
