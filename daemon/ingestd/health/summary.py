"""The one sentence that an operator needs, and the problems behind it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ingestd.health.collector import CollectorHealth
from ingestd.health.states import by_trouble
from ingestd.health.words import span

NAMED: Final = 3  # problems in the sentence
LONGEST: Final = 160  # characters of one of them


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFacts:
    """What is known of a store.

    Attributes:
        down_for: For how long it has taken nothing, in seconds, or None if it takes readings.
        error: Why.
        full: Whether its spool is full.
        spool_error: Why its spool cannot be written for another reason, or an empty string.
        dead: How many points it has refused for good.
    """

    name: str
    down_for: float | None = None
    error: str = ""
    full: bool = False
    spool_error: str = ""
    dead: int = 0

    @property
    def is_trouble(self) -> bool:
        """Whether it needs attention."""
        return self.down_for is not None or self.full or bool(self.spool_error)


def problems(
    collectors: Sequence[CollectorHealth], stores: Sequence[StoreFacts], *, refused: str = ""
) -> list[str]:
    """Return a line for everything that is wrong, the worst first.

    Args:
        collectors: Those that are enabled.
        stores: All that are configured.
        refused: Why the configuration on disk is not the one in use, or an empty string.
    """
    troubled = sorted(
        (each for each in collectors if each.state.is_trouble),
        key=lambda each: by_trouble(each.state),
    )
    lines = [f"the configuration on disk is not in use: {refused}"] if refused else []
    lines += [f"store {_store(each)}" for each in stores if each.is_trouble]
    lines += map(str, troubled)
    lines += [
        f"store {each.name} has refused {each.dead:,} readings" for each in stores if each.dead
    ]
    return lines


def sentence(
    collectors: Sequence[CollectorHealth], stores: Sequence[StoreFacts], *, refused: str = ""
) -> str:
    """Say in one sentence how everything is."""
    lead = "".join(f"{_cut(line)}; " for line in problems([], [], refused=refused))
    wrong = problems(collectors, stores)
    if not wrong:
        return lead.removesuffix("; ") or _all_well(collectors)
    head = headline(collectors, stores)
    head = f"{lead}{head}: " if head else lead
    shown = [_cut(line) for line in wrong[:NAMED]]
    beyond = len(wrong) - len(shown)
    return head + "; ".join([*shown, f"and {beyond} more"] if beyond else shown)


def _cut(line: str) -> str:
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 3]}..."


def headline(collectors: Sequence[CollectorHealth], stores: Sequence[StoreFacts]) -> str:
    """Say how many stores and collectors need attention; nothing if none does."""
    troubled = sum(each.state.is_trouble for each in collectors)
    down = sum(each.is_trouble for each in stores)
    parts = []
    if down:
        parts.append(f"{down} of {_counted(len(stores), 'store')}")
    if troubled:
        parts.append(f"{troubled} of {_counted(len(collectors), 'collector')}")
    need = "needs" if down + troubled == 1 else "need"
    return f"{' and '.join(parts)} {need} attention" if parts else ""


def _all_well(collectors: Sequence[CollectorHealth]) -> str:
    if not collectors:
        return "no collectors are configured"
    waiting = sum(each.state == "waiting" for each in collectors)
    number = len(collectors)
    distant = [str(each) for each in collectors if each.state == "waiting" and each.why]
    if distant and len(distant) == waiting < len(collectors):
        beyond = len(distant) - NAMED
        named = distant[:NAMED] + ([f"and {beyond} more"] if beyond > 0 else [])
        return f"{number - waiting} of {number} collectors are fresh; {'; '.join(named)}"
    if not waiting:
        return "the one collector is fresh" if number == 1 else f"all {number} collectors are fresh"
    if waiting == number:
        return f"{_counted(number, 'collector')} started, nothing is due yet"
    return f"{number - waiting} of {number} collectors are fresh, nothing is due yet of the others"


def _store(store: StoreFacts) -> str:
    if store.down_for is None:
        if store.spool_error:
            return f"{store.name} has a spool that cannot be written: {store.spool_error}"
        return f"{store.name} has a full spool"
    down = f"{store.name} has taken nothing for {span(store.down_for)}"
    if store.spool_error:  # before the other reason, since the end of a line may be cut
        return f"{down}, and its spool cannot be written: {store.spool_error}; {store.error}"
    full = ", and its spool is full" if store.full else ""
    return f"{down}{full}: {store.error}"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
