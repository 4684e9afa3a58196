"""What is left to ask for of a span: windows that are cut again when they prove too long."""

from collections import deque
from datetime import datetime, timedelta

from .errors import SourceRefused, WindowRefused
from .periods import Calendar, Window


class Remaining:
    """The windows of a span that have not been read.

    Args:
        calendar: They begin and end with its periods.
        span: All of it; widened to whole periods.
        longest: The longest window to begin with.

    Attributes:
        shortened: The length that was tried after a longer window had been refused, until
            a window of that length has been read.
    """

    def __init__(self, calendar: Calendar, span: Window, *, longest: timedelta) -> None:
        self._calendar, self._end = calendar, span.end
        self._windows = deque(calendar.windows(span.start, span.end, longest=longest))
        self.shortened: timedelta | None = None

    def next(self) -> Window | None:
        """Return the next window, or None at the end."""
        return self._windows.popleft() if self._windows else None

    def shorten(self, refused: Window, *, refusal: WindowRefused) -> None:
        """Cut what is left into windows of half the length that was too long.

        Raises:
            SourceRefused: They cannot be any shorter.
        """
        half = refused.length / 2
        cut = self._calendar.windows(refused.start, self._end, longest=half)
        if cut[0].length >= refused.length:
            raise SourceRefused(str(refusal))
        self._windows, self.shortened = deque(cut), half

    def resume(self, broken: Window, reached: datetime | None) -> bool:
        """Take what a window that broke off did not give; say whether it gave anything.

        Args:
            broken: The window.
            reached: The time of its newest reading, or None if there was none.
        """
        if reached is None:
            self._windows.appendleft(broken)
            return False
        start = self._calendar.floor(reached)
        self._windows.appendleft(Window(start, broken.end))
        return start > broken.start

    def first_period(self, window: Window) -> Window | None:
        """Return the first period of a window, or None if it has no other."""
        calendar = self._calendar
        first = Window(window.start, calendar.begin(calendar.number(window.start) + 1))
        return first if first.end < window.end else None
