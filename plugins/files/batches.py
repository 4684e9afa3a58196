"""From a file to readings, some at a time, from anywhere in the file."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any, Final

from ingestd.plugins._documents import DocumentError, Format, Lines, Listed, kind_of
from ingestd.plugins._readings import Reading, column
from ingestd.plugins._shapes import Reader
from ingestd.plugins._times import Bounds, Twice, settle_readings

from .listing import Found
from .opening import Part, as_documents, opened, parts_of
from .tables import TABLES, tables_of

# Where a batch begins: the number of a document in its file, and how far into that: bytes of
# lines, or else records.
Place = tuple[int, int]

BLOCK: Final = 64 * 1024
LONGEST_LINE: Final = 8 * 1024 * 1024
MANY: Final = 1500  # records of a document that has no lines
BEHIND: Final = 16 * 1024  # what is read again to tell which pass of an hour a time is of
MOST_TOLD: Final = 3  # of what is wrong with lines


@dataclass(frozen=True, slots=True)
class Batch:
    """Some readings.

    Attributes:
        readings: The unusable ones, too.
        end: Where the next batch begins.
        problems: What is wrong with lines of which none were made.
        empty: Whether records say themselves that they have no values.
    """

    readings: Sequence[Reading]
    end: Place
    problems: Sequence[str] = ()
    empty: bool = False


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

    @property
    def bounds(self) -> Bounds:
        """What is known of times before they are read."""
        return Bounds(now=min(self.now, self.file.modified_ns / 1e9))


def batches(work: Work) -> Iterator[Batch]:
    """Yield the readings of a file; may block.

    Raises:
        OSError: It cannot be read.
        DocumentError: It is not what it should be.
    """
    with as_documents(), opened(work.file.path) as file:
        if work.kind in TABLES:
            tables = tables_of(work.kind, file, csv=work.form.csv, sheet=work.sheet)
            yield from of_records(work, tables, (0, work.begin[1]))
            return
        for number, part in enumerate(parts_of(work.file.path, file, work.form)):
            if number >= work.begin[0]:
                place = work.begin[1] if number == work.begin[0] else 0
                with part.open() as stream:
                    yield from of_part(work, part, stream, (number, place))
                if not work.growing:
                    yield Batch([], (number + 1, 0))


def of_part(work: Work, part: Part, stream: IO[bytes], begin: Place) -> Iterator[Batch]:
    """Yield the readings of one document.

    Raises:
        DocumentError: It is not what it should be.
    """
    start = stream.read(BLOCK)
    lines = work.form.by_lines(start, name=part.name, growing=work.growing)
    if lines is not None:
        yield from ByLines(work, lines, stream, start).batches(begin)
    elif start:
        yield from of_records(work, records_in(work, part, stream, start), begin)


def of_records(work: Work, found: Iterator[Sequence[Any]], begin: Place) -> Iterator[Batch]:
    """Yield the readings of records, behind those that were read before."""
    number, skipped = begin
    at, read = 0, work.reader.compiled()
    before: Sequence[Reading] = ()
    for records in found:
        at += len(records)
        left = records[max(0, len(records) - (at - skipped)) :] if at > skipped else []
        if left:
            made = settle_readings(read(left, None), before=before, bounds=work.bounds)
            before = made
            yield Batch(made, (number, at), empty=is_empty(work.reader, left, made))


def records_in(work: Work, part: Part, stream: IO[bytes], start: bytes) -> Iterator[Sequence[Any]]:
    """Yield the records of a document without lines, some at a time.

    Raises:
        DocumentError: It is not what it should be.
    """
    steps = work.reader.steps
    feed = None if steps is None else work.form.feed(start, steps, content_type=part.name)
    if feed is None:
        data = start + stream.read(max(0, work.most_bytes + 1 - len(start)))
        if len(data) > work.most_bytes:
            raise DocumentError(f"at most {work.most_bytes} bytes (max_bytes)", got="more")
        document = work.form.document(data, kind=kind_of(part.name))
        yield from sliced(found_in(work.reader, document))
        return
    piece = start
    while piece:
        yield from sliced(feed.feed(piece))
        piece = stream.read(BLOCK)
    left, document = feed.close()
    yield from sliced(left)
    yield from sliced([] if document is None else found_in(work.reader, document))


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


def sliced(records: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Yield records some at a time."""
    return (records[at : at + MANY] for at in range(0, len(records), MANY))


