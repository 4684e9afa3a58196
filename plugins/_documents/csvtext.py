"""CSV: a record for each line, its fields by the names in the header."""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ingestd.plugins._params import whole

from .errors import DocumentError

OPTIONS: Final = ("delimiter", "skip", "comment")
# Where nothing is said, the one that is most often in the first line; of two the first.
DELIMITERS: Final = (";", "\t", ",", "|")
LONGEST_FIELD: Final = 128 * 1024
QUOTED: Final = re.compile(r'"[^"]*"')


@dataclass(frozen=True, slots=True)
class Csv:
    """How lines are read.

    Attributes:
        delimiter: What stands between fields; None: found in the first line.
        skip: Lines before the header that are none.
        comment: What lines begin with that are none.
        names: The fields' names where there is no header.
    """

    delimiter: str | None
    skip: int
    comment: str | None
    names: tuple[str, ...] | None

    def records(self, lines: Iterable[str]) -> Iterator[dict[str, Any]]:
        """Yield a record for each line; an empty field is null.

        Raises:
            DocumentError: They are no CSV.
        """
        kept = self._kept(lines)
        first = next(kept, None)
        if first is None:
            return
        rows = csv.reader(chained(first, kept), delimiter=self.delimiter or delimiter_in(first))
        try:
            names = list(self.names) if self.names else header(next(rows))
            for row in rows:
                if row:
                    record = dict(zip(names, row, strict=False))
                    yield record if "" not in row else emptied(record)
        except csv.Error as error:
            raise DocumentError("CSV", why=str(error)) from None

    def _kept(self, lines: Iterable[str]) -> Iterator[str]:
        for number, line in enumerate(lines):
            if number >= self.skip and not (self.comment and line.startswith(self.comment)):
                yield line


def csv_of(options: Any, *, names: tuple[str, ...] | None) -> Csv:
    """Read the option ``csv``.

    Raises:
        ValueError: Says what is wrong with it.
    """
    given = {} if options is None else options
    if not isinstance(given, Mapping) or not set(given) <= set(OPTIONS):
        raise ValueError(f"csv: expected some of {', '.join(OPTIONS)}, got {given!r:.80}")
    delimiter, comment = given.get("delimiter"), given.get("comment")
    if delimiter is not None and (not isinstance(delimiter, str) or len(delimiter) != 1):
        raise ValueError(f"csv.delimiter: expected one character, got {delimiter!r:.80}")
    if delimiter in {'"', "\n", "\r"}:
        raise ValueError(f"csv.delimiter: expected one that stands in no text, got {delimiter!r}")
    if comment is not None and (not isinstance(comment, str) or not comment):
        raise ValueError(f"csv.comment: expected what a comment begins with, got {comment!r:.80}")
    return Csv(delimiter, whole(given.get("skip", 0), "csv.skip", least=0), comment, names)


def chained(first: str, others: Iterator[str]) -> Iterator[str]:
    """Yield a line and those behind it."""
    yield first
    yield from others


def delimiter_in(line: str) -> str:
    """Return what is most likely to stand between the fields of a line."""
    bare = QUOTED.sub("", line)
    return max(DELIMITERS, key=bare.count) if any(map(bare.count, DELIMITERS)) else ","


def header(row: list[str]) -> list[str]:
    """Return the names in a header.

    Raises:
        DocumentError: A name comes twice.
    """
    names = [name.strip() for name in row]
    twice = [name for name in names if name and names.count(name) > 1]
    if twice:
        raise DocumentError("another name for each column", got=f"{twice[0]!r} twice")
    return names


def emptied(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record with null for each empty field."""
    return {name: text or None for name, text in record.items()}
