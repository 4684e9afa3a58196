"""The formats in which commands write readings, beside the run-contract."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, Protocol

from ingestd.plugins._documents import OPTIONS as OF_DOCUMENTS
from ingestd.plugins._documents import Format, format_of
from ingestd.plugins._linereadings import LineReadings
from ingestd.plugins._params import zone_of
from ingestd.plugins._problems import Gathering
from ingestd.plugins._readings import Reading, behind_each_other
from ingestd.plugins._shapes import OPTIONS as OF_SHAPES
from ingestd.plugins._shapes import Missing, Reader, description_of
from ingestd.plugins._times import UNIX
from ingestd.plugins._values import OPTIONS as OF_VALUES
from ingestd.plugins._values import ValueReader, value_reader

from . import exposition

# Between so many records others get their turn on the event loop.
SLICE: Final = 1000
NAMING: Final = ("series", "value", "values")  # what says that records are shaped by the operator


@dataclass(frozen=True, slots=True)
class Found:
    """What was found in an output.

    Attributes:
        readings: Also those that are unusable; the daemon counts them.
        problem: What is wrong with all of them, or an empty text.
        settles: Whether some of their times may be of the hour that comes twice.
    """

    readings: Sequence[Any]
    problem: str = ""
    settles: bool = False


class Output(Protocol):
    """Finds the readings in what a command has written."""

    async def read(self, data: bytes) -> Found:
        """Return the readings.

        Raises:
            ValueError: It is not written as it should be.
        """


@dataclass(frozen=True, slots=True)
class Documents:
    """Finds them in a document of any shape.

    Attributes:
        form: How it is written.
        reader: Where things are in it.
        most_bytes: How large it may become when it is unpacked.
    """

    form: Format
    reader: Reader
    most_bytes: int

    async def read(self, data: bytes) -> Found:
        """Return the readings, letting others run in between."""
        documents = self.form.documents(data, most_bytes=self.most_bytes)
        records = list(chain.from_iterable(map(self.reader.records_of, documents)))
        read, missing = self.reader.compiled(), Missing(self.reader)
        parts: list[Sequence[Reading]] = []
        for at in range(0, len(records), SLICE):
            parts.append(read(records[at : at + SLICE], None))
            await asyncio.sleep(0)
        readings = behind_each_other(parts)
        missing.look(records, readings)
        return Found(readings, missing.after("output"), settles=True)


class LineProtocol:
    """Finds them in line protocol, named by measurement and field.

    Args:
        per_second: What one second is in the unit of its times.
    """

    def __init__(self, per_second: float) -> None:
        self._lines = LineReadings(per_second)

    async def read(self, data: bytes) -> Found:
        """Return the readings."""
        return Found(self.readings(data))

    def readings(self, data: bytes) -> list[Any]:
        """Return the readings of whole lines; for a line that is none, one that says why."""
        return self._lines.readings(data.decode(errors="replace"))


@dataclass(frozen=True, slots=True)
class Single:
    """Finds the one number that there is.

    Attributes:
        series: The name of its series.
        tags: Of the reading.
        number: Reads it.
    """

    series: str
    tags: Mapping[str, str]
    number: ValueReader

    async def read(self, data: bytes) -> Found:
        """Return the reading."""
        text = data.decode(errors="replace").strip()
        rest = (dict(self.tags),) if self.tags else ()
        return Found([(None, self.series, self.number.number(text), *rest)])


@dataclass(frozen=True, slots=True)
class Exposition:
    """Finds them in the text format of Prometheus."""

    async def read(self, data: bytes) -> Found:
        """Return the readings."""
        return Found(exposition.readings(data))


def documents_of(params: Any, around: str | None, most_bytes: int) -> Output:
    """Return what finds readings in documents."""
    zone = zone_of(params.timezone, around)
    with Gathering() as wrong:
        form = wrong.read(lambda: format_of(**some(params, *OF_DOCUMENTS), zone=zone))
        shape = wrong.read(lambda: description_of(some(params, *OF_SHAPES), zone=zone))
    return Documents(form, shape.reader(), most_bytes)


def lines_of(params: Any, around: str | None, most_bytes: int) -> Output:
    """Return what finds readings in line protocol: as it names them, or as the operator does."""
    if any(getattr(params, name) is not None for name in NAMING):
        return documents_of(params, around, most_bytes)
    return line_protocol_of(params)


def line_protocol_of(params: Any) -> LineProtocol:
    """Return what finds readings in line protocol that names them.

    Raises:
        ValueError: Says which of the params is wrong.
    """
    check_unused(params, OF_SHAPES - {"time_format"}, "format: influx without `series`")
    unit = params.time_format or "unix_ns"
    if unit not in UNIX:
        raise ValueError(f"time_format: expected one of {', '.join(UNIX)}, got {unit!r:.80}")
    return LineProtocol(float(UNIX[unit]))


def single_of(params: Any, _around: str | None, _most_bytes: int) -> Output:
    """Return what finds a single number."""
    series, tags = params.series, params.tags or {}
    check_unused(params, OF_SHAPES - {"series", "tags", *OF_VALUES}, "format: value")
    with Gathering() as wrong:
        if not isinstance(series, str) or not series:
            wrong.problems.append("series: expected the name of the value's series, got nothing")
        number = wrong.read(lambda: value_reader(some(params, *OF_VALUES)))
    return Single(series, {name: str(text) for name, text in tags.items()}, number)


def exposition_of(params: Any, _around: str | None, _most_bytes: int) -> Output:
    """Return what finds readings in the text format of Prometheus."""
    check_unused(params, OF_SHAPES, "format: prometheus")
    return Exposition()


# Each is given the params, the name of the collector's zone, and how large a document may be.
MAKERS: Final[Mapping[str, Callable[[Any, str | None, int], Output]]] = {
    "influx": lines_of, "value": single_of, "prometheus": exposition_of,
}  # fmt: skip


def output_of(params: Any, around: str | None, *, most_bytes: int) -> Output:
    """Return what finds readings in the output of a command.

    Raises:
        ValueError: Says what is wrong with the params.
    """
    return MAKERS.get(params.format, documents_of)(params, around, most_bytes)


def check_unused(params: Any, names: Any, where: str) -> None:
    """Refuse options that mean nothing.

    Raises:
        ValueError: There are some.
    """
    with Gathering() as wrong:
        wrong.problems += [
            f"{name}: means nothing with {where}"
            for name in sorted(names)
            if getattr(params, name, None) not in (None, "records")
        ]


def some(params: Any, *names: str) -> dict[str, Any]:
    """Return some of the params by their names."""
    return {name: getattr(params, name, None) for name in names}
