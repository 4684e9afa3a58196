"""CSV: a record for each line, its fields by the names in the header."""

import csv
import io
import re
from collections.abc import Mapping
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


class CsvRows:
    """Makes records of lines, which may come in parts.

    Args:
        csv: How lines are read.
    """

    def __init__(self, csv: Csv) -> None:
        self._csv, self._delimiter = csv, csv.delimiter
        self._names = list(csv.names) if csv.names else None
        self._skip = csv.skip

    def records(self, text: str) -> list[dict[str, Any]]:
        """Return a record for each line of a text; an empty field is null.

        Raises:
            DocumentError: They are no CSV.
        """
        lines = self._kept(list(io.StringIO(text, newline="")))
        if self._delimiter is None:
            first = next((line for line in lines if line.strip()), None)
            if first is None:
                return []
            self._delimiter = delimiter_in(first)
        rows = filter(None, csv.reader(lines, delimiter=self._delimiter))
        try:
            names = self._names or header(next(rows, []))
            self._names = names or None
            return [
                emptied(names, row) if "" in row else dict(zip(names, row, strict=False))
                for row in rows
            ]
        except csv.Error as error:
            raise DocumentError("CSV", why=str(error)) from None

    def _kept(self, lines: list[str]) -> list[str]:
        skipped, self._skip = self._skip, max(0, self._skip - len(lines))
        kept, comment = lines[skipped:], self._csv.comment
        return [line for line in kept if not line.startswith(comment)] if comment else kept


def emptied(names: list[str], row: list[str]) -> dict[str, Any]:
    """Return the record of a row with empty fields, which are null."""
    return {name: text or None for name, text in zip(names, row, strict=False)}


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
