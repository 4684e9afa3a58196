"""What the log is told of the points that a store refuses: a line for a batch, not for each."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ingestd.delivery.sifting import Refused

EXAMPLES: Final = 3
LONGEST_EXAMPLE: Final = 200  # characters


@dataclass(slots=True)
class Burials:
    """The dead letters of one batch, as far as they have been written.

    Attributes:
        points: How many there are.
        reason: Why the first of them was refused.
        examples: The first of them, as they would have been sent.
    """

    points: int = 0
    reason: str = ""
    examples: list[str] = field(default_factory=list)

    def note(self, refused: Refused) -> None:
        """Note some more of them."""
        if not self.points and refused:
            self.reason = refused[0][1]
        self.points += len(refused)
        room = EXAMPLES - len(self.examples)
        self.examples += shown([payload for payload, _ in refused[:room]])

    def tell(self, log: Any) -> None:
        """Log what there is, if there is any; the dead letters have the rest."""
        if self.points:
            log.error(
                "points refused for good",
                points=self.points, reason=self.reason, examples=self.examples,
            )  # fmt: skip


def shown(payloads: Sequence[bytes]) -> list[str]:
    """Return the beginnings of payloads as a person reads them."""
    return [payload.decode(errors="replace")[:LONGEST_EXAMPLE] for payload in payloads]
