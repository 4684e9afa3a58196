"""One span of one source: cut into windows, each asked for until it is all there.

Theory of operation. Readings are handed over as they arrive, so a run that ends in the
middle of an answer has not read in vain. While they wait for the store, the rest of the answer is
read ahead: the server is free again as soon as it has sent its last byte.

Windows are as long as the server bears. One that is refused, in any words, is
tried shorter, unless the first of its periods is refused too. One that a run could not
await is shorter in the next run, and grows again when answers come quickly.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from ingestd.plugins._backoff import Backoff

from .ahead import read_ahead
from .api import Api
from .elements import Chunk, Reader
from .endpoint import Endpoint
from .errors import BodyLost, DcsError, LateAnswer, RangeTooLong, SourceRefused, WindowRefused
from .options import Options
from .periods import Window
from .positions import Progress
from .remaining import Remaining
from .session import Session
from .sources import Source

# An answer that broke off is asked for again at once, and then after these pauses.
BACKOFF: Final = Backoff(first=1.0, longest=8.0)
MOST_BREAKS: Final = 5
# So many chunks of an answer, of some 2,000 readings each, may wait for the store.
AHEAD: Final = 25
# One answer is under way at the end of each run that is cut short. It is the one that
# took too long if it had this part of the run's time.
LARGE_SHARE: Final = 0.25


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
        self, source: Source, reader: Reader, span: Window, progress: Progress, *, exactly: bool
    ) -> AsyncGenerator[Part, None]:
        """Yield all readings of a span, widened to whole periods.

        Args:
            source: The source.
            reader: Makes readings of what comes.
            span: From when to when.
            progress: The position of the source.
            exactly: Whether to leave out what lies in these periods and not in the span.

        Raises:
            SourceRefused: The server does not give this source.
            SourceFailed: It does not give it this time.
            DcsError: The server is of no use.
        """
        widened = self.options.calendar_of(source).widened(span)
        wanted = span if exactly else widened
        longest = self.endpoint.longest_window(self.options.max_window)
        left = Remaining(self.api.cut(source), widened, longest=longest)
        breaks = 0
        while (window := left.next()) is not None:
            progress.begin(window.within(widened))
            all_wanted = window in widened and not exactly
            try:
                async with aclosing(self._window(source, reader, window, progress)) as chunks:
                    async for chunk in chunks:
                        seen = chunk if all_wanted else chunk.inside(wanted)
                        yield Part(seen.readings, progress.see(seen.times))
            except WindowRefused as error:
                await self._blame_length(source, reader, window, left, error)
                left.shorten(window, refusal=error)
                continue
            except BodyLost as error:
                breaks = 0 if left.resume(window, progress.reached) else breaks + 1
                await pause(breaks, error)
                continue
            breaks = 0
            if left.shortened is not None:  # learnt only now: it was the length that was wrong
                self.endpoint.learn(left.shortened)
                left.shortened = None
            yield Part([], progress.finish())

    async def _window(
        self, source: Source, reader: Reader, window: Window, progress: Progress
    ) -> AsyncGenerator[Chunk, None]:
        """Yield the readings of one window, and learn whether it is too long to be awaited."""
        chunks = read_ahead(
            self._chunks(source, reader, window), most=AHEAD, name=f"ingestd[dcs].{source.id}"
        )
        try:
            async with aclosing(chunks) as found:
                async for chunk in found:
                    yield chunk
        except asyncio.CancelledError:
            reached = progress.reached
            if self._seconds() > self._run_seconds() * LARGE_SHARE:
                length = window.length if reached is None else reached - window.start
                self.endpoint.cut_short(length, seconds=self._seconds())
            raise
        except LateAnswer:
            self.endpoint.cut_short(window.length, seconds=self._seconds())
            raise
        self.endpoint.ended(window.length, seconds=self._seconds())

    async def _chunks(
        self, source: Source, reader: Reader, window: Window
    ) -> AsyncGenerator[Chunk, None]:
        request = self.api.request(source, window)
        async with aclosing(self.session.readings(request.url, request.query)) as found:
            async for each in found:
                yield reader.read(each)

    async def _blame_length(
        self,
        source: Source,
        reader: Reader,
        window: Window,
        left: Remaining,
        refusal: WindowRefused,
    ) -> None:
        """Find out whether it is for its length that a window is refused.

        A server that does not say so gives the first of its periods if it is.

        Raises:
            SourceRefused: It is not.
        """
        if isinstance(refusal, RangeTooLong) or left.shortened is not None:
            return
        first = left.first_period(window)
        if first is None:
            raise SourceRefused(str(refusal))
        try:
            async with aclosing(self._chunks(source, reader, first)) as chunks:
                async for _ in chunks:
                    pass
        except WindowRefused:
            raise SourceRefused(str(refusal)) from None

    def _seconds(self) -> float:
        """Return for how long the readings have been asked for, in seconds."""
        asked = self.session.asked
        return 0.0 if asked is None else asyncio.get_running_loop().time() - asked

    def _run_seconds(self) -> float:
        return asyncio.get_running_loop().time() - self.session.began


async def pause(breaks: int, error: BodyLost) -> None:
    """Wait before an answer is asked for again.

    Raises:
        DcsError: It has broken off too often without any progress.
    """
    if breaks > MOST_BREAKS:
        raise DcsError(str(error)) from error
    await asyncio.sleep(BACKOFF.spread_pause(breaks - 1))
