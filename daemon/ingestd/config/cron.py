"""Cron expressions: which are accepted, and which local times they match.

The one place that reads them: what the check of a configuration accepts here is
what the schedule of a collector runs by.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

from cronsim import CronSim, CronSimError

_FIELDS: Final = ("minute", "hour", "day of month", "month", "day of week")
_EXPECTED: Final = "expected a cron expression such as '30 2 * * 3'"
# Any day will do: an expression that matches at all does so within 40 years.
_ANY_DAY: Final = datetime(1970, 1, 1)  # noqa: DTZ001 -- expressions mean the time of no zone


@dataclass(frozen=True, slots=True)
class CronExpression:
    """Five fields that match some minutes of a local time.

    Attributes:
        text: As the operator wrote it.
        wildcard: Whether it runs all the time, and not at certain hours: minute or
            hour begin with a star. Debian's cron tells them apart the same way.
    """

    text: str
    wildcard: bool

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an expression.

        Raises:
            ValueError: It is none, or no day will ever match it. The message is the
                first half of one, "expected ...".
        """
        fields = text.split()
        if len(fields) != len(_FIELDS):
            raise ValueError(
                f"{_EXPECTED}, with five fields ({', '.join(_FIELDS)}){_without_seconds(fields)}"
            )
        try:
            first = next(CronSim(text, _ANY_DAY), None)
        except CronSimError as error:
            raise ValueError(f"{_EXPECTED} ({str(error).lower()})") from None
        except ValueError:  # Python reads no number of thousands of digits
            raise ValueError(_EXPECTED) from None
        if first is None:
            raise ValueError("expected a cron expression that some day matches")
        return cls(text, fields[0].startswith("*") or fields[1].startswith("*"))

    def next_match(self, local: datetime) -> datetime:
        """Return the first local time strictly after another that the expression matches.

        There always is one: cronsim looks 50 years ahead, and what matched once
        matches again within 40.
        """
        return next(CronSim(self.text, local))


def _without_seconds(fields: list[str]) -> str:
    """Return a hint if there are seconds in front, as some schedulers want them."""
    if len(fields) == len(_FIELDS) + 1 and fields[0] == "0":
        return f"; did you mean {' '.join(fields[1:])!r}, without seconds?"
    return ""
