r"""Line protocol: points to lines.

A line is ``<measurement>,series=<series>[,<tags>] <field>=<number> <time>``.

InfluxDB and VictoriaMetrics read backslashes differently (both were tried):
InfluxDB takes one as itself unless a special character follows, so nothing can
end in one; VictoriaMetrics undoes ``\\`` too, so every one must be doubled.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from ingestd.errors import ReadingError
from ingestd.model import Point, Series
from ingestd.plugins._linescan import ends_by_itself

# The letter that stands for a precision -> microseconds in one unit of it.
UNITS: Final[Mapping[bytes, int]] = {b"s": 1_000_000, b"m": 1_000, b"u": 1}
UNSENDABLE: Final = b'{"unsendable":'
BACKSLASHED: Final = re.compile(r'\\[,= "]')
# How many times to look at before choosing how to write them.
GLANCE: Final = 64
# Prefixes kept at most; a series costs about 300 bytes.
PREFIXES: Final = 200_000


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one kind of store reads line protocol, and what it would drop or garble in silence.

    Attributes:
        doubles_backslashes: Whether it undoes a doubled backslash.
        unit_us: The finest unit of time that it keeps, in microseconds.
        max_tags: Tags it keeps of one point, ``series`` included.
        max_key_bytes: The longest tag name it keeps whole.
        max_value_bytes: The longest tag value or name of a field it keeps whole.
        max_line_bytes: The longest line it reads, without its number and time.
        reserved: Tag names with a meaning of their own.
    """

    doubles_backslashes: bool = False
    unit_us: int = 1
    max_tags: float = math.inf
    max_key_bytes: float = math.inf
    max_value_bytes: float = math.inf
    max_line_bytes: float = math.inf
    reserved: frozenset[str] = frozenset({"series"})


@dataclass(frozen=True, slots=True)
class Lines:
    """What became of some points.

    Attributes:
        text: Their lines, or nothing.
        precision: The letter of the unit that their times are in.
        points: How many lines there are.
        first_us: The earliest time, in microseconds since the Unix epoch; 0 without lines.
        last_us: The latest.
        refused: Payload and reason of each point that the store would not keep.
    """

    text: bytes
    precision: bytes
    points: int
    first_us: int
    last_us: int
    refused: Sequence[tuple[bytes, str]] = ()


class Prefixes(dict[Series, str]):
    """The beginning of a series' lines, up to the ``=`` before the number; made once each."""

    def __init__(self, dialect: Dialect) -> None:
        super().__init__()
        self.dialect = dialect

    def __missing__(self, series: Series) -> str:
        made = prefix(series, self.dialect)
        if len(self) >= PREFIXES:
            self.clear()
        self[series] = made
        return made


def prefix(series: Series, dialect: Dialect) -> str:
    """Return everything of a series' line up to its number.

    A tag with an empty value is left out: to both stores that is the same as no tag.

    Raises:
        ReadingError: It cannot be said in this dialect so that it reads back the same.
    """
    tags = [("series", series.name), *((key, value) for key, value in series.tags if value)]
    for problem in problems(series, tags, dialect):
        raise ReadingError("unsendable", f"{series.name!r:.80}: {problem}")
    said = [
        f",{escaped(key, ',= ', dialect)}={escaped(value, ',= ', dialect)}" for key, value in tags
    ]
    measurement = escaped(series.measurement, ", ", dialect)
    made = f"{measurement}{''.join(said)} {escaped(series.field, ',= ', dialect)}="
    for problem in (*too_long([made], dialect.max_line_bytes), *endless(made, dialect)):
        raise ReadingError("unsendable", f"{series.name!r:.80}: its line: {problem}")
    return made


def problems(series: Series, tags: Sequence[tuple[str, str]], dialect: Dialect) -> Iterator[str]:
    """Yield every reason why the store would drop or garble this series."""
    for text in (series.measurement, series.field, *(text for pair in tags for text in pair)):
        yield from unsayable(text, dialect)
    yield from misread("measurement", series.measurement, dialect)
    yield from misread("field", series.field, dialect)
    yield from (f"tag {key!r} is reserved" for key, _ in tags[1:] if key in dialect.reserved)
    if len(tags) > dialect.max_tags:
        yield f"expected at most {dialect.max_tags - 1} tags, got {len(tags) - 1}"
    # The metric's name in VictoriaMetrics is both of these with a character between.
    values = (f"{series.measurement}_{series.field}", *(value for _, value in tags))
    yield from too_long((key for key, _ in tags), dialect.max_key_bytes)
    yield from too_long(values, dialect.max_value_bytes)


