"""From a file to readings, some at a time, from anywhere in the file."""

from collections.abc import Iterator, Sequence
from typing import IO, Any, Final

from ingestd.plugins._documents import DocumentError, kind_of
from ingestd.plugins._readings import Reading
from ingestd.plugins._times import settle_readings

from .bylines import BLOCK, ByLines
from .opening import Part, as_documents, opened, parts_of
from .tables import TABLES, tables_of
from .work import Batch, Place, Work, found_in, is_empty

MANY: Final = 1500  # records of a document that has no lines


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
    lines = work.form.by_lines(
        start, name=part.name, growing=work.growing, time=work.reader.time_field
    )
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


def sliced(records: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Yield records some at a time."""
    return (records[at : at + MANY] for at in range(0, len(records), MANY))
