"""A table of records of one kind: they are written in the end, and set aside if damaged."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from ingestd.clock import Clock
from ingestd.disk.damage import DamagedRow, move_aside
from ingestd.disk.database import Action, Database
from ingestd.errors import StateError

R = TypeVar("R")

RETRY: Final = 5.0  # seconds from a failed write to the next attempt


class RecordTable:
    """The records of one kind in the state database.

    Args:
        kind: What people call one of them, such as "a backfill".
        database: The state database.
        clock: Where the time comes from.
        log: Told when the disk fails, and of damaged records.
    """

    def __init__(self, kind: str, *, database: Database, clock: Clock, log: Any) -> None:
        self._kind, self._database, self._clock, self._log = kind, database, clock, log

    async def save(self, action: Callable[[], Action[None]]) -> None:
        """Write something, however long that takes.

        Args:
            action: Returns what to do with the database; called for each attempt, since a record
                may go on changing while the disk fails.
        """
        failed = False
        while True:
            try:
                await self._database.write(action(), on_full="use_ballast")
            except StateError as error:
                if not failed:
                    self._log.error(f"{self._kind} cannot be written", error=str(error))
                failed = True
                await self._clock.sleep(RETRY)
            else:
                return

    async def sound(self, found: tuple[Sequence[R], Sequence[DamagedRow]]) -> list[R]:
        """Return what can be used of what was found, and set the rest aside.

        Raises:
            StateError: The database failed.
        """
        sound, damaged = found
        if damaged:
            moving = partial(move_aside, rows=damaged)
            await self._database.write(moving, on_full="use_ballast")
        for row in damaged:
            self._log.error(f"{self._kind} was damaged, and is given up", problem=str(row))
        return list(sound)
