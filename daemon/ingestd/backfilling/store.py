"""The records of backfills in the state database, as the daemon reads and writes them."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from ingestd.backfilling import absent, records
from ingestd.backfilling.absent import Absence
from ingestd.backfilling.records import BackfillRecord
from ingestd.clock import Clock
from ingestd.disk import Database, move_aside
from ingestd.errors import StateError

RETRY: Final = 5.0  # seconds from a failed write to the next attempt


class BackfillStore:
    """Records of backfills on disk.

    Args:
        database: The state database.
        clock: Where the time comes from.
        log: Told when the disk fails, and of damaged records.
    """

    def __init__(self, database: Database, *, clock: Clock, log: Any) -> None:
        self._database, self._clock, self._log = database, clock, log

    async def unfinished(self) -> list[BackfillRecord]:
        """Return the records of backfills that go on; set aside those that are damaged.

        Raises:
            StateError: The database failed.
        """
        return await self._sound(await self._database.read(records.unfinished))

    async def add(self, record: BackfillRecord) -> None:
        """Write a new record, and give it its number.

        Raises:
            StateError: The database failed.
        """
        row = records.encode(record)
        record.id = await self._database.write(partial(records.insert, row=row))

    async def save(self, record: BackfillRecord) -> None:
        """Bring a record to the disk, however long that takes."""
        failed = False
        while True:
            row = records.encode(record)
            try:
                await self._database.write(partial(records.update, row=row), on_full="use_ballast")
            except StateError as error:
                if not failed:
                    self._log.error("a backfill cannot be written", error=str(error))
                failed = True
                await self._clock.sleep(RETRY)
            else:
                return

    async def find(self, number: int) -> BackfillRecord | None:
        """Return a record, or None if there is none of that number, or no longer.

        Raises:
            StateError: The database failed.
        """
        found = await self._database.read(partial(records.find, number=number))
        return next(iter(await self._sound(found)), None)

    async def newest(self, collector: str | None, *, limit: int) -> list[BackfillRecord]:
        """Return the newest records of a collector, or of all, newest first.

        Raises:
            StateError: The database failed.
        """
        listed = partial(records.listed, collector=collector, limit=limit)
        return await self._sound(await self._database.read(listed))

    async def _sound(self, found: records.Found) -> list[BackfillRecord]:
        """Return what can be used of what was found, and set the rest aside."""
        sound, damaged = found
        if damaged:
            moving = partial(move_aside, rows=damaged)
            await self._database.write(moving, on_full="use_ballast")
        for row in damaged:
            self._log.error("a backfill was damaged, and is given up", problem=str(row))
        return sound

    async def add_absences(self, collector: str, found: Sequence[Absence]) -> None:
        """Keep what the source of a collector does not have.

        Raises:
            StateError: The database failed.
        """
        await self._database.write(partial(absent.insert, collector=collector, found=found))

    async def absences(self, collector: str) -> list[Absence]:
        """Return what the source of a collector does not have.

        Raises:
            StateError: The database failed.
        """
        return await self._database.read(partial(absent.listed, collector=collector))
