"""Times that are counted: how many days, seconds or other units there were since a beginning.

Spreadsheets, .NET and many devices write such numbers, each with a beginning of its own. One that
says its zone is an instant, and what is counted from there is time that passed. One that says none
is what a clock showed: then the count, too, is what the clock has moved on, whatever it was set to.

Imported by its full name, so that a copy of a plugin works in any folder.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from ingestd.plugins._isotimes import iso_time
from ingestd.plugins._limits import LONGEST_NUMBER

# Nanoseconds of each unit.
UNITS: Final = {
    "days": 86_400 * 10**9,
    "hours": 3600 * 10**9,
    "minutes": 60 * 10**9,
    "seconds": 10**9,
    "milliseconds": 10**6,
    "microseconds": 10**3,
    "ticks": 100,  # as .NET and Windows call them
    "nanoseconds": 1,
}
SINCE: Final = " since "
COUNT: Final = re.compile(rf"({'|'.join(UNITS)}){SINCE}(.+)")
SECOND: Final = 10**9  # nanoseconds
# Parts of longer units are rounded to this, in microseconds: a spreadsheet has no more digits.
COARSE: Final = 1000
LARGEST: Final = Decimal(10) ** 20


@dataclass(frozen=True, slots=True)
class Count:
    """How times are counted.

    Attributes:
        text: As the operator wrote it, such as ``days since 1899-12-30``.
        unit: What is counted, in nanoseconds.
        asked: Whether it is for requests, in which whole units are written.
        begin: From when on; naive if that is what a clock shows.

    Raises:
        ValueError: It is none.
    """

    text: str
    asked: bool = False
    unit: int = field(init=False)
    begin: datetime = field(init=False)

    def __post_init__(self) -> None:
        """Look at the text."""
        found = COUNT.fullmatch(self.text)
        if found is None:
            raise ValueError(f"expected {', '.join(UNITS)} since a date in it")
        object.__setattr__(self, "unit", UNITS[found[1]])
        object.__setattr__(self, "begin", iso_time(found[2]))
        if self.asked and self.begin.time() != time():
            raise ValueError("expected a count that begins at midnight in it")

    @property
    def by_clock(self) -> bool:
        """Whether what a clock shows is counted, and not what passed."""
        return self.begin.tzinfo is None

    @property
    def seconds(self) -> float:
        """How long a unit is, in seconds."""
        return self.unit / SECOND

    def read(self, value: Any) -> datetime:
        """Return the time that a number, or the text of one, means; naive if a clock shows it.

        Raises:
            TypeError, ValueError, OverflowError: It is none.
        """
        number = _number(value) * self.unit / 1000
        step = COARSE if self.unit > SECOND else 1
        return self.begin + timedelta(microseconds=round(number / step) * step)

    def write(self, moment: datetime) -> str:
        """Return how many whole units there were up to a time.

        Args:
            moment: What the clock shows, with its zone.
        """
        passed = (moment.replace(tzinfo=None) if self.by_clock else moment) - self.begin
        return str(passed // timedelta(microseconds=1) * 1000 // self.unit)

    def number(self, shown: datetime) -> float:
        """Return how many units there were up to what a clock where it began shows."""
        passed = shown - self.begin.replace(tzinfo=None)
        if self.unit > SECOND:
            return passed / timedelta(microseconds=self.unit // 1000)
        return passed // timedelta(microseconds=1) * 1000 // self.unit


def _number(value: Any) -> Decimal:
    """Return a number; in a text it may have a decimal comma.

    Raises:
        TypeError, ValueError: It is none, or too large.
    """
    if type(value) not in {str, int, float}:
        raise TypeError
    text = str(value).strip()
    if len(text) > LONGEST_NUMBER or "_" in text:
        raise ValueError(text[:LONGEST_NUMBER])
    try:
        number = Decimal(text.replace(",", ".", 1))
    except InvalidOperation:
        raise ValueError(text) from None
    if not number.is_finite() or abs(number) > LARGEST:
        raise ValueError(text)
    return number
