"""What a collector remembers of each target: what it last sent of it, and when."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Remembered:
    """What is known of one target.

    Attributes:
        hash: Of what was read of it.
        newest: The latest time that has a value, in Unix seconds, or None.
        sent: When all of it was sent last, in Unix seconds.
        read: When it was read last, likewise.
    """

    hash: str = ""
    newest: float | None = None
    sent: float = 0.0
    read: float = 0.0

    @classmethod
    def of(cls, state: Any) -> "Remembered":
        """Read it from the state; what is none there counts as nothing."""
        if not isinstance(state, Mapping):
            return cls()
        newest = state.get("newest")
        return cls(
            str(state.get("hash", "")),
            float(newest) if isinstance(newest, int | float) else None,
            *(float(state.get(name) or 0.0) for name in ("sent", "read")),
        )

    def after(self, hash_: str, newest: float | None, *, now: float, sent: bool) -> "Remembered":
        """Return what is known after a look at the target."""
        return replace(self, hash=hash_, newest=newest, read=now, sent=now if sent else self.sent)

    @property
    def state(self) -> dict[str, Any]:
        """As the state has it."""
        return {"hash": self.hash, "newest": self.newest, "sent": self.sent, "read": self.read}
