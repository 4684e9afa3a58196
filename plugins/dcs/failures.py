"""What goes wrong with single sources of a run, and when it is no longer theirs."""

from dataclasses import dataclass, field
from typing import Final

from .errors import DcsError, summary

# If so many sources fail in passing before any is read, it may be the server that does.
MANY: Final = 3


@dataclass(slots=True)
class Failures:
    """What went wrong with single sources.

    Attributes:
        refused: Those that will never work, and why.
        failed: Those that may work later, and why.
        served: How many were read.
        works: Whether the server is known to give readings.
    """

    refused: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    served: int = 0
    works: bool = False

    def serve(self) -> None:
        """Note that a source was read."""
        self.served += 1
        self.works = True

    @property
    def in_doubt(self) -> bool:
        """Whether it may be the server that fails."""
        return not self.works and len(self.failed) >= MANY

    def verdict(self, *, backfill: bool) -> str:
        """Return what marks the run, or nothing.

        Raises:
            DcsError: There was nothing that could be read; but for a backfill that is the
                end of the matter if the server works.
        """
        text = summary({**self.failed, **self.refused})
        if text and not self.served and not (backfill and self.works):
            raise DcsError(text)
        return text
