"""Where a run begins to ask, and how far it may say that it has read."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import inf
from typing import Any

from ingestd.plugins._answers import AnswerError
from ingestd.plugins._awaited import Awaited, ends_of, reached_by, shown
from ingestd.plugins._places import SINCE
from ingestd.plugins._readings import column
from ingestd.plugins._windows import Window, Windows

from .pages import Page


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """The options that let a run go on where the one before ended.

    Attributes:
        windows: How time is cut, and written.
        overlap: How far before the position to ask again, in seconds.
        lookback: Where the first run begins, in seconds before now.
        ahead: How far beyond now runs ask, in seconds.
        patience: For how long a window without readings is asked again, in seconds.
        hold: For how long a time that has no value yet holds the position, in seconds.
        revisit: How far before now every run reads again, in seconds.
        in_order: Whether no page of a window holds anything older than the one before.
    """

    windows: Windows
    overlap: float
    lookback: float | None
    ahead: float
    patience: float
    hold: float
    revisit: float
    in_order: bool

    @property
    def moves(self) -> bool:
        """Whether there is a position."""
        return self.windows.has(SINCE)

    def check(self, start: datetime | None) -> None:
        """Refuse a window of the past that could not be asked for.

        Args:
            start: Where it begins; None if there is none.

        Raises:
            ValueError: Requests do not say from when on they ask.
        """
        if start is not None and not self.moves:
            raise ValueError("since_param: expected for a backfill, or {since}, got nothing")

    def spans(
        self, *, newest: float | None, now: float, start: datetime | None, end: datetime | None
    ) -> Iterator[Window]:
        """Return the windows to ask for, the oldest first.

        Raises:
            ValueError: A backfill is wanted that cannot be asked for.
        """
        begin = None
        self.check(start)
        if start is not None:
            begin = start.timestamp()
        elif newest is not None:
            begin = min(newest - self.overlap, now - self.revisit)
        elif self.lookback is not None:
            begin = (now - self.lookback) // 1
        return self.windows.cut(begin, now + self.ahead if end is None else end.timestamp())


class Position:
    """Decides when the cursor may move.

    Pages may come newest first. A cursor that moved with the first of them
    would skip all the others if the run failed now, so it moves with the last
    one of a window only, unless the operator promised that pages come oldest first; and
    that promise is checked. A time in the future moves it no further than now:
    one wrong record must not hide all readings until then.

    A window without readings does not move it, because they may come late, unless it
    ended longer ago than the operator has patience. Nor does it pass a time at which a value is
    missing that may still come: null, or what is no number.
    """

    def __init__(self, cursor: Cursor, *, newest: float | None, now: float, backfill: bool) -> None:
        self._cursor, self._now = cursor, now
        self._active = cursor.moves and not backfill
        self._start = newest
        self._reached: float | None = None  # in this run
        self._before: float | None = None  # where it was when the window began
        self._seen: float | None = None  # in this window
        self._oldest, self._latest = inf, -inf  # of the page
        self._window = Window(None, now, now)
        self._passed: list[tuple[float, float]] = []  # from when to when there was nothing
        self._awaited = Awaited(hold=cursor.hold, now=now)

    @property
    def newest(self) -> float | None:
        """How far everything has been read, in Unix seconds; None: nothing has."""
        return self._awaited.position(self._reached, start=self._start)

    def begin(self, window: Window) -> None:
        """Take note of the window whose pages come next."""
        self._before, self._seen, self._window = self.newest, None, window

    def gather(self, readings: Sequence[tuple[Any, ...]]) -> None:
        """Take note of some readings of a page.

        Raises:
            ValueError: Their times cannot be compared.
        """
        if not self._active:
            return
        times = column(readings, 0)
        if datetime in set(map(type, times)) and any(
            type(time) is datetime and time.tzinfo is None for time in times
        ):
            raise ValueError(
                "timezone: expected, because since_param compares times without a zone"
            )
        first, last = ends_of(reached_by(readings, self._now))
        self._oldest, self._latest = min(self._oldest, first), max(self._latest, last)
        self._awaited.gather(readings, read=self._before)

    def after(self, page: Page, *, last: bool, full: bool) -> dict[str, Any]:
        """Return the state that may be kept after a page, whose readings were gathered.

        Raises:
            AnswerError: Pages do not come in the promised order.
        """
        if self._active:
            self._advance(page)
        if self._active and last:
            self._pass()
        may_move = self._active and self.newest is not None and (last or self._cursor.in_order)
        state: dict[str, Any] = {"newest": self.newest} if may_move else {}
        if full and not last and not (may_move and self.newest != self._before):
            state["script_error"] = (
                f"stopped after {page.number} pages (max_pages), and there are more; "
                "the next run begins where this one did"
            )
        return state

    def notes(self) -> list[str]:
        """Return what people should know of the run."""
        notes = []
        if self._passed:
            gap = f"from {shown(self._passed[0][0])} to {shown(self._passed[-1][1])}"
            notes.append(f"no readings {gap}, which is beyond patience: not asked for again")
        return [*notes, *self._awaited.notes()]

    def _pass(self) -> None:
        """Move beyond a window that was read and ended long ago."""
        behind, patience = self._window.behind, self._cursor.patience
        if self._cursor.windows.span is None or self._window.until > self._now - patience:
            return
        if self.newest is not None and self.newest >= behind:
            return
        if self._seen is None and self.newest is not None:
            self._passed.append((self.newest, behind))
        self._reach(behind)

    def _advance(self, page: Page) -> None:
        oldest, newest = self._oldest, self._latest
        self._oldest, self._latest = inf, -inf
        if newest == -inf:
            return
        if self._cursor.in_order and self._seen is not None and oldest < self._seen:
            raise AnswerError(
                f"page {page.number}: expected nothing older than on the pages before "
                "(order: oldest_first), got older records"
            )
        self._seen = newest if self._seen is None else max(self._seen, newest)
        self._reach(min(newest, self._now))

    def _reach(self, time: float) -> None:
        self._reached = time if self._reached is None else max(self._reached, time)
