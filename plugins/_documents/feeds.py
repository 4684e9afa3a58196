"""Documents read while they arrive, in memory that does not grow with them.

A feed is given a body piece by piece and gives back the records that are whole, as long as these
stand in a list at the end of a path of names. What it has not given when the body ends is a
document like any other, only smaller.
"""

import codecs
import re
from codecs import BOM_UTF8
from collections.abc import Sequence
from typing import Any, Final, Protocol

import orjson

from .csvoptions import Csv
from .csvtext import CsvRows
from .jsontext import json_in, ndjson_in
from .listed import Headed
from .texts import decoded_more, decoder_of

# Keys before a list are few; what is longer is read as a whole.
LONGEST_HEAD: Final = 64 * 1024
LONGEST_RECORD: Final = 256 * 1024
LONGEST_MARK: Final = 3  # bytes of a byte order mark
# Not to try after each few bytes of a slow sender.
LEAST: Final = 4 * 1024
# How many braces are tried for one that ends a record.
TRIES: Final = 32
TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[][{}:,]|[^][{}:,\s"]+', re.DOTALL)
FOLLOWS: Final = re.compile(rb"\s*,")


class Feed(Protocol):
    """Reads a document while it arrives."""

    def feed(self, data: bytes) -> Sequence[Any]:
        """Return the records that some more of a body ends.

        Raises:
            DocumentError: It is no such document.
        """

    def close(self) -> tuple[Sequence[Any], Any]:
        """Return the records, or else the document, that are left at the end.

        Raises:
            DocumentError: It is no such document, or broke off.
        """


class JsonFeed:
    """Reads the list at a path in a JSON document.

    What lies between the beginning of a record and an end of an object is a list of whole
    records if it is valid JSON at all, and is parsed in one call. A brace may also be in a text,
    or close something inside a record, or the list may have ended: that is never valid.

    Args:
        steps: The names on the path.
    """

    def __init__(self, steps: Sequence[str]) -> None:
        self._steps = [orjson.dumps(step) for step in steps]
        self._opening, self._rest = b"", b""
        self._found, self._easy, self._tried = False, True, 0

    def feed(self, data: bytes) -> list[Any]:
        """Return the records that some more of a body ends."""
        self._rest += data
        if self._easy and not self._found and len(self._rest) >= 2 * self._tried:
            self._look_for_list()
        if not (self._easy and self._found) or len(self._rest) < self._tried + LEAST:
            return []
        found = self._block()
        self._tried = 0 if found else len(self._rest)
        return found

    def _look_for_list(self) -> None:
        self._rest = self._rest.removeprefix(BOM_UTF8)
        at = list_at(self._rest, self._steps)
        if at is None:
            self._easy, self._tried = len(self._rest) <= LONGEST_HEAD, len(self._rest)
            return
        self._found, self._tried = True, 0
        self._opening, self._rest = self._rest[:at], self._rest[at:]

    def _block(self) -> list[Any]:
        end = len(self._rest)
        for _ in range(TRIES):
            end = self._rest.rfind(b"}", 0, end)
            follows = FOLLOWS.match(self._rest, end + 1)
            if end < 0:
                break
            if follows is None:
                continue
            try:
                found: list[Any] = orjson.loads(b"[%b]" % self._rest[: end + 1])
            except orjson.JSONDecodeError:
                continue
            self._rest = self._rest[follows.end() :]
            return found
        self._easy = len(self._rest) <= LONGEST_RECORD
        return []

    def close(self) -> tuple[list[Any], Any]:
        """Return the document that is left; what was given is gone from its list."""
        return [], json_in(self._opening + self._rest)


def list_at(head: bytes, steps: Sequence[bytes]) -> int | None:
    """Return where a list begins whose keys are some steps, or None if it is not there."""
    keys: list[bytes] = []  # of the objects that are open, and a bracket for each list
    last = b""
    for token in TOKEN.finditer(head):
        word = token[0]
        if word == b"[" and keys == list(steps):
            return token.end()
        if word in b"[{":
            keys.append(word)
        elif word in b"]}":
            keys = keys[:-1]
        elif word == b":" and keys:
            keys[-1] = last
        last = word
    return None


class NdjsonFeed:
    """Reads lines of JSON.

    Args:
        strict: Whether to refuse what does not begin with such lines.
    """

    def __init__(self, *, strict: bool = True) -> None:
        self._rest = b""
        self._good = not strict

    def feed(self, data: bytes) -> list[Any]:
        """Return the records in the lines that are whole."""
        lines, newline, rest = data.rpartition(b"\n")
        if not newline:
            self._rest += data
            return []
        block, self._rest = self._rest + lines, rest
        return self._read(block.removeprefix(BOM_UTF8))

    def close(self) -> tuple[list[Any], Any]:
        """Return the record in the last line."""
        return self._read(self._rest), None

    def _read(self, block: bytes) -> list[Any]:
        lines = block.strip()
        try:
            found: list[Any] = orjson.loads(b"[%b]" % lines.replace(b"\n", b","))
        except orjson.JSONDecodeError:  # also of lines that are empty, or end otherwise
            found = []
        if len(found) != lines.count(b"\n") + bool(lines):
            found = ndjson_in(block, strict=not self._good)
        self._good = self._good or bool(found)
        return found


class CsvFeed:
    """Reads CSV line by line.

    Args:
        csv: How.
        charset: What the operator says of the encoding.
        said: What the sender says of it.
    """

    def __init__(self, csv: Csv, *, charset: str | None, said: str | None) -> None:
        self._rows, self._start, self._rest = CsvRows(csv), b"", ""
        self._charset, self._said = charset, said
        self._decoder: codecs.IncrementalDecoder | None = None
        self._seen = False  # whether there was a line

    def feed(self, data: bytes) -> Sequence[Any]:
        """Return the records in the lines that are whole."""
        return self._read(data, last=False)

    def close(self) -> tuple[Sequence[Any], Any]:
        """Return the record in the last line."""
        found = self._read(b"", last=True)
        self._rows.close()
        return found, None if found or self._seen else Headed(self._rows.names)

    def _read(self, data: bytes, *, last: bool) -> Sequence[Any]:
        found = self._records(data, last=last)
        self._seen = self._seen or bool(found)
        return found

    def _records(self, data: bytes, *, last: bool) -> Sequence[Any]:
        if self._decoder is None:
            self._start += data
            if len(self._start) < LONGEST_MARK and not last:
                return []
            data, self._start = self._start, b""
            self._decoder = decoder_of(data, charset=self._charset, said=self._said)
            self._rest = decoded_more(self._decoder, data, last=last).lstrip("\ufeff")
        else:
            self._rest += decoded_more(self._decoder, data, last=last)
        text = self._rest
        cut = len(text) if last else end_of_lines(text)
        self._rest = text[cut:]
        return self._rows.records(text[:cut])


def end_of_lines(text: str) -> int:
    """Return where the last line ends that is whole: not in a text that a quote has opened."""
    cut = text.rfind("\n") + 1
    if '"' in text:
        while cut and text.count('"', 0, cut) % 2:
            cut = text.rfind("\n", 0, text.rfind('"', 0, cut)) + 1
    return cut
