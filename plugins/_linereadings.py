"""The readings in lines of line protocol, named as ingestd and Telegraf's users know them.

Most lines have numbers, a time, and nothing that is escaped or quoted, and come again and again
with the same head: many of them are taken apart in one call. The others are read one by one.

Imported by its full name, so that a copy of a plugin works in any folder.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from ingestd.plugins._lines import Line, parsed
from ingestd.plugins._readings import Reading

# The field that needs no name of its own.
PLAIN_FIELD: Final = "value"
_NUMBER: Final = r"-?(?:[0-9]{1,18}i|[0-9]{1,20}(?:\.[0-9]{0,20})?(?:[eE][-+]?[0-9]{1,2})?)"
_FIELD: Final = rf'[^",= \\\n\t\r\0]+={_NUMBER}'
# Head, fields and time of a line that is what nearly all are.
PLAIN: Final = re.compile(
    rf'^([^#" \\\n\t\r\0][^" \\\n\t\r\0]*) ({_FIELD}(?:,{_FIELD})*) (-?[0-9]{{1,19}})$',
    re.MULTILINE,
)

# Heads with their fields; few sources have more.
MOST_KNOWN: Final = 20_000

Named = tuple[str, dict[str, str]]


def readings_of_line(line: Line, *, per_second: float, now: float | None) -> Iterator[Reading]:
    """Yield the readings of a line.

    A tag called ``series``, which ingestd itself writes, is the series' name; any
    other line's series is its measurement, and behind it the field unless that is
    called ``value``.

    Args:
        line: The line.
        per_second: What one second is in the unit of its time.
        now: The time of a line that has none, in Unix seconds; None leaves that to the daemon.
    """
    tags = dict(line.tags)
    given = tags.pop("series", None)
    time = now if line.time is None else line.time / per_second
    for name, value in line.fields.items():
        plain = name == PLAIN_FIELD
        series = given or line.measurement
        yield time, series if plain else f"{series}_{name}", value, tags


class LineReadings:
    """Reads text after text of the same source.

    Args:
        per_second: What one second is in the unit of its times.
    """

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._known: dict[tuple[str, str], Named] = {}

    def readings(self, text: str) -> list[Any]:
        """Return the readings of whole lines; for a line that is none, one that says why."""
        lines = text.count("\n") + (not text.endswith("\n"))
        rows = PLAIN.findall(text)
        if len(rows) == lines:
            try:
                return self._plain(rows)
            except KeyError:  # something in it is met for the first time, or comes twice
                pass
        return self._one_by_one(text)

    def _plain(self, rows: list[tuple[str, str, str]]) -> list[Any]:
        """Return the readings of plain lines, of which all heads and fields are known.

        Raises:
            KeyError: One is not, or a line has a field twice, of which only the last counts.
        """
        known, per_second = self._known, self._per_second
        found = []
        for head, fields, when in rows:
            time, names = int(when) / per_second, set()
            for each in fields.split(","):
                name, _, value = each.partition("=")
                if name in names:
                    raise KeyError(name)
                names.add(name)
                series, tags = known[head, name]
                found.append((time, series, float(value.rstrip("i")), tags))
        return found

    def _one_by_one(self, text: str) -> list[Any]:
        found: list[Any] = []
        for number, line in parsed(text):
            if isinstance(line, str):
                found.append((None, "", f"line {number}: {line}"))
                continue
            found += readings_of_line(line, per_second=self._per_second, now=None)
        self._learn(text)
        return found

    def _learn(self, text: str) -> None:
        """Learn the heads and fields of plain lines."""
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        for head, fields, when in PLAIN.findall(text):
            new = [n for n in names_in(fields) if (head, n) not in self._known]
            if not new:
                continue
            for _, line in parsed(f"{head} {fields} {when}"):
                if isinstance(line, str):
                    continue
                each = readings_of_line(line, per_second=1.0, now=None)
                for name, (_, series, _, tags) in zip(line.fields, each, strict=True):
                    self._known[head, name] = series, tags


def names_in(fields: str) -> list[str]:
    """Return the names of plain fields."""
    return [each.partition("=")[0] for each in fields.split(",")]
