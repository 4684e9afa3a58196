"""The records of backfills in the state database, as the daemon reads and writes them."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from ingestd.backfilling import absent, records
from ingestd.backfilling.absent import Absence
from ingestd.backfilling.records import BackfillRecord
from ingestd.clock import Clock
from ingestd.disk import Database, RecordTable


class BackfillStore:
    """Records of backfills on disk.

    Args:
        database: The state database.
        clock: Where the time comes from.
        log: Told when the disk fails, and of damaged records.
    """

    def __init__(self, database: Database, *, clock: Clock, log: Any) -> None:
        self._database = database
        self._table = RecordTable("a backfill", database=database, clock=clock, log=log)

    async def unfinished(self) -> list[BackfillRecord]:
        """Return the records of backfills that go on; set aside those that are damaged.

        Raises:
            StateError: The database failed.
        """
        return await self._table.sound(await self._database.read(records.unfinished))

    async def add(self, record: BackfillRecord) -> None:
        """Write a new record, and give it its number.

        Raises:
            StateError: The database failed.
        """
        row = records.encode(record)
        record.id = await self._database.write(partial(records.insert, row=row))

    async def save(self, record: BackfillRecord) -> None:
        """Bring a record to the disk, however long that takes."""
        await self._table.save(lambda: partial(records.update, row=records.encode(record)))

    async def find(self, number: int) -> BackfillRecord | None:
        """Return a record, or None if there is none of that number, or no longer.

        Raises:
            StateError: The database failed.
        """
        found = await self._database.read(partial(records.find, number=number))
        return next(iter(await self._table.sound(found)), None)

    async def newest(self, collector: str | None, *, limit: int) -> list[BackfillRecord]:
        """Return the newest records of a collector, or of all, newest first.

        Raises:
            StateError: The database failed.
        """
        listed = partial(records.listed, collector=collector, limit=limit)
        return await self._table.sound(await self._database.read(listed))

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
