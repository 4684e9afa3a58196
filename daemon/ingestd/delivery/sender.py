"""Gives bodies to a store, and sorts out what it refuses.

Theory of operation. A store that refuses a body rarely says which point it choked
on. So the body is halved until the culprits stand alone, and their neighbours get
through; a store that names the bad ones is believed.

A store is believed about readings only after it has taken one from this sender. A
server that refuses every reading refuses the request: the path is wrong, or the
product, or a proxy answers. Such a refusal is an outage, as is one that is not in the
words of the product. To tell the two apart, a few points that were picked at random,
from the body and from what else waits, are offered one by one. They stay where they
are, and are sent again in their turn, so nothing depends on when they were offered.

A server may also fail, with a status of 500 or so, because of one reading. After a few
such failures in a row the same offer tells whether it is the server or the body, and
the body is halved likewise. What stands alone in the end is no dead letter yet: it is
handed back as *suspect*, see ``suspects.py``.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeVar

from ingestd.clock import Clock, wait_at_most
from ingestd.delivery.account import Account, Origin
from ingestd.delivery.burials import Burials
from ingestd.delivery.deadletters import DeadLetters
from ingestd.delivery.limits import Limits
from ingestd.delivery.outage import Outage
from ingestd.delivery.sifting import Refused, cut, join, part, sifted, some_of
from ingestd.delivery.sizes import Sizes
from ingestd.delivery.spoolspace import SpoolSpace
from ingestd.delivery.suspects import Suspects
from ingestd.delivery.throttle import Throttle
from ingestd.errors import (
    BodyRejected,
    BodyTooLarge,
    PayloadError,
    StateError,
    StoreError,
    StoreUnavailable,
)
from ingestd.model import Body
from ingestd.sinks import Identity, Sink, mending

T = TypeVar("T")

OFFERED: Final = 8  # points, from each of the body and the spool
IDENTIFYING: Final = 10.0  # seconds that a server has to say who it is


@dataclass(frozen=True, slots=True)
class Remainder:
    """What a store did not take of a body.

    Attributes:
        left: What it may take later, or None.
        suspects: What it fails over while it takes the rest, or None.
    """

    left: Body | None = None
    suspects: Body | None = None


@dataclass(slots=True)
class Sifting:
    """How far the sorting out of one body has come.

    Attributes:
        pieces: What is to be sent, the next one last.
        suspects: Single points over which the server failed.
        doubtful: How many requests in a row the server has failed over since it took any;
            None until it has shown that it fails over this body only.
        tries: How many requests were spent on looking for bad points.
        failures: How many of them the server failed over.
        burials: What has become dead letters of it.
    """

    pieces: list[Body]
    suspects: list[Body] = field(default_factory=list)
    doubtful: int | None = None
    tries: int = 0
    failures: int = 0
    burials: Burials = field(default_factory=Burials)


@dataclass(kw_only=True)
class Sender:
    """The only way to one store.

    Attributes:
        pool: Where bodies are taken apart and put together.
        others: Returns a few bodies that wait, to be asked with whether the store takes any.
        cancelled: Set when nothing is to be sent any more.
        believed: Whether the store has taken a reading, so that it may refuse others.
        taken: How many bodies it has taken.
        identity: Who answers, as far as is known.
        suspects: The points over which it fails while it takes others.
    """

    sink: Sink
    outage: Outage
    dead: DeadLetters
    space: SpoolSpace
    account: Account
    limits: Limits
    pool: Executor
    clock: Clock
    log: Any
    others: Callable[[], Awaitable[Sequence[Body]]]

    def __post_init__(self) -> None:
        self._opened = False
        self._waiting: set[asyncio.Timeout] = set()  # for answers of the store
        self._sizes, self._throttle = Sizes(self.clock), Throttle(self.clock)
        self.cancelled = asyncio.Event()
        self.believed, self.taken = False, 0
        self.identity = Identity()
        limits = self.limits
        self.suspects = Suspects(
            pause=limits.suspect_pause, enough=limits.suspect_tries, clock=self.clock
        )
        self._in_doubt = False  # whether a failure of the server may be about a reading

    def cancel(self) -> None:
        """Wait for no more answers; a second time changes nothing."""
        if self.cancelled.is_set():  # what waits is on its way out, and cannot be hurried again
            return
        self.cancelled.set()
        for timeout in self._waiting:
            timeout.reschedule(0)

    async def send(self, body: Body, origin: Origin) -> Remainder:
        """Give a body to the store; return what is left of it.

        What the store takes is stored. When it takes nothing now, what it has not answered
        is left. What it does not take as it is, too large or refused, is tried again in
        pieces, until each point is either stored or a dead letter; if that takes very many
        requests, the rest is left, too, so that others have their turn.

        Raises:
            UnreadableBody: It was made for another kind of store.
        """
        work = Sifting([body])
        try:
            return await self._send_all(work, origin)
        finally:
            work.burials.tell(self.log)

    async def _send_all(self, work: Sifting, origin: Origin) -> Remainder:
        while work.pieces:
            piece = work.pieces.pop()
            if (parts := self._sizes.parts(len(piece.data))) > 1 and piece.points > 1:
                work.pieces += reversed(await self._off_loop(partial(cut, self.sink, piece, parts)))
                continue
            try:
                await self._write(piece.data)
            except StoreError as error:
                if not await self._sort_out(piece, error, work, origin):
                    work.pieces.append(piece)
                    return Remainder(await self._rest_of(work))
                if work.tries > self.limits.tries and work.pieces:
                    return Remainder(await self._rest_of(work))
            else:
                if work.doubtful is not None:
                    work.doubtful = 0
                await self._took(piece)
                self.account.to_store(piece.points, origin)
        if not work.suspects:
            if origin is Origin.SPOOL and (work.failures or self._in_doubt):
                self._in_doubt = False
                self.suspects.clear()  # it failed, and over none of the readings
            return Remainder()
        self._in_doubt = False
        return Remainder(suspects=await self.joined(work.suspects))

    async def offer(self, payload: Body) -> StoreUnavailable | None:
        """Send one suspect point; return the failure that is perhaps about it, if it fails so.

        Raises:
            StoreError: The store failed in another way.
        """
        try:
            await self._write(payload.data)
        except StoreUnavailable as error:
            if not error.perhaps_body:
                raise
            await self._go_on_after_a_try()
            return error
        await self._took(payload)
        return None

    async def takes_any(self, body: Body | None = None) -> bool:
        """Say whether the store takes any of a few points, of a body and of what waits."""
        offered: list[Body] = []
        if body is not None and body.points > 1:
            offered += await self._off_loop(partial(some_of, self.sink, body, OFFERED))
        with suppress(StateError, PayloadError):  # then the spool can be no help
            for other in await self.others():
                each = OFFERED // 2
                offered += await self._off_loop(partial(some_of, self.sink, other, each))
        for point in offered:
            if self.cancelled.is_set():
                return False
            try:
                await self._write(point.data)
            except StoreUnavailable as error:
                if not error.perhaps_body:
                    return False
            except StoreError:
                pass
            else:
                await self._took(point)
                return True
            await self._go_on_after_a_try()
        return False

    async def failed(self, error: StoreError, *, perhaps_explained: bool = False) -> None:
        """Note an outage, with who answers, if anything does.

        Args:
            error: What the store said, if anything.
            perhaps_explained: Whether the drain may still find that it was a reading.
        """
        if self.cancelled.is_set():
            return
        if perhaps_explained and isinstance(error, StoreUnavailable) and error.perhaps_body:
            self._in_doubt = True
        else:
            self.suspects.clear()
        if not isinstance(error, StoreUnavailable):
            self.outage.failed(f"{error}{await self._mending()}")
            return
        who = await self._mending() if error.answered else ""
        self.outage.failed(f"{error}{who}", retry_after=error.retry_after)

    async def bury(self, refused: Refused, origin: Origin, burials: Burials | None = None) -> None:
        """Put payloads with the dead letters.

        Args:
            refused: The payloads.
            origin: Where they come from.
            burials: What to note them in, for one who tells of several at once; otherwise
                the log is told now.
        """
        if not refused:
            return
        await self.space.persist(lambda: self.dead.add(refused))
        self.account.to_dead(len(refused), origin)
        noted = Burials() if burials is None else burials
        noted.note(refused)
        if burials is None:
            noted.tell(self.log)

    async def joined(self, bodies: Sequence[Body]) -> Body:
        """Make one body of several.

        Raises:
            UnreadableBody: One of them was made for another kind of store.
        """
        if len(bodies) == 1:
            return bodies[0]
        return await self._off_loop(partial(join, self.sink, bodies))

    async def payloads(self, body: Body) -> list[bytes]:
        """Take a body apart into one payload for each point.

        Raises:
            UnreadableBody: It was made for another kind of store.
        """
        return await self._off_loop(partial(self.sink.split, body.data))

    async def keys(self, body: Body) -> list[bytes]:
        """Return what tells the points of a body from others.

        Raises:
            UnreadableBody: It was made for another kind of store.
        """
        return [self.sink.key(payload) for payload in await self.payloads(body)]

    async def singles(self, body: Body) -> list[Body]:
        """Take a body apart into one body for each point."""
        return await self._off_loop(partial(cut, self.sink, body, body.points))

    async def body_of(self, body: Body, payloads: Sequence[bytes]) -> Body:
        """Make a body of some of the payloads of another."""
        return await self._off_loop(partial(part, self.sink, body, payloads))

    async def _rest_of(self, work: Sifting) -> Body:
        return await self.joined([*work.suspects, *reversed(work.pieces)])

    async def _sort_out(
        self, piece: Body, error: StoreError, work: Sifting, origin: Origin
    ) -> bool:
        """Take a piece apart that was not taken; return False if it is not the piece's fault."""
        if isinstance(error, StoreUnavailable):
            blamed = await self._fails_over(piece, error, work, origin)
        else:
            blamed = await self._may_refuse(piece, error)
        if not blamed:
            await self.failed(error, perhaps_explained=origin is Origin.FLIGHT)
            return False
        if isinstance(error, BodyTooLarge):
            self._sizes.refused(len(piece.data))
        else:
            work.tries += 1
            await self._go_on_after_a_try()
        refused, again = await self._off_loop(partial(sifted, self.sink, piece, error))
        work.pieces += reversed(again)
        if not isinstance(error, StoreUnavailable):
            await self.bury(refused, origin, work.burials)
            return True
        work.failures += 1
        if refused:
            work.suspects.append(piece)
        return True

    async def _may_refuse(self, piece: Body, error: StoreError) -> bool:
        """Say whether the store is to be believed that it refuses a piece."""
        if isinstance(error, BodyRejected) and error.sure:
            return True
        if not self.believed and not await self.takes_any(piece):
            return False
        self.outage.succeeded()  # it does not take this piece, but it is there
        return True

    async def _fails_over(
        self, piece: Body, error: StoreUnavailable, work: Sifting, origin: Origin
    ) -> bool:
        """Say whether it is a piece that a server fails over, and not the server itself."""
        again = self.outage.failures >= self.limits.failures_before_sifting
        if origin is not Origin.SPOOL or not error.perhaps_body:
            return False
        if work.doubtful is None and not (again or self.suspects):
            return False
        # An outage may begin at any time, and must not have the whole body halved.
        if work.doubtful is None or work.doubtful >= self.limits.doubtful:
            if not await self.takes_any(piece):
                return False
            work.doubtful = 0
        work.doubtful += 1
        return True

    async def _took(self, body: Body) -> None:
        """Note that the store has taken a body."""
        self.outage.succeeded()
        self._sizes.passed(len(body.data))
        self.taken += 1
        if self.space.exhausted:
            self.space.look_again()
        if not self.believed:
            self.believed = True
            await self._identify()

    async def _mending(self) -> str:
        if self.outage.up or not str(self.identity):
            await self._identify()
        return mending(self.identity, self.sink.expected)

    async def _identify(self) -> None:
        """Learn who answers, for people."""
        with suppress(Exception):  # border: the libraries below a sink; it is only for people
            async with asyncio.timeout(0 if self.cancelled.is_set() else IDENTIFYING):
                self.identity = await self.sink.identify()

    async def _go_on_after_a_try(self) -> None:
        """Wait for as long as the bound on requests that find no taker asks for."""
        self.account.progress()
        if pause := self._throttle.take():
            await wait_at_most(self.cancelled, pause, clock=self.clock)

    async def _write(self, data: bytes) -> None:
        """Write to the sink, unless we give up first."""
        self.account.progress()
        try:
            async with asyncio.timeout(0 if self.cancelled.is_set() else None) as timeout:
                self._waiting.add(timeout)
                try:
                    await self._open_and_write(data)
                finally:
                    self._waiting.discard(timeout)
        except StoreError:
            raise
        except Exception as error:
            if timeout.expired():
                raise StoreUnavailable("gave up waiting for an answer, because we stop") from None
            # Border: the libraries below a sink. What they raise may be over next time.
            problem = f"unexpected {type(error).__name__}: {error!s:.200}"
            raise StoreUnavailable(problem) from error

    async def _open_and_write(self, data: bytes) -> None:
        if not self._opened:
            await self.sink.open()
            self._opened = True
        await self.sink.write(data)

    async def _off_loop(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.pool, work)
