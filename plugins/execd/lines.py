"""Readings in whole lines, as a command writes them one after the other."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from ingestd.plugins._commands import NAMING, LineProtocol, line_protocol_of, some
from ingestd.plugins._documents import format_of
from ingestd.plugins._params import zone_of
from ingestd.plugins._problems import Gathering
from ingestd.plugins._readings import Reading, behind_each_other
from ingestd.plugins._shapes import OPTIONS as OF_SHAPES
from ingestd.plugins._shapes import Reader, description_of
from ingestd.plugins._times import settle_readings


class Lines(Protocol):
    """Finds the readings in some lines."""

    def read(self, block: bytes) -> Sequence[Any]:
        """Return them; for a line that cannot be read, one that says why."""


class Plain:
    """Finds them in line protocol, named by measurement and field."""

    def __init__(self, lines: LineProtocol) -> None:
        self.read = lines.readings


class Shaped:
    """Finds them where the operator says.

    Args:
        records: Returns what the lines hold, and a text for each that cannot be read.
        reader: Where things are in that.
    """

    def __init__(self, records: Callable[[bytes], Sequence[Any]], reader: Reader) -> None:
        self._records, self._reader = records, reader
        self._read = reader.compiled()
        self._before: Sequence[Reading] = ()

    def read(self, block: bytes) -> Sequence[Any]:
        """Return the readings."""
        found = list(self._records(block))
        if self._reader.steps == () and set(map(type, found)) == {dict}:
            readings = self._read(found, None)
        else:
            readings = behind_each_other([self._of_one(each) for each in found])
        self._before = settle_readings(readings, before=self._before)
        return self._before

    def _of_one(self, document: Any) -> Sequence[Reading]:
        if isinstance(document, str):
            return [(None, "", document)]
        try:
            return self._read(self._reader.records_of(document), None)
        except ValueError as error:
            return [(None, "", str(error))]


def lines_of(params: Any, around: str | None) -> Lines:
    """Return what finds readings in lines.

    Args:
        params: All of them.
        around: The name of the collector's zone, or None.

    Raises:
        ValueError: Says which is wrong.
    """
    if params.format == "influx" and all(getattr(params, name) is None for name in NAMING):
        return Plain(line_protocol_of(params))
    zone = zone_of(params.timezone, around)
    kind = "influx" if params.format == "influx" else "ndjson"
    with Gathering() as wrong:
        form = wrong.read(lambda: format_of(kind, zone=zone))
        shape = wrong.read(lambda: description_of(some(params, *OF_SHAPES), zone=zone))
    by_lines = form.by_lines(b"", name="", growing=True)
    if by_lines is None:
        raise ValueError(f"format: expected lines, got {params.format!r}")

    def records(block: bytes) -> Sequence[Any]:
        try:
            return by_lines.records(block, first=False)
        except ValueError as error:  # not one of them can be read
            return [str(error)]

    return Shaped(records, shape.reader())