class ByLines:
    """Reads a document of lines.

    Args:
        work: What is to be read.
        lines: What reads blocks of lines.
        stream: The document.
        start: How it begins.
    """

    def __init__(self, work: Work, lines: Lines, stream: IO[bytes], start: bytes) -> None:
        self._work, self._lines, self._stream, self._start = work, lines, stream, start
        self._read = work.reader.compiled()
        self._before: Sequence[Reading] | None = None  # None: of what was read before

    def batches(self, begin: Place) -> Iterator[Batch]:
        """Yield its readings.

        Raises:
            DocumentError: It is not what it should be.
        """
        number, place = begin
        first, block = place == 0, self._start
        if not first:
            self._lines.skip(self._start[:place])
            self._stream.seek(place)
            block = self._stream.read(BLOCK)
        more = block
        while block:
            end = self._lines.end(block) if more or not self._work.whole else len(block)
            if end:
                readings, problems, empty = self._readings(block[:end], place, first=first)
                place, first = place + end, False
                yield Batch(readings, (number, place), problems, empty)
            elif not more:
                break
            block = block[end:]
            more = self._more(len(block))
            block += more
        if not self._work.growing:
            self._lines.close()

    def _more(self, waiting: int) -> bytes:
        if waiting > LONGEST_LINE:
            raise DocumentError("lines", got=f"{waiting} bytes without an end of one")
        return self._stream.read(BLOCK)

    def _readings(
        self, block: bytes, place: int, *, first: bool
    ) -> tuple[Sequence[Reading], Sequence[str], bool]:
        """Return the readings of a block, what is wrong with lines, and whether it is empty."""
        records, problems = self._records(block, place, first=first)
        readings = self._of(records) if records else []
        empty = is_empty(self._work.reader, records, readings)
        if self._before is None and any(type(each[0]) is Twice for each in readings):
            return self._settled_behind(readings, place), problems, empty
        before = self._before or ()
        self._before = settle_readings(readings, before=before, bounds=self._work.bounds)
        return self._before, problems, empty

    def _records(
        self, block: bytes, place: int, *, first: bool
    ) -> tuple[Sequence[Any], Sequence[str]]:
        try:
            return self._lines.records(block, first=first), ()
        except DocumentError:
            if first:
                raise
        found: list[Any] = []
        problems = []
        for line in self._lines.lines(block):
            try:
                found += self._lines.records(line, first=False)
            except DocumentError as error:
                problems.append(f"byte {place}: {error}")
            place += len(line)
        return found, problems

    def _of(self, records: Sequence[Any]) -> Sequence[Reading]:
        reader = self._work.reader
        return self._read(
            records if reader.steps == () else found_in(reader, Listed(records)), None
        )

    def _settled_behind(self, readings: Sequence[Reading], place: int) -> Sequence[Reading]:
        """Settle readings together with those before them, whose order tells the pass."""
        here = self._stream.tell()
        begin = max(0, place - BEHIND)
        self._stream.seek(begin)
        block = self._stream.read(place - begin)
        self._stream.seek(here)
        if begin:
            block = block[len(next(self._lines.lines(block), b"")) :]
        behind = self._of(self._records(block, begin, first=False)[0]) if block else []
        settled = settle_readings([*behind, *readings], bounds=self._work.bounds)
        self._before = settled[len(behind) :]
        return self._before
