"""What the operator says of single series: names in the store, unit, scale, limits."""

import csv
import dataclasses
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import translate
from functools import cached_property
from typing import Any, Final

from ingestd.config import options
from ingestd.config.section import Section
from ingestd.errors import Problem

_TAG: Final = "tag:"
_CROSSED: Final = "expected min to be at most max"
_READERS: Final[Mapping[str, Callable[[str], str | float]]] = {
    "measurement": options.text,
    "field": options.field_name,
    "unit": options.text,
    "scale": options.factor,
    "offset": options.number,
    "min": options.number,
    "max": options.number,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesDescription:
    """What becomes of the readings of a series.

    Attributes:
        measurement: The line protocol's measurement, or None for the collector's.
        field: The line protocol's field, or None for the collector's.
        unit: For people; empty if unknown.
        tags: Added to the collector's, and stronger.
        scale: What a value is multiplied with.
        offset: What is added to it then.
        low: The lowest plausible value after that, or None.
        high: The highest, or None.
    """

    measurement: str | None = None
    field: str | None = None
    unit: str = ""
    tags: Mapping[str, str] = dataclasses.field(default_factory=dict)
    scale: float = 1.0
    offset: float = 0.0
    low: float | None = None
    high: float | None = None


NOTHING_KNOWN: Final = SeriesDescription()


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """One description, and where it was written.

    Attributes:
        name: A series, or a pattern with ``*``, ``?`` or ``[``.
        description: What becomes of its readings.
        where: ``file:line``.
    """

    name: str
    description: SeriesDescription
    where: str


@dataclass(frozen=True, eq=False)
class Catalogue:
    """Descriptions by the name of the series or a pattern, in the order they were written.

    Attributes:
        entries: The descriptions.
        places: Where each was written, as ``file:line``; no part of a comparison.
    """

    entries: Mapping[str, SeriesDescription] = dataclasses.field(default_factory=dict)
    places: Mapping[str, str] = dataclasses.field(default_factory=dict)

    # The order of patterns has a meaning, which comparing mappings would miss.
    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Catalogue):
            return NotImplemented
        return list(self.entries.items()) == list(other.entries.items())

    __hash__ = None  # type: ignore[assignment]  # like every mapping

    def describe(self, series: str) -> SeriesDescription:
        """Return what is known of a series.

        Its own name wins over patterns, and of those the one written first.
        """
        own = self.entries.get(series)
        if own is not None:
            return own
        for pattern, description in self._patterns:
            if pattern.match(series):
                return description
        return NOTHING_KNOWN

    @cached_property
    def _patterns(self) -> Sequence[tuple[re.Pattern[str], SeriesDescription]]:
        return [
            (re.compile(translate(name)), description)
            for name, description in self.entries.items()
            if any(character in name for character in "*?[")
        ]


def build(entries: Sequence[CatalogueEntry], problems: list[Problem]) -> Catalogue:
    """Make a catalogue; a name that comes twice is a problem."""
    first: dict[str, CatalogueEntry] = {}
    for entry in entries:
        known = first.setdefault(entry.name, entry)
        if known is not entry:
            message = f"defined twice; first at {known.where}"
            problems.append(Problem(entry.where, f"series.{entry.name}", message))
    return Catalogue(
        {name: entry.description for name, entry in first.items()},
        {name: entry.where for name, entry in first.items()},
    )


def parse(name: str, section: Section) -> CatalogueEntry:
    """Build an entry from YAML."""
    given: dict[str, Any] = {
        option: section.get(option, read, None) for option, read in _READERS.items()
    }
    tags = section.texts("tags", options.tag_name)
    section.done()
    if _are_crossed(given):
        section.problem(_CROSSED, "min")
    return CatalogueEntry(name, _describe(given, tags), section.where)


def parse_csv(text: str, file: str, problems: list[Problem]) -> list[CatalogueEntry]:
    """Build entries from a table with one row for each series or pattern.

    Args:
        text: Rows below a header of ``series``, options, and ``tag:NAME`` columns.
            An empty cell says nothing.
        file: Its name, for messages.
        problems: Grows by everything the operator should mend.
    """
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    entries: list[CatalogueEntry] = []
    header: list[str] = []
    try:
        for row in rows:
            cells = [cell.strip() for cell in row]
            where = f"{file}:{rows.line_num}"
            if not any(cells):
                continue
            if not header:
                header = cells
                if not _check_header(header, where, problems):
                    return []
            elif len(cells) != len(header):
                message = f"expected {len(header)} columns, got {len(cells)}"
                problems.append(Problem(where, "", message))
            else:
                filled = {name: cell for name, cell in zip(header, cells, strict=True) if cell}
                entries += _parse_row(filled, where, problems)
    except csv.Error as exc:
        problems.append(Problem(f"{file}:{rows.line_num}", "", f"not a valid CSV row: {exc}"))
    return entries


def _check_header(header: Sequence[str], where: str, problems: list[Problem]) -> bool:
    found = list(_header_problems(header))
    problems += [Problem(where, "", message) for message in found]
    return not found


def _header_problems(header: Sequence[str]) -> Iterator[str]:
    known = ["series", *_READERS]
    if "series" not in header:
        yield f"expected a header with the column 'series', got {', '.join(header)!r:.80}"
        return
    for name in header:
        if name.startswith(_TAG):
            try:
                options.tag_name(name.removeprefix(_TAG))
            except ValueError as exc:
                yield f"{exc}, got {name!r:.80}"
        elif name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            yield f"unknown column {name!r:.80}; {hint}known here: {', '.join(known)}, tag:NAME"
    for name in sorted({name for name in header if header.count(name) > 1}):
        yield f"the column {name!r:.80} comes twice"


def _parse_row(cells: dict[str, str], where: str, problems: list[Problem]) -> list[CatalogueEntry]:
    given: dict[str, Any] = dict.fromkeys(_READERS)
    wrong = [] if "series" in cells else [Problem(where, "series", "missing, but required")]
    for column, cell in cells.items():
        try:
            given[column] = _READERS.get(column, options.text)(cell)
        except ValueError as exc:
            wrong.append(Problem(where, column, f"{exc}, got {cell!r:.80}"))
    if not wrong and _are_crossed(given):
        wrong.append(Problem(where, "min", _CROSSED))
    problems += wrong
    tags = {
        column.removeprefix(_TAG): text
        for column, text in given.items()
        if column.startswith(_TAG) and text is not None
    }
    return [] if wrong else [CatalogueEntry(given["series"], _describe(given, tags), where)]


def _are_crossed(given: Mapping[str, Any]) -> bool:
    low, high = given["min"], given["max"]
    return low is not None and high is not None and low > high


def _describe(given: Mapping[str, Any], tags: Mapping[str, str]) -> SeriesDescription:
    return SeriesDescription(
        measurement=given["measurement"],
        field=given["field"],
        unit=given["unit"] or "",
        tags=tags,
        scale=1.0 if given["scale"] is None else given["scale"],
        offset=given["offset"] or 0.0,
        low=given["min"],
        high=given["max"],
    )
