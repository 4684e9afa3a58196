"""XML read while it arrives: by a parser, which is told less once the form of its records is known.

Records of that form are cut out where the parser has just seen the end of one. What it is given
is the document with fewer records, which is well-formed if and only if the whole is, since what
is cut out is known to be.
"""

from collections.abc import Sequence
from typing import Any, Final

from .jsontext import is_utf8
from .tables import joined
from .xmlform import Form, form_of, text_in
from .xmltext import XmlRecords

ASCII: Final = bytes(range(0x20, 0x7F)) + b"\t\n\r"
HEAD: Final = 4  # bytes, of which one is zero in UTF-16
FIRST: Final = 8 * 1024  # bytes, in which there mostly is a record to learn from


class XmlFeed:
    """Reads the elements at a path below the root.

    Args:
        steps: The names on the path.
        charset: What the operator says of the encoding, or the sender; None: as the document.
    """

    def __init__(self, steps: Sequence[str], charset: str | None) -> None:
        self._records = XmlRecords(steps, charset)
        self._form: Form | None = None
        self._between = False  # whether the parser has seen the end of a record, and no more
        self._rest = b""  # the beginning of a record that the parser has not seen
        self._head, self._zeros = b"", b""  # how all begins, and what stands at the end so far

    def feed(self, data: bytes) -> Sequence[Any]:
        """Return the elements that some more of a document ends.

        Raises:
            DocumentError: It is no XML.
        """
        self._head += data[: HEAD - len(self._head)]
        data, self._rest = self._rest + self._zeros + data, b""
        whole, data = data, data.rstrip(b"\0")
        self._zeros = whole[len(data) :]
        found: list[Sequence[Any]] = []
        if self._form is None:
            data = self._parsed(data, FIRST, found)
        if self._form is not None and not self._between:
            tail = self._form.tail
            data = self._parsed(data, data.find(tail) + len(tail), found)
        if self._form is not None and self._between:
            data = self._cut_out(self._form, data, found)
        self._parsed(data, len(data), found)
        return joined([each for each in found if each])

    def close(self) -> tuple[Sequence[Any], Any]:
        """Return the elements that are left.

        Raises:
            DocumentError: The document broke off.
        """
        # C programs end their texts so; in UTF-16 they are a part of the last letter.
        zeros = self._zeros if b"\0" in self._head else b""
        found = self._records.feed(self._rest + zeros)
        return found + self._records.close()[0], None

    def _parsed(self, data: bytes, size: int, found: list[Sequence[Any]]) -> bytes:
        """Have the parser read the beginning of some data; return what follows."""
        if not data:
            return data
        start = data[:size]
        records = self._records.feed(start)
        found.append(records)
        begin, end = self._records.latest
        self._between = bool(records) and not start[end:].strip()
        if self._form is None and begin >= 0 and like_ascii(self._records.encoding):
            text = text_in(start[begin:end], encoding=self._encoding)
            self._form = form_of(text, records[-1]) if text else None
        return data[size:]

    def _cut_out(self, form: Form, data: bytes, found: list[Sequence[Any]]) -> bytes:
        """Find the records of a form in some data; return what the parser has to read."""
        end = data.rfind(form.tail) + len(form.tail)
        text = text_in(data[:end], encoding=self._encoding) if form.tail in data else None
        if text is None:
            return data
        table = form.read(text)
        if table is None:
            return self._cut_between(form, text, found).encode() + data[end:]
        found.append(table)
        self._records.skipped += end
        self._rest = data[end:]
        return b""

    def _cut_between(self, form: Form, text: str, found: list[Sequence[Any]]) -> str:
        """Find the records of a form with others between them; return what has to be read."""
        rows: list[tuple[str, ...]] = []
        at = 0
        for match in form.pattern.finditer(text):
            other = text[at : match.start()]
            if other.strip():
                found.append(form.table(rows))
                rows = []
                self._parsed(other.encode(), len(other.encode()), found)
                at = match.start()
                if not self._between:
                    break
            rows.append(match.groups())
            self._records.skipped += len(text[at : match.end()].encode())
            at = match.end()
        found.append(form.table(rows))
        return text[at:]

    @property
    def skipped(self) -> int:
        """How many bytes were cut out."""
        return self._records.skipped

    @property
    def _encoding(self) -> str:
        """How to read what is as it seems; ASCII where all of that has its meaning."""
        return "utf-8" if is_utf8(self._records.encoding) else "ascii"


def like_ascii(encoding: str) -> bool:
    """Say whether the letters of ASCII are in an encoding what they are in ASCII."""
    try:
        return ASCII.decode(encoding) == ASCII.decode("ascii")
    except (LookupError, ValueError):
        return False
