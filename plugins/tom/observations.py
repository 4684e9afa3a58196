"""Observation records: how many of each target stand how, since a status is no number."""

from collections import Counter
from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from typing import Any, Final

from .options import Naming
from .readings import NO_BAND, Reading
from .rows import WORDS

Kind = tuple[str, str, str]  # the target's id, the facility and the status

UNKNOWN: Final = "none"


async def counted(pages: AsyncIterable[Sequence[Any]], targets: Mapping[str, str]) -> Counter[Kind]:
    """Return how many records of some targets there are of each kind."""
    found: Counter[Kind] = Counter()
    async for rows in pages:
        found.update(kind for kind in map(kind_of, rows) if kind[0] in targets)
    return found


def kind_of(row: Any) -> Kind:
    """Return of which kind a record is; of none of any target if it is none."""
    if not isinstance(row, Mapping):
        return ("", UNKNOWN, UNKNOWN)
    facility, status = (str(row.get(name) or UNKNOWN) for name in ("facility", "status"))
    return (str(row.get("target")), facility, status)


def kinds_in(state: Any, targets: Mapping[str, str]) -> list[Kind]:
    """Return the kinds that there were before, of targets that are still read."""
    listed = state if isinstance(state, Sequence) and not isinstance(state, str) else []
    found = [tuple(map(str, each)) for each in listed if isinstance(each, Sequence)]
    return [(each[0], each[1], each[2]) for each in found if len(each) == 3 and each[0] in targets]


def count_readings(
    found: Mapping[Kind, int],
    before: Iterable[Kind],
    targets: Mapping[str, str],
    naming: Naming,
    now: float,
) -> list[Reading]:
    """Return a reading for each kind; those of which there are none any more have a 0.

    Args:
        found: How many there are.
        before: The kinds that there were.
        targets: The names of targets, by their ids.
        naming: What series are called.
        now: The time, in Unix seconds.
    """
    kinds = sorted({*found, *before})
    readings = []
    for kind in kinds:
        series, tags = named(kind, targets[kind[0]], naming)
        readings.append((now, series, found.get(kind, 0), tags))
    return readings


def named(kind: Kind, name: str, naming: Naming) -> tuple[str, dict[str, str]]:
    """Return the series and the tags of a kind."""
    target, facility, status = kind
    empty = dict.fromkeys([*WORDS, "source"], "")
    words = {**empty, "target": target, "name": name, "quantity": "observations"}
    series = naming.series.fill({**words, "band": NO_BAND})
    tags = {tag: text for tag, each in naming.tags.items() if (text := each.fill(words))}
    return series, {**tags, "facility": facility, "status": status}
