"""What comes in, what is found in it, and what all formats share."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import isfinite
from typing import Any, Final

from dateutil import parser as dates  # type: ignore[import-untyped]  # ships no types

from ingestd.plugins import _bmonrules
from ingestd.plugins._jsontext import read_json
from ingestd.plugins._limits import LONGEST_NUMBER, is_name, is_time, name_problem, time_problem
from ingestd.plugins._times import notation

SAMPLES: Final = 5
ISO: Final = notation("iso", UTC)
# What one reading takes besides its texts, until it is safe.
READING_BYTES: Final = 100

# (Unix seconds, series, value) and, perhaps, tags.
Reading = tuple[Any, ...]


class FormatError(ValueError):
    """What came is not what the address expects; it never will be."""


class TooLargeError(ValueError):
    """What came is, or would become, larger than we take."""


class MediaTypeError(ValueError):
    """What came is, by its Content-Type, nothing that the address takes."""


@dataclass(frozen=True, slots=True)
class Message:
    """A request, as a format sees it.

    Attributes:
        query: From the address.
        named: What the path itself says, such as the id of a sensor.
        document: The body: parsed, if the format is JSON or a form.
        now: When it came, in seconds since the Unix epoch.
        most_bytes: How large what is packed inside may become.
        most_held: How much memory its readings may take, in bytes.
        content_type: What its sender says that the body is, or an empty text.
        charset: How its sender says that the body is encoded.
        headers: All that its sender says of it.
        time_problem: Says why a time, in Unix seconds, is not believed, or nothing.
    """

    query: Mapping[str, str]
    named: Mapping[str, str]
    document: Any
    now: float
    most_bytes: int
    most_held: int
    content_type: str = ""
    charset: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    time_problem: Callable[[float], str] = lambda _: ""


@dataclass(frozen=True, slots=True)
class Pending:
    """What a file of the operator's has to decode before readings are found.

    Attributes:
        file: Its full path.
        arguments: What it is called with.
        finish: Returns what is found in the readings that it gives.
    """

    file: str
    arguments: Mapping[str, Any]
    finish: "Callable[[Sequence[Any]], Found]"


@dataclass(slots=True)
class Found:
    """What a format has found in a message.

    Attributes:
        readings: Those that can be stored.
        rejected: How many cannot.
        samples: A few of those, told for the sender.
        note: What to say if there was nothing to read.
        size_bytes: How much memory the readings take, roughly.
        counts: What the format's own answer says besides, by the name that it has there.
        pending: What has to be decoded first, if anything.
    """

    readings: list[Reading] = field(default_factory=list)
    rejected: int = 0
    samples: list[str] = field(default_factory=list)
    note: str = ""
    size_bytes: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    pending: Pending | None = None

    def reject(self, problem: str, *, count: int = 1) -> None:
        """Count what cannot be stored."""
        self.rejected += count
        if len(self.samples) < SAMPLES:
            self.samples.append(problem)


def as_bmon_would(raw: Iterable[Any], message: Message, *, note: str = "") -> Found:
    """Return what BMON would store of readings ``(time, id, value)``."""
    converted = _bmonrules.convert(raw, now=message.now)
    found = Found(rejected=converted.rejected, samples=converted.samples, note=note)
    sift(converted.readings, found, message)
    return found


def sift(readings: Iterable[Reading], found: Found, message: Message) -> None:
    """Add readings to what was found, but reject those that the daemon would not store.

    Raises:
        TooLargeError: They take more memory than they may; a body says little of that.
    """
    for reading in readings:
        problem = problem_of(reading, message)
        if problem:
            found.reject(problem)
        else:
            keep(reading, found, message)


def keep(reading: Reading, found: Found, message: Message) -> None:
    """Add a reading to what was found.

    Raises:
        TooLargeError: They take more memory than they may; a body says little of that.
    """
    found.readings.append(reading)
    found.size_bytes += size_of(reading)
    if found.size_bytes > message.most_held:
        wanted = f"readings of at most {message.most_held} bytes"
        raise TooLargeError(f"expected {wanted}; send fewer")


def size_of(reading: Reading) -> int:
    """Return how many bytes of memory a reading takes, roughly."""
    _, name, _, *tags = reading
    texts = (len(name) + len(text) for each in tags for name, text in each.items())
    return READING_BYTES + len(name) + sum(texts)


def problem_of(reading: Reading, message: Message) -> str:
    """Say why the daemon will not store a reading, so that its sender may mend it; or nothing."""
    time, name, *_ = reading
    if not is_name(name):
        return name_problem(f"{name!r:.80}")
    doubt = doubt_of(time, message)
    return f"{name}: {doubt}" if doubt else ""


def doubt_of(time: float, message: Message) -> str:
    """Say why the daemon will not store a reading of a time, in Unix seconds, or nothing."""
    if not is_time(time):
        _, problem = time_problem(time, f"{time!r:.80}")
        return problem
    return message.time_problem(time)


def parse_json(body: bytes) -> Any:
    """Return a JSON document; single values of it may be none (`read_json`).

    Raises:
        FormatError: It is none.
    """
    try:
        return read_json(body)
    except ValueError as error:
        raise FormatError(f"expected JSON: {error!s:.200}") from None


def mapping(value: Any, where: str) -> Mapping[str, Any]:
    """Return what must be an object.

    Raises:
        FormatError: It is none.
    """
    if not isinstance(value, dict):
        raise FormatError(f"{where}: expected an object, got {value!r:.80}")
    return value


def within(value: Any, *names: str) -> Any:
    """Return what lies that deep in a document, or None."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def text_in(document: Mapping[str, Any], *names: str) -> str:
    """Return a text that must lie that deep in a document.

    Raises:
        FormatError: It does not.
    """
    value = within(document, *names)
    if not isinstance(value, str | int) or isinstance(value, bool) or not str(value):
        raise FormatError(f"{'.'.join(names)}: expected text, got {value!r:.80}")
    return str(value)


