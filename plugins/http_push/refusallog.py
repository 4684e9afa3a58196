"""Tells the operator of requests that were refused: a line now and then, not one for each."""

import time
from typing import Any, Final

from .formats.message import Found

EVERY: Final = 300.0  # seconds between two lines of a kind
MOST_KINDS: Final = 200


class RefusalLog:
    """Counts what is wrong with requests.

    Args:
        log: Takes the lines.
    """

    def __init__(self, log: Any) -> None:
        self._log = log
        self._kinds: dict[tuple[str, str, str], tuple[float, int]] = {}

    def note(self, form: str, remote: str | None, error: Exception) -> None:
        """Count a request that was refused."""
        kind = type(error).__name__.removesuffix("Error")
        self._tell("request refused", form, remote, kind, str(error))

    def note_rejected(self, form: str, remote: str | None, found: Found) -> None:
        """Count a request of whose readings some cannot be stored."""
        self._tell("readings rejected", form, remote, "Rejected", found.samples[0])

    def _tell(self, event: str, form: str, remote: str | None, kind: str, error: str) -> None:
        now = time.monotonic()
        error = error.encode(errors="backslashreplace").decode()
        key = form, remote or "", kind
        if key not in self._kinds and len(self._kinds) >= MOST_KINDS:
            del self._kinds[next(iter(self._kinds))]  # told the longest ago
        told, count = self._kinds.get(key, (-EVERY, 0))
        if now - told < EVERY:
            self._kinds[key] = told, count + 1
            return
        more = {"since_last": count} if count else {}
        self._log.warning(event, format=form, sender=remote, error=error, **more)
        self._kinds.pop(key, None)
        self._kinds[key] = now, 0
