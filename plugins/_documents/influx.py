"""Influx line protocol as records: what Telegraf writes to files and brokers."""

from typing import Any

from ingestd.plugins._lines import Line, parsed

from .errors import DocumentError


def records(text: str) -> list[Any]:
    """Return a record for each line; one that cannot be read is a text that says why.

    Its ``time`` is as it was written, or null; fields that are texts are left out.

    Raises:
        DocumentError: No line is one of the protocol.
    """
    found = list(parsed(text))
    if found and all(isinstance(line, str) for _, line in found):
        number, problem = found[0]
        raise DocumentError("line protocol", why=f"line {number}: {problem}")
    return [record(line) if isinstance(line, Line) else line for _, line in found]


def record(line: Line) -> dict[str, Any]:
    """Return a line as an object."""
    return {
        "measurement": line.measurement,
        "tags": line.tags,
        "fields": line.fields,
        "time": line.time,
    }
