"""One span of one source: cut into windows, each asked for until it is all there."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from ingestd.plugins._backoff import Backoff

from .api import Api
from .elements import Chunk, Reader
from .endpoint import Endpoint
from .errors import BodyLost, DcsError, RangeTooLong, ReadError, SourceRefused
from .options import Options
from .periods import Calendar, Window
from .positions import Progress
from .session import Session
from .sources import Source

# An answer that broke off is asked for again at once, and then after these pauses.
BACKOFF: Final = Backoff(first=1.0, longest=8.0)
MOST_BREAKS: Final = 5
# So many chunks are kept in memory, so that the server is free again before a run
# waits for the store; an answer that has more keeps its server until it is taken.
AHEAD: Final = 25


@dataclass(frozen=True, slots=True)
class Part:
    """Readings of a source, and how far it has been read with them."""

    readings: Sequence[tuple[Any, ...]]
    position: datetime | None


@dataclass(frozen=True, slots=True)
class SpanReader:
    """Reads spans of sources at one server."""

    session: Session
    options: Options
    api: Api
    endpoint: Endpoint

    async def read(
        self, source: Source, reader: Reader, span: Window, progress: Progress
    ) -> AsyncGenerator[Part, None]:
        """Yield all readings of a span, widened to whole periods.

        Raises:
            SourceRefused: The server does not give this source.
            SourceFailed: It does not give it this time.
            DcsError: The server is of no use.
        """
        calendar = self.options.calendar_of(source)
        longest = min(self.options.max_window, self.endpoint.longest or self.options.max_window)
        waiting = deque(calendar.windows(span.start, span.end, longest=longest))
        shrunk: timedelta | None = None
        breaks = 0
        while waiting:
            window = waiting.popleft()
            progress.begin(window)
            try:
                async with aclosing(self._window(source, reader, window)) as chunks:
                    async for chunk in chunks:
                        yield Part(chunk.readings, progress.see(chunk.times))
            except RangeTooLong as error:
                shrunk = window.length / 2
                waiting = deque(
                    halved(calendar, Window(window.start, span.end), window.length, refusal=error)
                )
                continue
            except BodyLost as error:
                reached = progress.reached
                moved = reached is not None and calendar.floor(reached) > window.start
                breaks = 0 if moved else breaks + 1
                await pause(breaks, error)
                rest = window if reached is None else Window(calendar.floor(reached), window.end)
                waiting.appendleft(rest)
                continue
            breaks = 0
            if shrunk is not None:  # learnt only now: it was the length that had been wrong
                self.endpoint.learn(shrunk)
                shrunk = None
            yield Part([], progress.finish())

    async def _window(
        self, source: Source, reader: Reader, window: Window
    ) -> AsyncGenerator[Chunk, None]:
        """Yield the readings of one window, the first of them only when some have come."""
        request = self.api.request(source, window)
        ahead: deque[Chunk] = deque()
        broken: ReadError | None = None
        try:
            async with aclosing(self.session.readings(request.url, request.query)) as found:
                async for each in found:
                    ahead.append(reader.read(each))
                    if len(ahead) > AHEAD:
                        yield ahead.popleft()
        except ReadError as error:
            broken = error  # raised behind what came before it
        while ahead:
            yield ahead.popleft()
        if broken is not None:
            raise broken


def halved(
    calendar: Calendar, rest: Window, length: timedelta, *, refusal: RangeTooLong
) -> list[Window]:
    """Cut what is left of a span into windows of half the length that was too long.

    Raises:
        SourceRefused: They cannot be any shorter.
    """
    cut = calendar.windows(rest.start, rest.end, longest=length / 2)
    if cut[0].length >= length:
        raise SourceRefused(str(refusal))
    return cut


async def pause(breaks: int, error: BodyLost) -> None:
    """Wait before an answer is asked for again.

    Raises:
        DcsError: It has broken off too often without any progress.
    """
    if breaks > MOST_BREAKS:
        raise DcsError(str(error)) from error
    await asyncio.sleep(BACKOFF.spread_pause(breaks - 1))
