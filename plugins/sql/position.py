"""How far a table has been read."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from math import inf
from typing import Any

from ingestd.plugins._awaited import Awaited, ends_of, reached_by
from ingestd.plugins._readings import Reading, column


class Position:
    """Moves with the rows that were read.

    A time in the future moves it no further than now, and a value that may still come holds it
    before its time.

    Args:
        newest: Up to which time all is read, in Unix seconds; None: nothing is.
        last_id: The largest id that was read, or None.
        hold: For how long a time that has no value yet holds it, in seconds.
        now: When the run began, in Unix seconds.
    """

    def __init__(self, *, newest: float | None, last_id: Any, hold: float, now: float) -> None:
        self._start, self._now = newest, now
        self._reached: float | None = None
        self._awaited = Awaited(hold=hold, now=now)
        self.last_id = last_id

    @property
    def newest(self) -> float | None:
        """Up to which time all is read, in Unix seconds; None: nothing is."""
        return self._awaited.position(self._reached, start=self._start)

    def gather(self, readings: Sequence[Reading], row_id: Any) -> None:
        """Take note of readings.

        Args:
            readings: Of some rows.
            row_id: The id of the last of these, or None.

        Raises:
            ValueError: Their times cannot be compared.
        """
        times = column(readings, 0)
        if datetime in set(map(type, times)):
            raise ValueError("timezone: expected, for times without a zone")
        _, latest = ends_of(reached_by(readings, self._now))
        self._awaited.gather(readings, read=self._start)
        if latest > -inf:
            self._reached = max(
                min(latest, self._now), -inf if self._reached is None else self._reached
            )
        if row_id is not None:
            self.last_id = int(row_id) if isinstance(row_id, Decimal) else row_id

    @property
    def state(self) -> dict[str, Any]:
        """What a run begins with that goes on here."""
        found = {"newest": self.newest, "last_id": self.last_id}
        return {name: each for name, each in found.items() if each is not None}

    def notes(self) -> list[str]:
        """Return what people should know of the run."""
        return self._awaited.notes()
