"""Readings of many records at once, where each part of them is a field of its record.

Nearly all records are like that. Their fields are taken one after the other for all records, so
that little has to be asked for each.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from .lookups import Lookup
from .numbers import PLAIN, is_quick
from .templates import Template

NUMBERS: Final = ({float}, {int}, {float, int})


class Texts(dict[str, str]):
    """A text with one field, by what is put into it."""

    def __init__(self, before: str, behind: str) -> None:
        super().__init__()
        self._before, self._behind = before, behind

    def __missing__(self, field: str) -> str:
        found = self[field] = f"{self._before}{field}{self._behind}"
        return found


@dataclass(frozen=True, slots=True)
class Value:
    """Where a value and the name of its series are.

    Attributes:
        series: The text of the name, before and behind its field.
        field: The field in it, or None if there is none.
        value: The field of the value.
        number: Reads it.
        quick: Whether plain numbers mean themselves.
    """

    series: tuple[str, ...]
    field: str | None
    value: str
    number: Callable[[Any], Any]
    quick: bool

    def names(self, records: Sequence[dict[str, Any]]) -> list[str] | None:
        """Return the name of each record's series, or None if they are more than texts."""
        if self.field is None:
            return [self.series[0]] * len(records)
        found: list[Any] = [record.get(self.field) for record in records]
        if set(map(type, found)) != {str}:
            return None
        return list(map(Texts(*self.series).__getitem__, found))

    def numbers(self, records: Sequence[dict[str, Any]]) -> list[Any]:
        """Return the value of each record."""
        found: list[Any] = [record.get(self.value) for record in records]
        if self.quick:
            kinds = set(map(type, found))
            if kinds in NUMBERS:
                return found
            if kinds == {str} and all(map(PLAIN, found)):
                return list(map(float, found))
        return list(map(self.number, found))


@dataclass(frozen=True, slots=True)
class Plan:
    """Where the parts of readings are, if each is one field.

    Attributes:
        time: The field of the time, or None if there is none.
        values: Where the values are.
    """

    time: str | None
    values: tuple[Value, ...]

    def read(
        self, records: Sequence[Any], *, moment: Callable[[Any], Any], iso: bool, now: Any
    ) -> list[list[tuple[Any, Any, Any]]] | None:
        """Return the readings of records for each value, or None if they are not that simple.

        Args:
            records: What is no object makes it hard.
            moment: Reads a time.
            iso: Whether times may be as in ISO 8601.
            now: The time of readings whose records have none.
        """
        if set(map(type, records)) != {dict}:
            return None
        times = [now] * len(records)
        if self.time is not None:
            times = read_times([each.get(self.time) for each in records], moment, iso=iso)
        found = []
        for each in self.values:
            names = each.names(records)
            if names is None:
                return None
            found.append(list(zip(times, names, each.numbers(records), strict=True)))
        return found


def read_times(told: list[Any], moment: Callable[[Any], Any], *, iso: bool) -> list[Any]:
    """Return times as readings have them; ``moment`` reads one, and any."""
    if iso and set(map(type, told)) == {str}:
        read = datetime.fromisoformat
        try:
            return [
                read(each).timestamp() if each[-1:] == "Z" and each[4:5] == "-" else moment(each)
                for each in told
            ]
        except ValueError:
            pass
    return list(map(moment, told))


def plan_of(
    time: Lookup | None, series: Sequence[tuple[Template, Lookup, Callable[[Any], Any]]]
) -> Plan | None:
    """Return where the parts of readings are, or None if one is more than a field."""
    values = []
    for name, value, number in series:
        fields = [each.field for each in name.lookups]
        if value.field is None or None in fields or len(fields) > 1:
            return None
        field = fields[0] if fields else None
        values.append(Value(name.texts, field, value.field, number, is_quick(number)))
    if time is not None and time.field is None:
        return None
    return Plan(None if time is None else time.field, tuple(values))
