"""Documents in a shape and a format that the operator describes, sent to a path of their own."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import Any, Final

from ingestd.plugins._documents import DocumentError, Format
from ingestd.plugins._limits import is_tag
from ingestd.plugins._shapes import NOT_FIXED, Description, Reader
from ingestd.plugins._times import NO_TIME, Bounds, NoTime, settle_readings

from .message import FormatError, Found, Message, Reading, finite, sift

QUERY: Final = "query."


@dataclass(frozen=True, slots=True)
class Documents:
    """Finds readings in documents.

    Attributes:
        description: Where the readings are in a document.
        form: What a body is written in; None: the fields of a form, or of the query.
    """

    description: Description
    form: Format | None

    def find(self, message: Message) -> Found:
        """Find the readings in a message.

        Raises:
            FormatError: It is no such document, or has no records where they were said to be.
        """
        reader = self.description.reader(lambda field: known(message, field))
        found = Found()
        try:
            for document in self._documents(message):
                records = reader.records_of(document)
                arrived = Bounds(now=message.now, live=True)
                readings = settle_readings(
                    reader.readings(records, now=message.now), bounds=arrived
                )
                take(readings, found, message)
                if readings and all(value is None for _, _, value, *_ in readings):
                    note_missing(reader, records, found)
        except DocumentError as error:
            raise FormatError(str(error)) from None
        return found

    def _documents(self, message: Message) -> Iterable[Any]:
        if self.form is None:
            return iter([message.document])
        return self.form.documents(
            message.document,
            most_bytes=message.most_bytes,
            content_type=message.content_type,
            said=message.charset,
        )


def known(message: Message, field: str) -> Any:
    """Return what the address says: a level of the path by its name, or a part of the query."""
    if field in message.named:
        return message.named[field]
    if field.startswith(QUERY):
        return message.query.get(field.removeprefix(QUERY))
    return NOT_FIXED


def take(readings: Sequence[Reading], found: Found, message: Message) -> None:
    """Add readings to what was found; count those that cannot be stored.

    Raises:
        TooLargeError: They take more memory than they may.
    """
    for time, series, value, *tags in readings:
        if value is None:
            continue  # it says that there is none
        problem = problem_in(time, series, value, *tags)
        if problem:
            found.reject(problem)
        else:
            sift([(unix(time), series, float(value), *(tags or [{}]))], found, message)


def note_missing(reader: Reader, records: list[Any], found: Found) -> None:
    """Reject records of which none has a value, and none says that it has none."""
    if not any(map(reader.has_nothing, records)):
        found.reject(f"expected a value, got {reader.shown(records)}", count=len(records))


def problem_in(time: Any, series: Any, value: Any, tags: Mapping[str, Any] | None = None) -> str:
    """Say why a reading cannot be stored, or nothing."""
    if isinstance(value, str) or finite(value) is None:
        return f"{series!s:.80}: expected a finite number, got {value!r:.80}"
    if isinstance(time, NoTime) and time.reason != NO_TIME:
        return f"{series!s:.80}: {time}"
    if unix(time) is None:
        return f"{series!s:.80}: expected a time, with an offset or by `timezone`, got {time!s:.80}"
    if wrong := next((name for name, text in (tags or {}).items() if not is_tag(name, text)), None):
        return f"{series!s:.80}: expected a printable text as the tag {wrong!r:.80}"
    return ""


def unix(time: Any) -> float | None:
    """Return a time in Unix seconds, or None if it is none, or one without a zone."""
    if isinstance(time, datetime):
        return time.timestamp() if time.tzinfo else None
    if isinstance(time, int | float) and not isinstance(time, bool) and isfinite(time):
        return float(time)
    return None
