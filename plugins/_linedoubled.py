r"""Line protocol as VictoriaMetrics reads it: a backslash takes the meaning from all that follows.

So a backslash itself is doubled, and a name may end in one. It is what one ingestd writes to a
store of that kind, and says so, since nothing in a line tells the two ways apart.

Imported by its full name, so that a copy of a plugin works in any folder.
"""

import re
from collections.abc import Iterator
from typing import Final

from ingestd.plugins._lines import BadLineError, Line, checked, time_of, value_of

_NAME: Final = r"(?:[^\\,= ]|\\.)+"
HEAD: Final = re.compile(rf"((?:[^\\, ]|\\.)+)((?:,{_NAME}={_NAME})*) ")
TAG: Final = re.compile(rf",({_NAME})=({_NAME})")
FIELDS: Final = re.compile(rf"{_NAME}=[^, ]+(?:,{_NAME}=[^, ]+)*")
FIELD: Final = re.compile(rf"({_NAME})=([^, ]+)")
ESCAPED: Final = re.compile(r"\\(.)")


def parsed_doubled(text: str) -> Iterator[tuple[int, Line | str]]:
    """Yield each line with its number; one that cannot be read as what is wrong with it."""
    for number, line in enumerate(text.split("\n"), 1):
        if line:
            try:
                yield number, _parse(line)
            except BadLineError as error:
                yield number, str(error)


def _parse(line: str) -> Line:
    """Take a line apart.

    Raises:
        BadLineError: It is none that we would write.
    """
    head = HEAD.match(line)
    fields = head and FIELDS.match(line, head.end())
    if not head or not fields:
        raise BadLineError(f"expected a measurement, tags, fields and a time, got {line[:40]!r}")
    tags = [(_meant(name), _meant(value)) for name, value in TAG.findall(head[2])]
    numbers = {
        _meant(name): value_of(name, value, unsigned=True)
        for name, value in FIELD.findall(fields[0])
    }
    known = checked(_meant(head[1]), dict(tags), len(tags), head[0])
    return Line(*known, numbers, time_of(line[fields.end() :]))


def _meant(text: str) -> str:
    """Return a name without the backslashes that take the meaning from what follows."""
    return ESCAPED.sub(r"\1", text) if "\\" in text else text
