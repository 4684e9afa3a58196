"""How CSV is read, as the operator says it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ingestd.plugins._params import whole
from ingestd.plugins._problems import Gathering

OPTIONS: Final = ("delimiter", "skip", "comment", "header", "below")
WHITESPACE: Final = "whitespace"  # the delimiter of columns that are aligned with blanks


@dataclass(frozen=True, slots=True)
class Csv:
    """How lines are read.

    Attributes:
        delimiter: What stands between fields, or ``whitespace``; None: found in the first line.
        skip: Lines before the header that are none.
        comments: What lines begin with that are none.
        names: The fields' names where there is no header.
        header: Names that the header has, and no line before it; empty: it is the first line.
        below: Lines below the header that are none, such as one of units.
    """

    delimiter: str | None
    skip: int
    comments: tuple[str, ...]
    names: tuple[str, ...] | None
    header: tuple[str, ...] = ()
    below: int = 0


def csv_of(options: Any, *, names: tuple[str, ...] | None) -> Csv:
    """Read the option ``csv``.

    Raises:
        ValueError: Says what is wrong with it.
    """
    given = {} if options is None else options
    with Gathering() as wrong:
        if not isinstance(given, Mapping) or not set(given) <= set(OPTIONS):
            known = ", ".join(OPTIONS)
            wrong.problems.append(f"csv: expected some of {known}, got {given!r:.80}")
        delimiter = wrong.read(lambda: delimiter_of(given.get("delimiter")))
        skip = wrong.read(lambda: whole(given.get("skip", 0), "csv.skip", least=0))
        comments = wrong.read(lambda: texts_of(given, "comment", "what a comment begins with"))
        header = wrong.read(lambda: texts_of(given, "header", "names that the header has"))
        below = wrong.read(lambda: whole(given.get("below", 0), "csv.below", least=0))
        if names and (header or below):
            wrong.problems.append("csv.header, csv.below: expected no `fields` beside them")
    return Csv(delimiter, skip, comments, names, header, below)


def delimiter_of(delimiter: Any) -> str | None:
    """Return what stands between fields, or None if that is to be found out.

    Raises:
        ValueError: It cannot stand there.
    """
    if delimiter is None:
        return None
    if not isinstance(delimiter, str) or (delimiter != WHITESPACE and len(delimiter) != 1):
        raise ValueError(
            f"csv.delimiter: expected one character, or {WHITESPACE}, got {delimiter!r:.80}"
        )
    if delimiter in {'"', "\n", "\r"}:
        raise ValueError(f"csv.delimiter: expected one that stands in no text, got {delimiter!r}")
    return delimiter


def texts_of(options: Mapping[str, Any], name: str, what: str) -> tuple[str, ...]:
    """Return what an option says: a text, or a list of them.

    Raises:
        ValueError: It is neither.
    """
    given = options.get(name)
    found = given if isinstance(given, list | tuple) else [] if given is None else [given]
    if not all(isinstance(each, str) and each for each in found):
        raise ValueError(f"csv.{name}: expected {what}, got {given!r:.80}")
    return tuple(found)