def misread(role: str, name: str, dialect: Dialect) -> Iterator[str]:
    """Yield the reasons why the store would read another measurement or field than this one."""
    # Tried with InfluxDB 1.6: the backslash is lost, or the line is not understood.
    if not dialect.doubles_backslashes and BACKSLASHED.search(name):
        yield f'a {role} must not have a backslash before a comma, blank, = or ", got {name!r:.80}'
    # VictoriaMetrics takes it for the beginning of a text, and stores 0 as of now.
    if role == "field" and dialect.doubles_backslashes and '"' in name:
        yield f'a field must not have a ", got {name!r:.80}'
    if role == "measurement" and name.startswith("#"):
        yield "a measurement must not start with #, which begins a comment"


def endless(made: str, dialect: Dialect) -> Iterator[str]:
    """Yield a reason if the store would take a line, and the next, for one.

    InfluxDB looks for the ends of lines before it looks for tags, by other rules: a blank behind
    two backslashes begins the fields there, and a quote behind them a text.
    """
    if dialect.doubles_backslashes or '"' not in made or "\\\\ " not in made:
        return
    if not ends_by_itself(f"{made}0 0"):
        yield "a quote behind a backslash and a blank cannot be sent"


def too_long(texts: Iterable[str], limit_bytes: float) -> Iterator[str]:
    """Yield a reason for each text that is longer than that."""
    for text in texts:
        if len(text) * 4 > limit_bytes and len(text.encode()) > limit_bytes:
            yield f"expected at most {limit_bytes} bytes, got {text!r:.80}"


def unsayable(text: str, dialect: Dialect) -> Iterator[str]:
    """Yield the reasons why line protocol cannot say this text."""
    if not text:
        yield "a measurement, field, series or tag has an empty name"
    if "\n" in text:
        yield f"a line feed cannot be sent: {text!r:.80}"
    if text.endswith("\\") and not dialect.doubles_backslashes:
        yield f"a backslash at the end cannot be sent: {text!r:.80}"
    if any("\ud800" <= character <= "\udfff" for character in text):
        yield f"not valid Unicode: {text!r:.80}"


def escaped(text: str, special: str, dialect: Dialect) -> str:
    """Return the text with a backslash before each special character."""
    if dialect.doubles_backslashes:
        text = text.replace("\\", "\\\\")
    for character in special:
        text = text.replace(character, f"\\{character}")
    return text


