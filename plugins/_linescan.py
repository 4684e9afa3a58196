r"""The odd lines of line protocol: those with backslashes or quotes, scanned as InfluxDB 1.6 does.

What it does was found by writing to it, and is held against it by tests. A backslash has no
meaning of its own: it takes the meaning from a comma, a blank or an equals sign behind it, and
in the text of a field from a quote or a backslash. So ``a\\,b`` has a comma that is escaped.

Imported by its full name, so that a copy of a plugin works in any folder.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

# What ends a part, unless a backslash stands right before it.
BLANK: Final = re.compile(r"(?<!\\) ")
COMMA: Final = re.compile(r"(?<!\\),")
EQUALS: Final = re.compile(r"(?<!\\)=")
IN_NAMES: Final = re.compile(r"\\([, =])")
IN_FIELDS: Final = re.compile(r'\\([, ="])')  # and in measurements
IN_LINE: Final = re.compile(r'[\\ "=,\n]')
IN_FIELD: Final = re.compile(r'[\\ "=,]')
BARE: Final = re.compile(r"[^, ]*")
# A value as it is cut out: a comma between quotes is no end.
CUT: Final = re.compile(r'(?:[^",\\]|\\["\\]?|"(?:[^"\\]|\\["\\]?)*(?:"|\Z))*')
# Fields with texts, but without a backslash or a quote anywhere else: nearly all that have texts.
_FIELD: Final = r'[^",= \\\n]+=(?:"[^"\\\n]*"|[^",= \\\n]+)'
TEXTS: Final = re.compile(rf"{_FIELD}(?:,{_FIELD})*(?= |\n|\Z)")
LINE: Final = re.compile(rf'[^" \\\n]+ {TEXTS.pattern}[^"\\\n]*(?=\n|\Z)')
FIELD: Final = re.compile(r'([^",= ]+)=(?:"[^"]*"|([^",= ]+))')
WHITE: Final = " \t\0"


def lines_of(text: str) -> Iterator[tuple[int, str]]:
    """Yield each line with its number; a text in quotes, or a backslash, may take it further."""
    if '"' not in text and "\\" not in text:
        yield from enumerate(text.split("\n"), 1)
        return
    at, number = 0, 1
    while at < len(text):
        plain = LINE.match(text, at)
        end = line_end(text, at) if plain is None else plain.end()
        yield number, text[at:end]
        number += 1 if plain else text.count("\n", at, end) + 1
        at = end + 1


def line_end(text: str, at: int) -> int:
    """Return where the line that begins there ends.

    InfluxDB takes a quote that nothing closes for the rest of what was sent; here it costs
    its own line alone.
    """
    end = text.find("\n", at)
    end = len(text) if end < 0 else end
    if text.find('"', at, end) < 0 and text.find("\\", at, end) < 0:
        return end
    found = _end_outside_quotes(text, at)
    return end if found is None else found


def ends_by_itself(line: str) -> bool:
    """Say whether InfluxDB takes the line feed behind a line for its end."""
    return _end_outside_quotes(f"{line}\n", 0) == len(line)


def _end_outside_quotes(text: str, at: int) -> int | None:
    """Return where a line ends, or None if a quote is open at the end of the text."""
    behind_blank, quoted, equals, commas = False, False, 0, 0
    while (found := IN_LINE.search(text, at)) is not None:
        at, mark = found.start(), found[0]
        if mark == "\\" and at + 2 < len(text):
            at += 2
            continue
        if mark == "\n" and not quoted:
            return at
        if mark == " ":
            behind_blank = True
        elif behind_blank and mark == '"' and equals > commas:
            quoted = not quoted
        elif behind_blank and not quoted:
            equals, commas = equals + (mark == "="), commas + (mark == ",")
        at += 1
    return None if quoted else len(text)


def head_end(line: str) -> int:
    """Return where the measurement and its tags end, or -1."""
    at = line.find(" ")
    if line.find("\\", 0, at) < 0:
        return at
    found = BLANK.search(line, 1)
    return -1 if found is None else found.start()


def pair_of(tag: str) -> tuple[str, str] | None:
    """Return name and value of a tag, as they are written, or None if it is none.

    An equals sign may be the first of a value; a second one behind that may not.
    """
    found = EQUALS.search(tag, 1)
    if found is None or tag.startswith("=") or found.end() == len(tag):
        return None
    if EQUALS.search(tag, found.end() + 1):
        return None
    return tag[: found.start()], tag[found.end() :]


@dataclass(slots=True)
class _Fields:
    """Where a scan of fields is.

    Attributes:
        at: The next character.
        quoted: Whether it is within a text.
        equals: How many equals signs there were.
        commas: How many commas.
    """

    at: int = 0
    quoted: bool = False
    equals: int = 0
    commas: int = 0


def fields_end(text: str, is_value: Callable[[str], bool]) -> tuple[int, str]:
    """Return where the fields at the beginning of a text end, and what is wrong with them.

    Args:
        text: What follows measurement and tags.
        is_value: Says whether what is not in quotes is a value.
    """
    scan = _Fields()
    while (found := IN_FIELD.search(text, scan.at)) is not None:
        scan.at, mark = found.start(), found[0]
        if mark == "\\" and scan.at + 1 < len(text):
            scan.at += 2
        elif mark == " " and not scan.quoted:
            break
        elif mark == "=" and not scan.quoted:
            problem = _value(text, scan, is_value)
            if problem:
                return scan.at, problem
        else:
            scan.quoted ^= mark == '"' and scan.equals > scan.commas
            scan.commas += mark == "," and not scan.quoted
            scan.at += 1
    else:
        scan.at = len(text)
    if scan.quoted:
        return scan.at, "expected a field that ends"
    whole = scan.equals and scan.commas == scan.equals - 1
    return scan.at, "" if whole else "expected a field"


def _value(text: str, scan: _Fields, is_value: Callable[[str], bool]) -> str:
    """Go to the end of a value, or to the text that it is; return what is wrong with it."""
    at = scan.at
    if at == 0 or (text[at - 1] == "," and text[at - 2 : at - 1] != "\\"):
        return "expected a field"
    scan.equals += 1
    scan.at += 1
    if text[scan.at : scan.at + 1] == '"':
        return ""
    value = _matched(BARE, text, scan.at)
    scan.at += len(value)
    return "" if is_value(value) else f"{text[:at]:.40}: expected a number or a text"


def fields_in(text: str) -> Iterator[tuple[str, str]]:
    """Yield name and value of each field, as they are written."""
    at = 0
    while at < len(text):
        found = EQUALS.search(text, at)
        if found is None:
            yield text[at:], ""
            return
        end = found.end() + len(_matched(CUT, text, found.end()))
        yield text[at : found.start()], text[found.end() : end]
        at = end + 1


def _matched(pattern: re.Pattern[str], text: str, at: int) -> str:
    """Return what a pattern matches there, which may be nothing."""
    found = pattern.match(text, at)
    return "" if found is None else found[0]


def unescaped(pattern: re.Pattern[str], text: str) -> str:
    """Return a name without the backslashes that take the meaning from what follows."""
    return pattern.sub(r"\1", text) if "\\" in text else text
