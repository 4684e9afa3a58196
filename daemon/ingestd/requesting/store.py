"""The records of requested runs in the state database, as the daemon reads and writes them."""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal

from ingestd.clock import Clock
from ingestd.disk import Database, RecordTable
from ingestd.errors import NotFound
from ingestd.requesting import records
from ingestd.requesting.records import RequestedRun, Selection


class RequestedRunStore:
    """Records of requested runs on disk.

    Args:
        database: The state database.
        clock: Where the time comes from.
        log: Told when the disk fails, and of damaged records.
    """

    def __init__(self, database: Database, *, clock: Clock, log: Any) -> None:
        self._database = database
        self._table = RecordTable("a requested run", database=database, clock=clock, log=log)

    async def unfinished(self) -> list[RequestedRun]:
        """Return those that wait or were under way; set aside those that are damaged.

        Raises:
            StateError: The database failed.
        """
        return await self._table.sound(await self._database.read(records.unfinished))

    async def add(
        self, new: Sequence[RequestedRun], inputs: Sequence[str | None]
    ) -> list[RequestedRun]:
        """Write new records with their inputs, all or none, and give them their numbers.

        Raises:
            StateError: The database failed, and nothing was written.
        """
        rows = [records.encode(each) for each in new]
        action = partial(records.insert, rows=rows, inputs=inputs)
        numbers = await self._database.write(action)
        return [replace(each, id=number) for each, number in zip(new, numbers, strict=True)]

    async def save(self, record: RequestedRun, result: str | None = None) -> None:
        """Bring a record and its result to the disk, however long that takes."""
        row = records.encode(record)
        await self._table.save(lambda: partial(records.update, row=row, result=result))

    async def find(self, number: int) -> RequestedRun | None:
        """Return a record, or None if there is none of that number, or no longer.

        Raises:
            StateError: The database failed.
        """
        found = await self._database.read(partial(records.find, number=number))
        return next(iter(await self._table.sound(found)), None)

    async def with_key(self, key: str) -> list[RequestedRun]:
        """Return the records of what was asked for under a key, in order.

        Raises:
            StateError: The database failed.
        """
        return await self._table.sound(
            await self._database.read(partial(records.with_key, key=key))
        )

    async def listed(self, wanted: Selection) -> list[RequestedRun]:
        """Return the records of a selection.

        Raises:
            StateError: The database failed.
        """
        return await self._table.sound(
            await self._database.read(partial(records.listed, wanted=wanted))
        )

    async def document(self, number: int, which: Literal["input", "result"]) -> Any:
        """Return the input or the result of one, or None if there is none.

        Raises:
            NotFound: It is damaged.
            StateError: The database failed.
        """
        action = partial(records.document, number=number, which=which)
        text = await self._database.read(action)
        try:
            return None if text is None else json.loads(text)
        except (ValueError, RecursionError) as error:
            raise NotFound(f"{which} of requested run {number}: damaged: {error}") from None

    async def input_bytes(self) -> int:
        """Return how many bytes the inputs of those hold that are not over.

        Raises:
            StateError: The database failed.
        """
        return await self._database.read(records.input_bytes)