def finite(value: Any) -> float | None:
    """Return the number that a value is, or writes, as a float; None if it is no finite one."""
    # Only Python reads "1_000" as a number.
    if isinstance(value, str) and (len(value) > LONGEST_NUMBER or "_" in value):
        return None
    try:
        found = float(value) if isinstance(value, int | float | str) else None
    except (ValueError, OverflowError):  # an integer may have hundreds of digits
        return None
    return found if found is not None and isfinite(found) else None


def number_in(value: Any, where: str) -> float:
    """Return the number that must be there.

    Raises:
        FormatError: It is none, or no finite one.
    """
    found = finite(value)
    if found is None:
        raise FormatError(f"{where}: expected a finite number, got {value!r:.80}")
    return found


def bmon_time(text: Any, message: Message) -> Any:
    """Return the seconds that BMON reads in a time, or what readings are rejected for.

    It takes every time for UTC, whichever offset is written there. Ten digits are
    Unix seconds, though, since no sender writes a date like that.
    """
    if isinstance(text, int | float) and not isinstance(text, bool):
        return text
    if not isinstance(text, str) or not text.strip():
        return f"no time: {text!r:.40}"
    if text.strip().isdecimal() and 9 <= len(text.strip()) <= 11:
        return int(text)
    # What is not said, such as a date, is today's; dateutil would take the machine's.
    today = datetime.fromtimestamp(message.now, UTC).replace(tzinfo=None)
    midnight = today.replace(hour=0, minute=0, second=0, microsecond=0)
    try:
        found: datetime = dates.parse(text[:100], default=midnight, ignoretz=True)
    except (ValueError, OverflowError, TypeError):
        return text
    return found.replace(tzinfo=UTC).timestamp()


def exact_time(text: Any, where: str) -> float:
    """Return the seconds in an ISO 8601 time, which is in UTC unless it says otherwise.

    Raises:
        FormatError: It is none.
    """
    found = ISO.read(text)
    if not isinstance(found, float):
        raise FormatError(f"{where}: expected an ISO 8601 time, got {text!r:.80}")
    return found
