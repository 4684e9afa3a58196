"""Which readings to ask for, and how far a run may say that it has read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ingestd.plugins._answers import AnswerError

from .paging import Page
from .shape import format_time, seconds


@dataclass(frozen=True, slots=True)
class Cursor:
    """The options that let a run go on where the one before ended.

    Attributes:
        since_param: What asks for newer readings; None: there is no cursor.
        until_param: What ends the window of a backfill.
        since_format: How those two are written.
        overlap: How far before the newest reading to ask again, in seconds.
        lookback: Where the first run begins, in seconds before now.
        in_order: Whether no page holds anything older than the one before.
    """

    since_param: str | None
    until_param: str | None
    since_format: str | None
    overlap: float
    lookback: float | None
    in_order: bool

    @classmethod
    def of(cls, *, order: str | None, has_time: bool, **options: Any) -> "Cursor":
        """Check the options against each other.

        Raises:
            ValueError: Says what is wrong.
        """
        if order not in (None, "oldest_first"):
            raise ValueError(f"order: expected 'oldest_first' or nothing, got {order!r}")
        if options["since_param"] is not None and not has_time:
            raise ValueError("since_param: expected `time` beside it, to know what was read")
        return cls(in_order=order is not None, **options)

    def window(
        self,
        *,
        newest: float | None,
        now: float,
        start: datetime | None,
        end: datetime | None,
    ) -> dict[str, tuple[str, ...]]:
        """Return what to add to the query, so that only what is wanted comes.

        Raises:
            ValueError: A backfill is wanted that cannot be asked for.
        """
        if self.since_param is None:
            if start is not None:
                raise ValueError("since_param: expected for a backfill, got nothing")
            return {}
        since = None
        if start is not None:
            since = start.timestamp()
        elif newest is not None:
            since = newest - self.overlap
        elif self.lookback is not None:
            since = now - self.lookback
        window: dict[str, tuple[str, ...]] = {}
        if since is not None:
            window[self.since_param] = (format_time(since, self.since_format),)
        if end is not None and self.until_param is not None:
            window[self.until_param] = (format_time(end.timestamp(), self.since_format),)
        return window


class Position:
    """Decides when the cursor may move.

    Pages may come newest first. A cursor that moved with the first of them
    would skip all the others if the run failed now, so it moves with the last
    one only, unless the operator promised that pages come oldest first; and
    that promise is checked. A time in the future moves it no further than now:
    one wrong record must not hide all readings until then.
    """

    def __init__(self, cursor: Cursor, *, newest: float | None, now: float, backfill: bool) -> None:
        self._cursor, self._now = cursor, now
        self._active = cursor.since_param is not None and not backfill
        self._before, self._newest = newest, newest
        self._seen: float | None = None  # in this run

    def after(
        self, page: Page, readings: Sequence[tuple[Any, ...]], *, last: bool, full: bool
    ) -> dict[str, Any]:
        """Return the state that may be kept after a page.

        Raises:
            AnswerError: Pages do not come in the promised order.
        """
        if self._active:
            self._advance(page, readings)
        may_move = self._active and self._newest is not None and (last or self._cursor.in_order)
        state: dict[str, Any] = {"newest": self._newest} if may_move else {}
        if full and not last and not (may_move and self._newest != self._before):
            state["script_error"] = (
                f"stopped after {page.number} pages (max_pages), and there are more; "
                "the next run begins where this one did"
            )
        return state

    def _advance(self, page: Page, readings: Sequence[tuple[Any, ...]]) -> None:
        if any(isinstance(r[0], datetime) and r[0].tzinfo is None for r in readings):
            raise ValueError(
                "timezone: expected, because since_param compares times without a zone"
            )
        times = [time for r in readings if (time := seconds(r[0])) is not None]
        if not times:
            return
        if self._cursor.in_order and self._seen is not None and min(times) < self._seen:
            raise AnswerError(
                f"page {page.number}: expected nothing older than on the pages before "
                "(order: oldest_first), got older records"
            )
        self._seen = max(times) if self._seen is None else max(self._seen, *times)
        latest = min(max(times), self._now)
        self._newest = latest if self._newest is None else max(self._newest, latest)
