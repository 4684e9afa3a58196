"""The entries of ``values``: a series and a path for each, perhaps with options of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from ingestd.plugins._problems import Gathering
from ingestd.plugins._values import OPTIONS, ValueReader, value_reader


@dataclass(frozen=True, slots=True)
class DescribedValue:
    """One entry of a plugin's ``values``.

    Attributes:
        series: The template of the series.
        path: Where the value is.
        reader: What it means.
    """

    series: str
    path: str
    reader: ValueReader


def described_values(values: Any, around: Mapping[str, Any]) -> list[DescribedValue]:
    """Return the entries of ``values``: a path for each series, or a path with options.

    Args:
        values: What the operator wrote.
        around: The options that hold where an entry says nothing else.

    Raises:
        ValueError: Says what is wrong.
    """
    if not isinstance(values, Mapping) or not values:
        raise ValueError(f"values: expected series and path for each value, got {values!r:.80}")
    with Gathering() as wrong:
        shared = wrong.read(lambda: value_reader(around))
        return [
            wrong.read(partial(_described, series, entry, around))
            if isinstance(entry, Mapping)
            else DescribedValue(series, entry, shared)
            for series, entry in values.items()
        ]


def _described(series: str, entry: Mapping[str, Any], around: Mapping[str, Any]) -> DescribedValue:
    """Return an entry of ``values`` that has options of its own.

    Raises:
        ValueError: Says what is wrong.
    """
    where, known = f"values.{series}", ("path", *OPTIONS)
    with Gathering() as wrong:
        wrong.problems += [
            f"{where}: expected only {', '.join(known)}, got {name!r}"
            for name in sorted(map(str, set(entry) - set(known)))
        ]
        own = {name: each for name, each in entry.items() if each is not None}
        wrong.read(lambda: value_reader(own, where=where))  # what is around tells its own faults
    reader = value_reader({**around, **own}, where=where)
    return DescribedValue(series, own.get("path", ""), reader)
