"""What no record of a page, or of another part of a source, has."""

from collections.abc import Sequence
from typing import Any

from ingestd.plugins._times import NO_TIME, NoTime

from .reader import Reader


class Missing:
    """Looks for what every record should have, and none has.

    One record without a value is an unusable reading. All of them without it is
    a wrong path, or a source that changed: the run is marked, its state kept. A source
    that says null, as an inverter does at night, has nothing to tell.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._begin()

    def _begin(self) -> None:
        self._count = 0
        self._shown = ""
        self._left = {"value": True, "series": True, "time": True}

    def look(self, records: Sequence[Any], readings: Sequence[tuple[Any, ...]]) -> None:
        """Look at some records of a page."""
        if not readings:
            return
        self._shown = self._shown or self._reader.shown(records)
        self._count += len(records)
        left = self._left
        left["value"] = left["value"] and not self._has_value(records, readings)
        left["series"] = left["series"] and all(series == "" for _, series, *_ in readings)
        left["time"] = left["time"] and all(
            isinstance(time, NoTime) and time.reason == NO_TIME for time, *_ in readings
        )

    def _has_value(self, records: Sequence[Any], readings: Sequence[tuple[Any, ...]]) -> bool:
        told = any(value is not None for _, _, value, *_ in readings)
        return told or any(map(self._reader.has_nothing, records))

    def after(self, where: str) -> str:
        """Say what is missing in all of a part, if anything is, and begin with the next one.

        Args:
            where: What to call that part, such as "page 1".
        """
        missing = next((what for what, left in self._left.items() if left), "")
        count, shown = self._count, self._shown
        self._begin()
        if not count or not missing:
            return ""
        return f"{where}: {missing}: missing in all of {count} records: {shown}"
