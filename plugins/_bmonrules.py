"""How BMON reads the readings of its scripts and loggers.

BMON's senders were written against what its store makes of a reading, words for
numbers included, so all that takes their readings does the same. Two things it
does better: one reading that is none never costs its siblings, and a text such
as ``1.5e-3`` is the number that it says, not 1.5.

Imported by its full name, so that a copy of a plugin works in any folder.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite
from typing import Any, Final

from ingestd.plugins._limits import LONGEST_NUMBER

Reading = tuple[int, str, float]

# The order counts: "None" begins with "No", and "On" stands in "Voltage On".
ON_ANYWHERE: Final = ("True", "Closed", "On")
ON_IN_FRONT: Final = ("Motion", "Light", "Voltage")
OFF_ANYWHERE: Final = ("False", "Open", "Off")
OFF_IN_FRONT: Final = ("No",)
LEADING: Final = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
WHOLE: Final = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)(e[-+]?\d+)?", re.ASCII | re.IGNORECASE)
DIGITS: Final = re.compile(r"[-+]?\d{1,20}", re.ASCII)

SKIPPED: Final = "no_value"
SAMPLES: Final = 5


@dataclass(slots=True)
class Converted:
    """What BMON's rules make of some readings.

    Attributes:
        readings: Those that can be stored, as ``(Unix seconds, id, value)``.
        unusable: How many cannot, by reason; ``no_value`` for those that say nothing.
        samples: A few of the unusable ones, told for people.
        notes: What is told besides: ids that are one sensor in BMON, and two series here.
    """

    readings: list[Reading] = field(default_factory=list)
    unusable: Counter[str] = field(default_factory=Counter)
    samples: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def skipped(self) -> int:
        """How many have no value: None, NaN or infinite. BMON counts them nowhere."""
        return self.unusable[SKIPPED]

    @property
    def rejected(self) -> int:
        """How many are no readings."""
        return self.unusable.total() - self.skipped


class Unusable(ValueError):
    """A reading cannot be stored.

    Attributes:
        reason: One word for what is wrong with it.
    """

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


def convert(readings: Iterable[Any], *, now: float) -> Converted:
    """Make of readings what BMON would store.

    Args:
        readings: Each a time, an id and a value.
        now: The time of those that have none, in seconds since the Unix epoch.
    """
    converted = Converted()
    for reading in readings:
        try:
            converted.readings.append(_converted(reading, now=now))
        except Unusable as unusable:
            converted.unusable[unusable.reason] += 1
            if len(converted.samples) < SAMPLES:
                converted.samples.append(str(unusable))
    converted.notes = alike({name for _, name, _ in converted.readings})
    return converted


def alike(names: Iterable[str]) -> list[str]:
    """Tell which ids differ only in case: SQLite takes them for one table, so for one sensor."""
    spelt: dict[str, list[str]] = {}
    for name in sorted(names):
        spelt.setdefault(name.casefold(), []).append(name)
    return [
        f"{' and '.join(each)} differ only in case: in BMON one sensor, here a series each"
        for each in spelt.values()
        if len(each) > 1
    ]


def message(stored: int, rejected: int) -> str:
    """Return what BMON says of readings that it was given."""
    return f"{stored} readings stored successfully, {rejected} rejected."


def _converted(reading: Any, *, now: float) -> Reading:
    if not isinstance(reading, list | tuple) or len(reading) != 3:
        raise Unusable("shape", f"expected (time, id, value), got {reading!r:.80}")
    time, name, value = reading
    name = str(_plain(name))
    return seconds(name, time, now=now), name, number(name, value)


def seconds(name: str, time: Any, *, now: float) -> int:
    """Return the time of a reading in whole seconds since the Unix epoch.

    Raises:
        Unusable: It is no time.
    """
    time = _plain(now if time is None else time)
    if isinstance(time, datetime) and time.utcoffset() is not None:
        time = time.timestamp()
    if isinstance(time, str) and DIGITS.fullmatch(time.strip()):
        time = int(time)
    if not isinstance(time, int | float) or (isinstance(time, float) and not isfinite(time)):
        raise Unusable("time", f"{name}: expected Unix seconds or None, got {time!r:.80}")
    return int(time)


def number(name: str, value: Any) -> float:
    """Return the value of a reading as a number.

    Raises:
        Unusable: It is none, or says nothing.
    """
    value = _plain(value)
    found = _said(value) if isinstance(value, str) else value
    if value is None or (isinstance(found, float) and not isfinite(found)):
        raise Unusable(SKIPPED, f"{name}: no value: {value!r:.80}")
    try:
        if isinstance(found, int | float):
            return float(found)
    except OverflowError:  # an integer of hundreds of digits
        pass
    raise Unusable("value", f"{name}: expected a number or a known word, got {value!r:.80}")


def _said(text: str) -> float | None:
    """Return the number that a text stands for, or None."""
    if text.startswith(ON_IN_FRONT) or any(word in text for word in ON_ANYWHERE):
        return 1.0
    if text.startswith(OFF_IN_FRONT) or any(word in text for word in OFF_ANYWHERE):
        return 0.0
    if len(text) > LONGEST_NUMBER:
        return None
    found = WHOLE.fullmatch(text.strip()) or LEADING.match(text)
    return float(found[0]) if found else None


def _plain(value: Any) -> Any:
    """Return a NumPy scalar as the number that it is, anything else as it is."""
    return value.item() if hasattr(value, "dtype") and getattr(value, "ndim", 1) == 0 else value
