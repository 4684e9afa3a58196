"""How long to wait until something that failed is tried again.

The pause doubles with each failure in a row, up to a bound. What many daemons may have
lost together, such as a server, is tried again after a pause that is shortened at random,
so that they do not come back together.

Imported by its full name, so that a copy of a plugin works in any folder. The daemon
uses it, too.
"""

import random
from dataclasses import dataclass
from typing import Final

_MOST_DOUBLINGS: Final = 62  # past every bound, and a float still holds it
_SHORTENED: Final = 0.5  # a pause is at least this part of its full length


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses between the tries of one thing.

    Attributes:
        first: The pause after the first failure, in seconds.
        longest: The bound of all pauses, in seconds.
    """

    first: float
    longest: float

    def pause(self, failures: int) -> float:
        """Return the full pause after so many failures in a row, in seconds; 0 after none."""
        if failures <= 0:
            return 0.0
        return min(self.longest, self.first * 2.0 ** min(failures - 1, _MOST_DOUBLINGS))

    def spread_pause(self, failures: int) -> float:
        """Return that pause shortened at random by up to a half, in seconds."""
        shortened = random.uniform(_SHORTENED, 1.0)  # noqa: S311 -- no secret depends on it
        return self.pause(failures) * shortened
