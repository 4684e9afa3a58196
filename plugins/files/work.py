"""What is to be read of a file, and what comes of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ingestd.plugins._documents import Columns, DocumentError, Format
from ingestd.plugins._readings import Reading, column
from ingestd.plugins._shapes import Reader
from ingestd.plugins._times import Bounds

from .listing import Found
from .prints import Prints

# Where a batch begins: the number of a document in its file, and how far into that: bytes of
# lines, or else records.
Place = tuple[int, int]


class ChangedError(OSError):
    """A file is not any more what it was a moment ago: it was cut, and has grown again."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Some readings.

    Attributes:
        readings: The unusable ones, too.
        end: Where the next batch begins.
        problems: What is wrong with lines of which none were made.
        empty: Whether records say themselves that they have no values.
        prints: Hashes of how the file begins, and of what lies before ``end``; of what was read,
            as a file that is cut and grows again is another one a moment later.
        columns: What a header in the midst of the file has said before ``end``, if there was one.
    """

    readings: Sequence[Reading]
    end: Place
    problems: Sequence[str] = ()
    empty: bool = False
    prints: Prints | None = None
    columns: Columns | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What is to be read.

    Attributes:
        file: Of which file.
        kind: ``xlsx`` or ``parquet``; an empty text: ``form`` says.
        form: What its documents are written in.
        reader: What finds readings in them.
        most_bytes: How large a document may be that has to be read as a whole.
        sheet: Which one of a workbook; None: the first.
        begin: Where to begin.
        now: The time, in Unix seconds.
        growing: Whether lines may be added to it.
        whole: Whether a last line without an end is a line.
        prints: What was read before ``begin``, if that matters.
        columns: What a header in the midst of the file has said before ``begin``, if there was one.
    """

    file: Found
    kind: str
    form: Format
    reader: Reader
    most_bytes: int
    sheet: str | None
    begin: Place
    now: float
    growing: bool
    whole: bool
    prints: Prints | None = None
    columns: Columns | None = None

    @property
    def bounds(self) -> Bounds:
        """What is known of times before they are read."""
        return Bounds(now=min(self.now, self.file.modified_ns / 1e9))


def found_in(reader: Reader, document: Any) -> Sequence[Any]:
    """Return the records of a document.

    Raises:
        DocumentError: They are not where they were said to be.
    """
    try:
        return reader.records_of(document)
    except DocumentError:
        raise
    except ValueError as error:
        raise DocumentError("records", why=str(error)) from None


def is_empty(reader: Reader, records: Sequence[Any], readings: Sequence[Reading]) -> bool:
    """Say whether no record has a value, and one says so itself, as of a sensor that is off."""
    if reader.scoped or any(value is not None for value in column(readings, 2)):
        return False
    return any(map(reader.has_nothing, records))
