"""Files whose lines are records, read in blocks of whole lines from anywhere in the file."""

from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator, Sequence
from typing import Any, Final

from . import influx
from .csvoptions import Csv
from .csvtext import Columns, CsvRows
from .feeds import NdjsonFeed
from .texts import encoding_of, no_text

BY_LINES: Final = frozenset({"csv", "ndjson", "influx"})
# A quote that is never closed would make one record of all that follows.
LONGEST_RECORD: Final = 256 * 1024
UTF_16: Final = {BOM_UTF16_LE: "utf-16-le", BOM_UTF16_BE: "utf-16-be"}


class Lines:
    """Reads blocks of whole lines.

    Args:
        kind: One of ``BY_LINES``.
        csv: How CSV is read.
        charset: How text is encoded; None: as it begins, or UTF-8.
        start: How the file begins.
        time: The name of the column that has the time of each record; None: it is not one column.
    """

    def __init__(
        self, kind: str, *, csv: Csv, charset: str | None, start: bytes, time: str | None = None
    ) -> None:
        self._kind = kind
        self._encoding = UTF_16.get(start[:2]) or encoding_of(start, charset=charset, said=None)
        self._newline, self._quote = self._encoded("\n"), self._encoded('"')
        self._rows = CsvRows(csv, again=True, time=time)
        self._may_quote = kind == "csv"

    def _encoded(self, mark: str) -> bytes:
        return mark.encode(self._encoding.removesuffix("-sig"))

    def end(self, block: bytes) -> int:
        """Return where the last record ends that is whole, 0 if none is.

        Args:
            block: Begins with a record.
        """
        end = last_end(block, self._newline, len(block))
        if not self._may_quote or block.find(self._quote, 0, end) < 0:
            return end
        within = end
        while within and block.count(self._quote, 0, within) % 2:
            within = last_end(block, self._newline, block.rfind(self._quote, 0, within))
        return within if within or len(block) < LONGEST_RECORD else end

    def lines(self, block: bytes) -> Iterator[bytes]:
        """Yield each line of a block."""
        begin = 0
        while begin < len(block):
            end = first_end(block, self._newline, begin)
            yield block[begin:end]
            begin = end

    @property
    def ready(self) -> bool:
        """Whether no line that is still to come says how others are read."""
        return self._kind != "csv" or self._rows.ready

    @property
    def columns(self) -> Columns | None:
        """What a header in the midst of the lines has said; None: there was none."""
        return self._rows.later

    def go_on(self, columns: Columns | None) -> None:
        """Go on below such a header, if there was one."""
        if columns is not None:
            self._rows.go_on(columns)

    def skip(self, head: bytes) -> None:
        """Learn from the beginning of a file how the rest is read.

        Args:
            head: Whole lines.

        Raises:
            DocumentError: It is no such file.
        """
        for line in self.lines(head):
            if self.ready:
                return
            self.records(line, first=False)

    def records(self, block: bytes, *, first: bool) -> Sequence[Any]:
        """Return the records in a block of whole lines; what cannot be read is a text.

        Args:
            block: The lines; the last one may have no end.
            first: Whether it is the first of its file, of which more is expected.

        Raises:
            DocumentError: It has none.
        """
        if self._kind == "ndjson":
            return self._of_json(block, first=first)
        text = self._text(block, first=first)
        return influx.records(text) if self._kind == "influx" else self._rows.records(text)

    def _of_json(self, block: bytes, *, first: bool) -> Sequence[Any]:
        if self._encoding != "utf-8":
            block = self._text(block, first=first).encode()
        feed = NdjsonFeed(strict=first)
        found = feed.feed(block)
        left, _ = feed.close()
        return [*found, *left] if left else found

    def _text(self, block: bytes, *, first: bool) -> str:
        # Of a file that began well a wrong byte costs one line.
        try:
            return block.decode(self._encoding, "strict" if first else "replace").lstrip("\ufeff")
        except UnicodeDecodeError as error:
            raise no_text(error) from None

    def close(self) -> None:
        """Say that the file has ended.

        Raises:
            DocumentError: It had no header.
        """
        if self._kind == "csv":
            self._rows.close()


def last_end(block: bytes, newline: bytes, before: int) -> int:
    """Return where the last line ends in the beginning of a block, 0 if none does."""
    width, at = len(newline), before
    while (at := block.rfind(newline, 0, at)) >= 0:
        if at % width == 0:
            return at + width
        at += width - 1
    return 0


def first_end(block: bytes, newline: bytes, begin: int) -> int:
    """Return where the line ends that begins at a place; the end of the block, if it has none."""
    width, at = len(newline), begin
    while (at := block.find(newline, at)) >= 0:
        if (at - begin) % width == 0:
            return at + width
        at += 1
    return len(block)
