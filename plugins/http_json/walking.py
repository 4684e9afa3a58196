"""The walk over the windows of a run, the pages of each, and the parts of a page."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime
from itertools import chain
from math import inf
from typing import Any, Final

from ingestd.plugins._answers import AnswerError, bare
from ingestd.plugins._readings import Reading, behind_each_other
from ingestd.plugins._shapes import Missing, Reader
from ingestd.plugins._times import Bounds, settle_readings
from ingestd.plugins._windows import Window

from .cursor import Position
from .pages import Page, Paging, Request
from .refusals import Refusal
from .setup import Setup
from .source import NOTHING

# Between so many records others get their turn on the event loop.
SLICE: Final = 1000


class Walk:
    """One run: what its source has, as results for the daemon.

    Args:
        setup: What the params say.
        ctx: The context of the run.
        tokens: What the runs before have left to open the source.
    """

    def __init__(self, setup: Setup, ctx: Any, tokens: Any) -> None:
        self._setup, self._ctx = setup, ctx
        self._source = setup.opened(ctx, tokens)
        self._now = ctx.now().timestamp()

    async def results(
        self, *, newest: float | None, start: datetime | None, end: datetime | None
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Yield a result for each page of each window, the oldest window first.

        Args:
            newest: The position, in Unix seconds.
            start: Of a backfill, or None.
            end: Likewise.

        Raises:
            AnswerError: A page is not what it should be.
            ValueError: A backfill is wanted that cannot be asked for.
        """
        cursor, now = self._setup.cursor, self._now
        position = Position(cursor, newest=newest, now=now, backfill=start is not None)
        asked: Request | None = None
        for window in cursor.spans(newest=newest, now=now, start=start, end=end):
            if self._ctx.stopping:
                break
            request = self._setup.template.request(cursor.windows.writer(window))
            position.begin(window)
            if request == asked:  # as of a file for each month, of which a window is a day
                nothing = Page(request, 1, None, [])
                yield {"readings": [], **position.after(nothing, last=True, full=False)}
                continue
            asked, last = request, True
            async with aclosing(self._window(window, request, position)) as found:
                async for result, ends in found:
                    yield result
                    last = ends
            if not last:
                break
        for note in position.notes():
            self._ctx.note(note)

    async def _window(
        self, window: Window, request: Request, position: Position
    ) -> AsyncGenerator[tuple[dict[str, Any], bool], None]:
        """Yield the results of a window, each with whether its page is the last one."""
        setup = self._setup
        before: Sequence[Reading] = []
        begin = -inf if window.since is None else window.since
        bounds = Bounds(after=begin, now=self._now + setup.cursor.ahead, read=position.newest)
        missing = Missing(setup.shape)
        async with aclosing(self._pages(request)) as pages:
            async for page, last in pages:
                found = await readings_of(setup.shape, page)
                readings = before = settle_readings(found, before=before, bounds=bounds)
                position.gather(readings)
                missing.look(page.records, readings)
                if page.goes_on:
                    yield {"readings": readings}, last
                    continue
                state = position.after(page, last=last, full=page.number == setup.max_pages)
                problem = state.pop("script_error", "") or missing.after(f"page {page.number}")
                told = {"script_error": problem} if problem else {}
                yield {"readings": readings, **state, **told}, last

    async def _pages(self, request: Request) -> AsyncGenerator[tuple[Page, bool], None]:
        """Yield the pages, each with whether it is the last one that the source has.

        Raises:
            AnswerError: A page is not what it should be.
        """
        setup, pages = self._setup, self._setup.pages
        if pages.single and setup.refusal is None:
            async with aclosing(self._parts(request)) as parts:
                async for part in parts:
                    yield part, True
            return
        following: Request | None = pages.first(request)
        before: Page | None = None
        earlier: set[object] = set()  # what was asked before the latest page
        for number in range(1, setup.max_pages + 1):
            if following is None:
                return
            where = f"{self._source.method} {bare(following.url)}: page {number}"
            page = await self._page(following, number, where=where)
            if page is None:
                yield Page(following, number, None, []), True
                return
            following = next_of(page, pages, where=where)
            if repeats(page, before, clamped=pages.clamped, where=where):
                yield replace(page, records=[]), True
                return
            if following is not None and following.key in earlier - {page.request.key}:
                raise AnswerError(f"{where}: expected a further page, got one that was read before")
            earlier.add(page.request.key)
            before = page
            yield page, following is None

    async def _page(self, request: Request, number: int, *, where: str) -> Page | None:
        """Return a whole page, or None if the source says that there is none.

        Raises:
            AnswerError: It is not what it should be.
        """
        setup, beyond = self._setup, self._setup.pages.counted and number > 1
        documents, head = await self._source.get(self._ctx.http, request, may_be_missing=beyond)
        if documents is NOTHING:
            return None
        try:
            found = [records_in(each, setup.shape, setup.refusal) for each in documents]
        except ValueError as error:
            raise AnswerError(f"{where}: {error}") from None
        document = documents[0] if len(documents) == 1 else documents
        return Page(request, number, document, list(chain.from_iterable(found)), head)

    async def _parts(self, request: Request) -> AsyncGenerator[Page, None]:
        """Yield the records of the only page, in parts while they arrive.

        Raises:
            AnswerError: It is not what it should be.
        """
        waiting: Sequence[Any] = []
        broken: AnswerError | None = None
        try:
            async with aclosing(
                self._source.records(self._ctx.http, request, self._setup.shape)
            ) as found:
                async for records in found:
                    if waiting:
                        yield Page(request, 1, None, waiting, goes_on=True)
                    waiting = records
        except AnswerError as error:  # what came before it is good
            broken = error
        if broken is None or waiting:
            yield Page(request, 1, None, waiting, goes_on=broken is not None)
        if broken is not None:
            raise broken


def repeats(page: Page, before: Page | None, *, clamped: bool, where: str) -> bool:
    """Say whether a page is the one before it, which names itself as the next.

    Args:
        page: The page.
        before: The one before it.
        clamped: Whether a source may give its last page for any higher number. The second page
            is no such one: a source that knows no numbers gives the first one for all of them.
        where: The request, for people.

    Raises:
        AnswerError: Another request had the same records.
    """
    if before is None or not page.records or page.records != before.records:
        return False
    if page.request == before.request or (clamped and page.number > 2):
        return True
    raise AnswerError(f"{where}: expected other records than on the page before, got the same")


def next_of(page: Page, pages: Paging, *, where: str) -> Request | None:
    """Return what to ask after a page, or None after the last.

    Raises:
        AnswerError: The page does not say it as it should.
    """
    try:
        return pages.following(page)
    except ValueError as error:
        raise AnswerError(f"{where}: {error}") from None


def records_in(document: Any, shape: Reader, refusal: Refusal | None) -> list[Any]:
    """Return the records of a document.

    Raises:
        ValueError: There are none where they should be, or it says that the source has failed.
    """
    if refusal is not None and (said := refusal(document)):
        raise ValueError(f"expected records, got the error {said!r}")
    return shape.records_of(document)


async def readings_of(shape: Reader, page: Page) -> Sequence[Reading]:
    """Return the readings of a page, letting others run in between."""
    parts: list[Sequence[Reading]] = []
    read = shape.compiled()
    for at in range(0, len(page.records), SLICE):
        parts.append(read(page.records[at : at + SLICE], None))
        await asyncio.sleep(0)
    return behind_each_other(parts)
