"""The readings in lines of line protocol, named as ingestd and Telegraf's users know them.

Imported by its full name, so that a copy of a plugin works in any folder.
"""

from collections.abc import Iterator
from typing import Final

from ingestd.plugins._lines import Line
from ingestd.plugins._readings import Reading

# The field that needs no name of its own.
PLAIN_FIELD: Final = "value"


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
