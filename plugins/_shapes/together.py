"""Readings of many records at once, where each part of them is a field of its record.

Nearly all records are like that. Their fields are taken one after the other for all records, so
that little has to be asked for each.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final

from ingestd.plugins._documents import Table
from ingestd.plugins._isocolumns import alike, unix_seconds
from ingestd.plugins._readings import Readings

from .lookups import Lookup
from .numbers import is_quick, plain_numbers
from .single import Fields
from .templates import Template

NUMBERS: Final = ({float}, {int}, {float, int})
MOST_TEXTS: Final = 10_000  # that are kept; there are about as many as series


class Texts(dict[str | int, str]):
    """A text with one field, by what is put into it."""

    def __init__(self, before: str, behind: str) -> None:
        super().__init__()
        self._before, self._behind = before, behind

    def __missing__(self, field: str | int) -> str:
        if len(self) >= MOST_TEXTS:
            self.clear()
        found = self[field] = f"{self._before}{field}{self._behind}"
        return found


@dataclass(frozen=True, slots=True)
class Value:
    """Where a value and the name of its series are.

    Attributes:
        series: The name, or those that were met, by the field in it.
        field: That field, or None if there is none.
        value: The field of the value.
        number: Reads it.
        quick: Whether plain numbers mean themselves.
    """

    series: str | Texts
    field: str | None
    value: str
    number: Callable[[Any], Any]
    quick: bool

    def names(self, fields: Sequence[Any]) -> list[str] | None:
        """Return the name of each record's series, or None if it takes more than fields.

        Args:
            fields: What the record has in that field.
        """
        if isinstance(self.series, str):
            return [self.series] * len(fields)
        if not set(map(type, fields)) <= {str, int}:
            return None
        return list(map(self.series.__getitem__, fields))

    def numbers(self, told: Sequence[Any]) -> Sequence[Any]:
        """Return what each record has for a value as a number."""
        if self.quick:
            kinds = set(map(type, told))
            if kinds in NUMBERS:
                return told
            if kinds == {str} and (found := plain_numbers(told)) is not None:
                return found
        return list(map(self.number, told))


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
    ) -> list[Readings] | None:
        """Return the readings of records for each value, or None if they are not that simple.

        Args:
            records: What is no object makes it hard.
            moment: Reads a time.
            iso: Whether times may be as in ISO 8601.
            now: The time of readings whose records have none.
        """
        fields = columns(records, self.fields)
        if fields is None:
            return None
        times: Sequence[Any] = [now] * len(records)
        if self.time is not None:
            times = read_times(fields[self.time], moment, iso=iso)
        found = []
        for each in self.values:
            names = each.names(fields[each.field or each.value])
            if names is None:
                return None
            found.append(Readings(times, names, each.numbers(fields[each.value])))
        return found

    @property
    def fixed(self) -> Fields | None:
        """Where the parts are, if the names of all series are fixed; else None."""
        values = [
            (each.series, each.value, each.number, each.quick)
            for each in self.values
            if isinstance(each.series, str)
        ]
        return Fields(self.time, values) if len(values) == len(self.values) else None

    @property
    def fields(self) -> list[str]:
        """All the fields that readings are made of, each once."""
        parts = [self.time, *(part for each in self.values for part in (each.field, each.value))]
        return [*dict.fromkeys(part for part in parts if part is not None)]


def columns(records: Sequence[Any], names: Sequence[str]) -> Mapping[str, Sequence[Any]] | None:
    """Return what each record has in some fields, by their names; None where it has none.

    There are no columns if some records are no objects.
    """
    if isinstance(records, Table):
        nothing = [None] * len(records)
        return {name: records.columns.get(name, nothing) for name in names}
    if set(map(type, records)) != {dict}:
        return None
    try:
        return {name: list(map(itemgetter(name), records)) for name in names}
    except KeyError:
        return {name: [record.get(name) for record in records] for name in names}


def read_times(told: Sequence[Any], moment: Callable[[Any], Any], *, iso: bool) -> Sequence[Any]:
    """Return times as readings have them; ``moment`` reads one, and any."""
    if iso and set(map(type, told)) == {str}:
        try:
            if alike(told):
                return unix_seconds(told)
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
        series_of = name.texts[0] if field is None else Texts(*name.texts)
        values.append(Value(series_of, field, value.field, number, is_quick(number)))
    if time is not None and time.field is None:
        return None
    return Plan(None if time is None else time.field, tuple(values))
