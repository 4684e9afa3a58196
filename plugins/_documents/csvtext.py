"""CSV: a record for each line, its fields by the names in the header."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any, Final

from .csvoptions import WHITESPACE, Csv
from .errors import DocumentError
from .laterheaders import LaterHeaders, names_in
from .tables import Table, nulled

# Where nothing is said, the one that is most often in the first line; of two the first.
DELIMITERS: Final = (";", "\t", ",", "|")
# How the head of a page, or an error in another format, begins, and no header.
OTHER: Final = re.compile(r"\s*(?:<\?xml|<!doctype|<html|<[^>]*>.*</|\{|\[\s*\{)", re.IGNORECASE)
QUOTED: Final = re.compile(r'"[^"]*"')
# What Excel is told, and writes, above the header.
SAID: Final = re.compile(r"\ufeff?\"?sep=(.)\"?\s*", re.IGNORECASE)


# The names of columns, and how many of the lines that follow are no records.
Columns = tuple[Sequence[str], int]


class CsvRows:
    """Makes records of lines, which may come in parts.

    Args:
        csv: How lines are read.
        again: Whether another header may come in the midst of them.
        time: The name of the column that has the time of each record, as far as that is known.
    """

    def __init__(self, csv: Csv, *, again: bool = False, time: str | None = None) -> None:
        self._csv, self._delimiter = csv, csv.delimiter
        self._names = list(csv.names) if csv.names else None
        self._skip, self._below = csv.skip, csv.below
        self._sought = frozenset(csv.header)  # empty once the header is found
        self._again, self._time = again and not csv.names, time
        self._headers: LaterHeaders | None = None
        self._is_later = False  # whether what is known was said by a later header
        self._begun = False

    @property
    def ready(self) -> bool:
        """Whether what follows is nothing but records."""
        return bool(self._delimiter and self._names and not (self._skip or self._below))

    def close(self) -> None:
        """Say that no more lines come.

        Raises:
            DocumentError: There was no header.
        """
        if self._sought:
            names = ", ".join(sorted(self._sought))
            raise DocumentError(f"a header with {names} (csv.header)", got="none")

    def records(self, text: str) -> Sequence[dict[str, Any] | str]:
        """Return a record for each line of a text; an empty field is null.

        Blanks that align fields are no part of them. A line that has more fields than there are
        names is no record, since its values may have moved, as by a decimal comma: it is a text
        that says so.

        Raises:
            DocumentError: They are no CSV.
        """
        if self._delimiter and self._names and self.ready and not self._csv.comments:
            columns = plain_columns(text, self._delimiter, len(self._names))
            if columns is not None and self._is_padded(text):
                columns = [*map(stripped, columns)]
            if columns is not None and not (self._headers and self._headers.are_among(columns)):
                return table_of(self._names, columns)
        lines = self._kept(list(io.StringIO(text, newline="")))
        if self._delimiter is None:
            first = next((line for line in lines if line.strip()), None)
            if first is None:
                return []
            self._delimiter = delimiter_in(first)
        rows = filter(None, rows_in(lines, self._delimiter))
        try:
            if not self._names:
                self._call(header(next(rows, [])))
            self._below -= len(list(islice(rows, self._below))) if self._names else 0
            return self._of([*map(stripped, rows)] if self._is_padded(text) else [*rows])
        except csv.Error as error:
            raise DocumentError("CSV", why=str(error)) from None

    @property
    def later(self) -> Columns | None:
        """What a header in the midst of the lines has said; None: there was none."""
        return (tuple(self.names), self._below) if self._is_later else None

    def go_on(self, columns: Columns) -> None:
        """Go on below such a header."""
        names, self._below = columns
        self._is_later = True
        self._call(list(names))

    def _call(self, names: list[str]) -> None:
        self._names = names or None
        if self._again and names:
            self._headers = LaterHeaders(names, self._time, self._csv.header)

    def _of(self, rows: list[list[str]]) -> Sequence[Any]:
        """Return the records of rows, among which there may be headers."""
        found: list[Sequence[Any]] = []
        while (at := self._header_in(rows)) is not None:
            found.append(records_of(self._names or [], rows[:at]))
            rows = self._below_header(rows[at], rows[at + 1 :])
        last = records_of(self._names or [], rows)
        return [*chain(*found, last)] if found else last

    def _header_in(self, rows: list[list[str]]) -> int | None:
        is_one = self._headers.is_one if self._headers else None
        return next((at for at, row in enumerate(rows) if is_one and is_one(row)), None)

    def _below_header(self, row: list[str], rows: list[list[str]]) -> list[list[str]]:
        below = self._csv.below
        self.go_on((names_in(stripped(row)), max(0, below - len(rows))))
        return rows[below:]

    @property
    def names(self) -> Sequence[str]:
        """The names of the columns, as far as they are known."""
        return self._names or ()

    def _is_padded(self, text: str) -> bool:
        if self._delimiter == WHITESPACE or " " not in text:
            return False
        marks = (f"{self._delimiter} ", f" {self._delimiter}", "\n ", " \n", " \r")
        return text[:1] == " " or any(mark in text for mark in marks)

    def _kept(self, lines: list[str]) -> list[str]:
        skipped, self._skip = self._skip, max(0, self._skip - len(lines))
        kept, comments = lines[skipped:], self._csv.comments
        if comments:
            kept = [line for line in kept if not line.startswith(comments)]
        if not self._begun and kept:
            self._begun = True
            if said := SAID.fullmatch(kept[0]):
                self._delimiter = self._delimiter or said[1]
                kept = kept[1:]
        return self._from_header(kept) if self._sought else kept

    def _from_header(self, lines: list[str]) -> list[str]:
        for at, line in enumerate(lines):
            delimiter = self._delimiter or delimiter_in(line)
            if self._sought <= set(stripped(next(rows_in([line], delimiter), []))):
                self._sought, self._delimiter = frozenset(), delimiter
                return lines[at:]
        return []


def plain_columns(text: str, delimiter: str, width: int) -> list[list[str]] | None:
    """Return the columns of a text, or None if not every line has as many fields, unquoted.

    So it is nearly always, and takes a third of the time of asking for each letter.
    """
    # A blank line is no field, and no record; a field may be as long as ``csv`` lets it be.
    if '"' in text or width == 1 or delimiter == WHITESPACE or len(text) > csv.field_size_limit():
        return None
    body = text.replace("\r\n", "\n").removesuffix("\n")
    fields = body.replace("\n", f"{delimiter}\n{delimiter}").split(delimiter)
    ends = fields[width :: width + 1]
    alike = len(fields) % (width + 1) == width and ends.count("\n") == len(ends)
    if not alike or body.count("\n") != len(ends) or "\r" in body:
        return None
    return [fields[at :: width + 1] for at in range(width)]


def rows_in(lines: list[str], delimiter: str) -> Iterator[list[str]]:
    """Return the fields of each line."""
    if delimiter == WHITESPACE:
        return map(str.split, lines)
    return csv.reader(lines, delimiter=delimiter, skipinitialspace=delimiter != " ")


def stripped(fields: list[str]) -> list[str]:
    """Return fields without the blanks that align them."""
    return list(map(str.strip, fields))


def checked(names: list[str], row: list[str]) -> dict[str, Any] | str:
    """Return the record of a row with empty fields, which are null, or what is wrong with it."""
    if any(text.strip() for text in row[len(names) :]):
        return f"{len(row)} fields for {len(names)} names: {row!r:.40}"
    if len(row) < len(names) and "\n" in row[-1]:  # it has swallowed what follows
        return f"a quote that nothing closes: {row[-1]!r:.40}"
    return {name: text or None for name, text in zip(names, row, strict=False)}


def records_of(names: list[str], rows: list[list[str]]) -> Sequence[Any]:
    """Return a record for each row; its empty fields are null."""
    if set(map(len, rows)) != {len(names)}:
        return [checked(names, row) for row in rows]
    return table_of(names, zip(*rows, strict=True))


def table_of(names: list[str], columns: Iterable[Sequence[str]]) -> Table:
    """Return the records of columns; empty fields are null."""
    return Table({name: nulled(column) for name, column in zip(names, columns, strict=True)})


def delimiter_in(line: str) -> str:
    """Return what is most likely to stand between the fields of a line."""
    bare = QUOTED.sub("", line)
    return max(DELIMITERS, key=bare.count) if any(map(bare.count, DELIMITERS)) else ","


def header(row: list[str]) -> list[str]:
    """Return the names in a header.

    Raises:
        DocumentError: It is none.
    """
    if OTHER.match(",".join(row)):
        raise DocumentError("CSV", got="what begins like XML or JSON")
    return names_in(stripped(row))
