"""The points over which a store fails, while it takes others.

Theory of operation. A server may fail, with a status of 500 or so, whenever it is sent
one certain reading, and only then. What tells this from an outage is that it takes other
readings in between, again and again. So such a point is *suspect* first: it stays in the
spool, others go past it, and from time to time it is sent again, alone.

* Each time the server fails over it and takes another reading is a *strike*. After
  enough of them, with a pause between each two, the point is a dead letter.
* Any sign that the server fails for reasons of its own clears all suspects of their
  strikes: it takes one of them after all, or cannot be reached, or takes no other.

So an outage, however short or long, makes no dead letter: it would have to hit the tries
of one point each time, and no other request in all that time. What corrects a suspect
point must not go past it, or it could be overwritten later.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ingestd.clock import Clock
from ingestd.model import Body


@dataclass(slots=True, kw_only=True)
class Parked:
    """A body in the spool that consists of suspect points.

    Attributes:
        points: How many points it holds.
        keys: What tells its points from others.
        first_us: The earliest time that one of them can have, in microseconds.
        last_us: The latest.
        due: When it is sent again, in monotonic seconds.
        taken: How many bodies the store had taken at the last strike.
        strikes: How often the server failed over each of its points.
    """

    points: int
    keys: frozenset[bytes]
    first_us: int
    last_us: int
    due: float
    taken: int
    strikes: int = 0


class Suspects:
    """The suspect points in the spool of one store, by the place of their body in the queue.

    Args:
        pause: The time between two tries, in seconds.
        enough: How many strikes make a dead letter.
        clock: Where the time comes from.
    """

    def __init__(self, *, pause: float, enough: int, clock: Clock) -> None:
        self._pause, self._enough, self._clock = pause, enough, clock
        self._parked: dict[int, Parked] = {}

    def __bool__(self) -> bool:
        return bool(self._parked)

    @property
    def ids(self) -> frozenset[int]:
        """The places of all bodies that others go past."""
        return frozenset(self._parked)

    @property
    def points(self) -> int:
        """How many points they hold."""
        return sum(each.points for each in self._parked.values())

    def park(self, place: int, body: Body, keys: Iterable[bytes], *, taken: int) -> None:
        """Let others go past a body from now on; what is known of it already stays known."""
        before = self._parked.get(place)
        self._parked[place] = Parked(
            points=body.points,
            keys=frozenset(keys),
            first_us=body.first_us,
            last_us=body.last_us,
            due=self._clock.monotonic() + self._pause,
            taken=taken,
            strikes=before.strikes if before else 0,
        )

    def forget(self, place: int) -> None:
        """Note that a body has left the spool."""
        self._parked.pop(place, None)

    def clear(self) -> None:
        """Take all strikes back: the server fails for reasons of its own."""
        for each in self._parked.values():
            each.strikes = 0

    def due(self) -> Sequence[int]:
        """Return the places of the bodies that should be sent again."""
        now = self._clock.monotonic()
        return [place for place, each in self._parked.items() if each.due <= now]

    @property
    def due_in(self) -> float:
        """Seconds until the first of them should be sent again; 0 or less when it is late."""
        return min(each.due for each in self._parked.values()) - self._clock.monotonic()

    def postpone(self, place: int) -> None:
        """Try a body again after the pause."""
        self._parked[place].due = self._clock.monotonic() + self._pause

    def others_were_taken(self, place: int, taken: int) -> bool:
        """Say whether the store has taken others since the last strike."""
        return taken > self._parked[place].taken

    def strike(self, place: int, taken: int) -> bool:
        """Note that the server failed over all points of a body; say whether that is enough."""
        parked = self._parked[place]
        parked.strikes += 1
        parked.taken = taken
        self.postpone(place)
        return parked.strikes >= self._enough

    def may_be_corrected_by(self, body: Body) -> bool:
        """Say whether a body is worth a look, since its times are those of a suspect point."""
        return any(
            each.first_us <= body.last_us and body.first_us <= each.last_us
            for each in self._parked.values()
        )

    def include(self, keys: Iterable[bytes]) -> bool:
        """Say whether any of these points is suspect."""
        some = frozenset(keys)
        return any(not each.keys.isdisjoint(some) for each in self._parked.values())
