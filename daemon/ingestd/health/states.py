"""The one state in which a collector is at a time."""

from enum import StrEnum
from typing import Any, Final


class State(StrEnum):
    """How a collector is; the worse stands before the better."""

    BLOCKED = "blocked"
    PAUSED = "paused"
    DISCONNECTED = "disconnected"
    FAILING = "failing"
    BACKING_OFF = "backing_off"
    NEVER = "never"
    LATE = "late"
    DEGRADED = "degraded"
    WAITING = "waiting"
    FRESH = "fresh"

    @property
    def is_trouble(self) -> bool:
        """Whether an operator should look at it."""
        return self not in {State.WAITING, State.FRESH}

    @property
    def is_failing(self) -> bool:
        """Whether the collector's last run failed, or its stream has no connection."""
        return self in {State.DISCONNECTED, State.FAILING, State.BACKING_OFF}

    @property
    def is_late(self) -> bool:
        """Whether readings are missing that should have come by now."""
        return self in {State.NEVER, State.LATE}


_ORDER: Final = {state.value: place for place, state in enumerate(State)}


def by_trouble(state: Any) -> int:
    """Return a key for sorting states, or texts that name them, the worst first."""
    return _ORDER.get(state, len(_ORDER))
