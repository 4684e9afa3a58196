"""Readings of a single record, such as a message, where each part of them is a field of it."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ingestd.plugins._readings import Reading


class Fields(NamedTuple):
    """Where the parts of readings are.

    Attributes:
        time: The field of the time, or None if there is none.
        values: The name of each series, the field of its value, what reads that, and whether
            plain numbers mean themselves.
    """

    time: str | None
    values: Sequence[tuple[str, str, Callable[[Any], Any], bool]]


def reader_of_fields(
    fields: Fields,
    moment: Callable[[Any], Any],
    tags: tuple[Any, ...],
    *,
    otherwise: Callable[[Any, Any], list[Reading]],
) -> Callable[[Any, Any], list[Reading]]:
    """Return what gives the readings of a record and the time of those that have none.

    Args:
        fields: Where their parts are.
        moment: Reads a time.
        tags: What each reading has behind its value.
        otherwise: Reads a record that is no object.
    """
    time_field, values = fields

    def read(record: Any, now: Any) -> list[Reading]:
        if type(record) is not dict:
            return otherwise(record, now)
        time = now if time_field is None else moment(record.get(time_field))
        found = []
        for series, field, number, quick in values:
            told = record.get(field)
            if not quick or (type(told) is not float and type(told) is not int):
                told = number(told)
            found.append((time, series, told, *tags))
        return found

    return read