def encode(
    points: Sequence[Point],
    prefixes: Prefixes,
    *,
    low_us: int | None = None,
    high_us: int | None = None,
) -> Lines:
    """Turn points into lines, in the coarsest precision that loses nothing.

    Args:
        points: Their values must be finite floats.
        prefixes: The prefixes of one store, kept from batch to batch.
        low_us: Refuse times before this, in microseconds since the Unix epoch.
        high_us: Refuse times from this on.
    """
    if not points:
        return Lines(b"", b"s", 0, 0, 0)
    series, times, values = zip(*points, strict=True)
    # Many series read at the same time are the rule; then what depends on the time
    # alone is done once for each time, and a glance tells whether that pays.
    alike = len(set(times[:GLANCE])) <= GLANCE // 2
    distinct = set(times) if alike else times
    first_us, last_us = min(distinct), max(distinct)
    unit = math.gcd(UNITS[b"s"], *distinct)
    try:
        heads = list(map(prefixes.__getitem__, series))
    except ReadingError:
        return encode_singly(points, prefixes, low_us=low_us, high_us=high_us)
    if (
        (low_us is not None and first_us < low_us)
        or (high_us is not None and last_us >= high_us)
        or (unit % prefixes.dialect.unit_us and collisions(points, prefixes.dialect.unit_us))
    ):
        return encode_singly(points, prefixes, low_us=low_us, high_us=high_us)
    precision, unit = coarsest(unit, prefixes.dialect.unit_us)
    numbers = written(values)
    if alike:
        ends = {time: f" {time // unit}\n" for time in distinct}
        text = joined_alike(heads, numbers, times, ends)
    else:
        stamps = times if unit == 1 else [time // unit for time in times]
        text = joined(heads, numbers, written(stamps))
    return Lines(text.encode(), precision, len(points), first_us, last_us)


def written(numbers: Sequence[float]) -> list[str]:
    """Return numbers as texts, in one call for all: the shortest that read back as the same."""
    return orjson.dumps(numbers)[1:-1].decode().split(",")


def joined(heads: Sequence[str], numbers: Sequence[str], stamps: Sequence[str]) -> str:
    """Return the lines of points."""
    pieces = ["", "", " ", "", "\n"] * len(stamps)
    pieces[::5], pieces[1::5], pieces[3::5] = heads, numbers, stamps
    return "".join(pieces)[:-1]


def joined_alike(
    heads: Sequence[str], numbers: Sequence[str], times: Sequence[int], ends: Mapping[int, str]
) -> str:
    """Return the lines of points; ``ends`` has what each line of a time ends with."""
    pieces = [""] * (3 * len(times))
    pieces[::3], pieces[1::3] = heads, numbers
    pieces[2::3] = map(ends.__getitem__, times)
    return "".join(pieces)[:-1]


def coarsest(unit_us: int, finest_us: int) -> tuple[bytes, int]:
    """Return the letter and length of the coarsest unit, given one that divides all times."""
    return next(
        (letter, length)
        for letter, length in UNITS.items()
        if unit_us % length == 0 or length <= finest_us
    )


def collisions(points: Sequence[Point], unit_us: int) -> dict[int, int]:
    """Return which points would be hidden by a later one, and the time of that.

    They belong to one series and differ in time by less than the store can tell.
    The same time twice is a repeat, and no collision.
    """
    last: dict[tuple[Series, int], int] = {}
    for index, (series, time_us, _) in enumerate(points):
        last[series, time_us // unit_us] = index
    winners = (last[series, time_us // unit_us] for series, time_us, _ in points)
    return {
        index: points[winner][1]
        for index, winner in enumerate(winners)
        if points[winner][1] != points[index][1]
    }


def encode_singly(
    points: Sequence[Point], prefixes: Prefixes, *, low_us: int | None, high_us: int | None
) -> Lines:
    """Do what ``encode`` does, but point by point, and set aside those that cannot be kept."""
    good: list[Point] = []
    refused: list[tuple[bytes, str]] = []
    hidden = collisions(points, prefixes.dialect.unit_us)
    for index, point in enumerate(points):
        series, time_us, value = point
        try:
            line = f"{prefixes[series]}{value!r} {time_us}".encode()
        except ReadingError as exc:
            refused.append((unsendable(point), str(exc)))
            continue
        if low_us is not None and time_us < low_us:
            refused.append((line, too_old(low_us)))
        elif high_us is not None and time_us >= high_us:
            refused.append((line, f"its time is after {high_us / 1e6:.0f}, too far in the future"))
        elif index in hidden:
            by = f"another reading of its series at {hidden[index]} microseconds"
            refused.append((line, f"the store cannot tell its time from {by}"))
        else:
            good.append(point)
    if not good:
        return Lines(b"", b"s", 0, 0, 0, refused)
    lines = encode(good, prefixes)
    return Lines(lines.text, lines.precision, lines.points, lines.first_us, lines.last_us, refused)


def too_old(low_us: int) -> str:
    """Return why a store does not keep a time before that one."""
    return f"its time is before {low_us / 1e6:.0f}, too old for this store"


def unsendable(point: Point) -> bytes:
    """Return a readable payload for a point that no line can say; it is never sent."""
    series, time_us, value = point
    said = {
        "series": series.name,
        "tags": dict(series.tags),
        "measurement": series.measurement,
        "field": series.field,
        "time_us": time_us,
        "value": value,
    }
    try:
        return UNSENDABLE + orjson.dumps(said) + b"}"
    except (orjson.JSONEncodeError, TypeError):  # lone surrogates
        return UNSENDABLE + orjson.dumps(repr(said)) + b"}"
