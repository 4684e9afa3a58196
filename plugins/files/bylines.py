"""Documents of lines, from anywhere in a file that may grow, or be cut, meanwhile."""

import os
from collections.abc import Iterator, Sequence
from copy import deepcopy
from io import BufferedReader
from typing import IO, Any, Final

from ingestd.plugins._documents import DocumentError, Lines, Listed
from ingestd.plugins._readings import Reading
from ingestd.plugins._times import Twice, settle_readings

from .prints import PRINT, Prints, hashed
from .work import Batch, ChangedError, Place, Work, found_in, is_empty

BLOCK: Final = 64 * 1024
LONGEST_LINE: Final = 8 * 1024 * 1024
BEHIND: Final = 16 * 1024  # what is read again to tell which pass of an hour a time is of


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
        self._earlier = lines  # as they were read before
        # How the file begins, and what stands before the block that is looked at.
        self._head, self._behind = b"", b""
        self._file = stream.fileno() if isinstance(stream, BufferedReader) else None

    def batches(self, begin: Place) -> Iterator[Batch]:
        """Yield its readings.

        Raises:
            DocumentError: It is not what it should be.
        """
        number, place = begin
        first, block = place == 0, self._start
        if not first:
            self._lines.skip(self._start[:place])
            self._lines.go_on(self._work.columns)
            self._earlier = deepcopy(self._lines)
            block = self._from(place)
        more = block
        while block:
            end = self._lines.end(block) if more or not self._work.whole else len(block)
            if end:
                readings, problems, empty = self._readings(block[:end], place, first=first)
                place, first = place + end, False
                self._pass(block[:end])
                columns = self._lines.columns
                yield Batch(readings, (number, place), problems, empty, self._prints, columns)
            elif not more:
                break
            block = block[end:]
            more = self._more(block, place)
            block += more
        if not self._work.growing:
            self._lines.close()

    @property
    def _prints(self) -> Prints:
        return hashed(self._head), hashed(self._behind)

    def _pass(self, block: bytes) -> None:
        self._behind = (self._behind + block)[-PRINT:]
        if len(self._head) < PRINT:
            self._head = (self._head + block)[:PRINT]

    def _from(self, place: int) -> bytes:
        """Return what stands at a place, if that before it is what was read before.

        Raises:
            ChangedError: It is not.
        """
        width = min(PRINT, place)
        data = self._at(place - width, width + BLOCK)
        self._head, self._behind = self._start[:width], data[:width]
        if self._work.prints not in (None, self._prints):
            raise ChangedError
        return data[width:]

    def _more(self, block: bytes, place: int) -> bytes:
        """Return what follows a block, if that is still what it was.

        Raises:
            ChangedError: It is not.
        """
        if len(block) > LONGEST_LINE:
            raise DocumentError("lines", got=f"{len(block)} bytes without an end of one")
        if self._file is None:
            return self._stream.read(BLOCK)
        before = (self._behind + block)[-PRINT:]
        data = self._at(place + len(block) - len(before), len(before) + BLOCK)
        if not data.startswith(before):
            raise ChangedError
        return data[len(before) :]

    def _at(self, place: int, size: int) -> bytes:
        """Return what stands at a place, read at once, so that it is of one file."""
        if self._file is not None:
            return os.pread(self._file, size, place)
        self._stream.seek(place)
        return self._stream.read(size)

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
        later, self._lines = self._lines, self._earlier
        behind = self._of(self._records(block, begin, first=False)[0]) if block else []
        self._lines = later
        settled = settle_readings([*behind, *readings], bounds=self._work.bounds)
        self._before = settled[len(behind) :]
        return self._before
