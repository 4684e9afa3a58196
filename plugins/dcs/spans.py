"""What a normal run reads of each source, and in which order.

Sources that are nearly up to date come first, so that one which has years to catch up
with keeps no other waiting; last come those whose whole past is due to be read again.
A run may be cut short, by its timeout for one. If those that are nearly up to date
have filled it, the next run goes on with the sources that had no turn, whichever it is that
they have to read: else the last of a campus would never be read.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from .periods import Window
from .positions import Rereading, first_wanted, position_in
from .sources import Source

NEVER: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Span:
    """What to read of one source.

    Attributes:
        source: The source.
        window: From when to when.
        now: The time that it is.
        moves: Whether its position moves with what is read.
        position: Its position, if it has one.
        again: Whether its past is read again.
        due: The moment since which that is due, unless it has been noted.
    """

    source: Source
    window: Window
    now: datetime
    moves: bool = False
    position: datetime | None = None
    again: bool = False
    due: datetime | None = None


class Rounds:
    """Which of a collector's sources had a turn since all that matter had one.

    Args:
        collector: The name of the collector.

    Attributes:
        told: What the log has been told once already.
    """

    def __init__(self, collector: str) -> None:
        self.collector = collector
        self._turns: dict[str, int] = {}
        self._number = self._begun = 0
        self._asked: set[str] = set()
        self.told: set[str] = set()

    def ask(self, key: str) -> None:
        """Note that a source is asked for; at the second time in a round that is its turn.

        One whose answer outlasts every run must not be the first of them all.
        """
        if key in self._asked:
            self.serve([key])
        self._asked.add(key)

    def serve(self, keys: Iterable[str]) -> None:
        """Note that something of sources is handed over: they had their turn."""
        self._number += 1
        self._turns.update(dict.fromkeys(keys, self._number))

    def last(self, key: str) -> int:
        """Return a number that is the greater, the later a source had its turn."""
        return self._turns.get(key, 0)

    def served(self, key: str) -> bool:
        """Say whether a source had its turn in this round."""
        return self.last(key) > self._begun

    def begin(self) -> None:
        """Begin a new round."""
        self._begun = self._number
        self._asked.clear()


@dataclass(frozen=True, slots=True)
class Past:
    """What earlier runs have left, and what is to be read of the past again.

    Attributes:
        positions: The collector's state.
        revisit: The recent past that every run reads again.
        rereading: Which sources are due to be read from their beginning.
        rounds: Which sources had a turn.
    """

    positions: Mapping[str, Any]
    revisit: timedelta
    rereading: Rereading
    rounds: Rounds


def normal(sources: Sequence[Source], past: Past, *, since: datetime, now: datetime) -> list[Span]:
    """Return what a normal run reads, in the order in which it does."""
    recent, again = [], []
    for source in sources:
        position = position_in(past.positions, source.id)
        first = first_wanted(position, since=since, now=now, revisit=past.revisit)
        if first < now:
            window = Window(first, now)
            recent.append(Span(source, window, now, moves=True, position=position))
        begin = past.rereading.begin(source.id, since=since)
        if begin is not None and begin < first:
            due = past.rereading.due(source.id)
            again.append(Span(source, Window(begin, first), now, again=True, due=due))
    again.sort(key=lambda span: span.due or NEVER)
    return in_turn(recent, past.rounds, current=now - past.revisit) + again


def in_turn(spans: Sequence[Span], rounds: Rounds, *, current: datetime) -> list[Span]:
    """Return spans in the order in which they are read.

    Args:
        spans: One of each source.
        rounds: Which sources had a turn; begins a new round if that is over.
        current: Those with a position from there on are nearly up to date.
    """

    def behind(span: Span) -> bool:
        return span.position is None or span.position < current

    prompt = [rounds.served(span.source.id) for span in spans if not behind(span)]
    late = [rounds.served(span.source.id) for span in spans if behind(span)]
    if all(prompt) and (any(late) or not late):
        rounds.begin()
    return sorted(
        spans,
        key=lambda span: (
            rounds.served(span.source.id),
            behind(span),
            rounds.last(span.source.id),
            span.position or NEVER,
        ),
    )
