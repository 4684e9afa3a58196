"""How a column has its times, and how an instant is written to be compared with them."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from math import ceil, floor
from typing import Any, Final

from ingestd.plugins._limits import MILLISECONDS
from ingestd.plugins._times import UNIX, Notation, shown
from ingestd.plugins._walltime import repeated

# What sorts as its times do: the largest unit first, each with all of its digits.
ISO: Final = re.compile(
    r"\d{4}(?P<mark>[-/.])\d{2}(?P=mark)\d{2}"
    r"(?:(?P<between>[T ])\d{2}:\d{2}(?P<seconds>:\d{2})?(?:[.,]\d+)?\s*"
    r"(?P<zone>Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?)?",
    re.IGNORECASE | re.ASCII,
)
SORTING: Final = ("%Y", "%m", "%d", "%H", "%M", "%S", "%f")
SHORT: Final = {"%F": "%Y%m%d", "%T": "%H%M%S", "%R": "%H%M"}
EXAMPLE: Final = "2026-07-01 10:15:00"


# Writes what a clock shows as the column has it.
Writer = Callable[[datetime], Any]


@dataclass(frozen=True, slots=True)
class Column:
    """How a column has its times.

    Attributes:
        write: Writes what the clock there shows.
        clock: Where that stands.
    """

    write: Writer
    clock: tzinfo

    def since(self, time: float) -> Any:
        """Return what everything from an instant on is no less than.

        Args:
            time: In Unix seconds.
        """
        span = repeated(time, self.clock)
        return self.write(shown(floor(time), self.clock) if span is None else span[0])

    def until(self, time: float) -> Any:
        """Return what everything before an instant is less than, and perhaps more.

        Args:
            time: In Unix seconds.
        """
        span = repeated(time, self.clock)
        moment = shown(ceil(time), self.clock) if span is None else span[1]
        found = self.write(moment)
        # Where a part of a day or a minute cannot be told, all of it is asked for.
        return found if self._tells(moment) else self.write(moment + timedelta(days=1))

    def _tells(self, moment: datetime) -> bool:
        return bool(self.write(moment) != self.write(moment - timedelta(seconds=1)))


def column_of(example: Any, notation: Notation, where: str) -> Column:
    """Return how a column has its times.

    Args:
        example: One of them.
        notation: What the options say of them.
        where: The name of the column, for people.

    Raises:
        ValueError: They cannot be compared with an instant.
    """
    if isinstance(example, date):
        return dates(example, notation, where)
    if notation.time_format in UNIX or notation.time_format is None:
        if isinstance(example, int | float | Decimal):
            return numbers(example, notation, where)
        if notation.time_format in UNIX and isinstance(example, str):
            unit = UNIX[notation.time_format]
            return Column(lambda moment: str(unix(moment) * unit), UTC)
    if notation.count is not None and not isinstance(example, str):
        return Column(
            notation.count.number, notation.count.begin.tzinfo or zone_for(notation, where)
        )
    if notation.pattern is not None and notation.time_format != "dsmr":
        return patterned(example, notation, where)
    if isinstance(example, str) and notation.time_format in (None, "iso"):
        return texts(example, notation, where)
    raise unsorted(example, where)


def dates(example: date, notation: Notation, where: str) -> Column:
    """Return a column of what the database itself knows as times or dates.

    Raises:
        ValueError: It is not known where their clock stands.
    """
    if isinstance(example, datetime) and example.tzinfo is not None:
        return Column(lambda moment: moment.replace(tzinfo=UTC), UTC)
    zone = zone_for(notation, where)
    if isinstance(example, datetime):
        return Column(lambda moment: moment, zone)
    return Column(lambda moment: moment.date(), zone)


def numbers(example: Any, notation: Notation, where: str) -> Column:
    """Return a column of seconds, or of parts of them.

    Raises:
        ValueError: They are most likely no seconds.
    """
    if notation.time_format is None and abs(example) >= MILLISECONDS:
        raise ValueError(f"time_format: expected unix_ms for column {where!r}, got {example}")
    unit = UNIX[notation.time_format or "unix"]
    return Column(lambda moment: unix(moment) * unit, UTC)


def unix(moment: datetime) -> int:
    """Return what a clock in UTC shows, in Unix seconds."""
    return int(moment.replace(tzinfo=UTC).timestamp())


def patterned(example: Any, notation: Notation, where: str) -> Column:
    """Return a column of texts, or of numbers, that a pattern reads.

    Raises:
        ValueError: They do not sort as their times do.
    """
    pattern = notation.pattern
    if pattern is None or not sorts(str(notation.time_format)):
        raise unsorted(example, where)
    zone = pattern.fixed or zone_for(notation, where)
    kind = str if isinstance(example, str) else int
    return Column(lambda moment: kind(pattern.write(moment.replace(tzinfo=zone))), zone)


def sorts(time_format: str) -> bool:
    """Say whether what a pattern writes sorts as its times do."""
    for short, whole in SHORT.items():
        time_format = time_format.replace(short, whole)
    found = tuple(re.findall(r"%[A-Za-z]", time_format))
    return found == SORTING[: len(found)] and len(found) >= 3


def texts(example: str, notation: Notation, where: str) -> Column:
    """Return a column of texts in ISO 8601, or nearly.

    Raises:
        ValueError: They do not sort as their times do.
    """
    found = ISO.fullmatch(example.strip())
    if found is None:
        raise unsorted(example, where)
    mark, between, zone = found["mark"], found["between"], (found["zone"] or "").upper()
    clock_time = f"{between}%H:%M" + (":%S" if found["seconds"] else "") if between else ""
    fits = f"%Y{mark}%m{mark}%d{clock_time}"
    in_utc = zone and not zone.strip("ZUTCGM+-0:")
    clock = UTC if in_utc else zone_for(notation, where)
    return Column(lambda moment: moment.strftime(fits), clock)


def zone_for(notation: Notation, where: str) -> tzinfo:
    """Return where the clock stands that shows what a column has.

    Raises:
        ValueError: That is not known.
    """
    if notation.zone is None:
        raise ValueError(f"timezone: expected, to compare what column {where!r} has without a zone")
    return notation.zone


def unsorted(example: Any, where: str) -> ValueError:
    """Return the error for times that a database cannot compare."""
    return ValueError(
        f"time: expected times that sort, such as {EXAMPLE}, in column {where!r}: make such a "
        f"column in `query`, got {example!r:.80}"
    )
