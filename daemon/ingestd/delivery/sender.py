"""Gives bodies to a store, and sorts out what it refuses.

A store that refuses a body rarely says which point it choked on. So the body is
halved until the culprits stand alone, and their neighbours get through; a
store that names the bad ones is believed.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from ingestd.delivery.account import Account, Origin
from ingestd.delivery.deadletters import DeadLetters
from ingestd.delivery.limits import Limits
from ingestd.delivery.outage import Outage
from ingestd.delivery.spoolspace import SpoolSpace
from ingestd.errors import BodyRejected, BodyTooLarge, StoreError, StoreUnavailable
from ingestd.model import Body
from ingestd.sinks import Sink

T = TypeVar("T")
# Payloads of one point each, with the reason why the store does not take them.
Refused = Sequence[tuple[bytes, str]]


@dataclass(kw_only=True)
class Sender:
    """The only way to one store.

    Attributes:
        pool: Where bodies are taken apart and put together.
        giving_up: Set when nothing is to be sent any more.
    """

    sink: Sink
    outage: Outage
    dead: DeadLetters
    space: SpoolSpace
    account: Account
    limits: Limits
    pool: Executor
    log: Any

    def __post_init__(self) -> None:
        self._opened = False
        self._waiting: set[asyncio.Timeout] = set()  # for answers of the store
        self.giving_up = asyncio.Event()

    def give_up(self) -> None:
        """Wait for no more answers; a second time changes nothing."""
        if self.giving_up.is_set():  # what waits is on its way out, and cannot be hurried again
            return
        self.giving_up.set()
        for timeout in self._waiting:
            timeout.reschedule(0)

    async def send(self, body: Body, origin: Origin) -> Body | None:
        """Give a body to the store; return the part that it may take later, if any.

        What the store takes is stored. When it takes nothing now, what it has not answered
        is returned. What it does not take as it is, too large or refused, is tried again in
        pieces, until each point is either stored or a dead letter.

        Raises:
            UnreadableBody: It was made for another kind of store.
        """
        pieces, requests = [body], 0
        while pieces:
            piece = pieces.pop()
            requests += 1
            try:
                await self._write(piece.data)
            except StoreUnavailable as error:
                if not self.giving_up.is_set():
                    self.outage.failed(str(error), retry_after=error.retry_after)
                return await self.joined([piece, *reversed(pieces)])
            except (BodyTooLarge, BodyRejected) as error:
                self.outage.succeeded()  # it does not take this body, but it is there
                last = requests >= self.limits.requests
                sift = partial(sifted, self.sink, piece, error, last=last)
                refused, again = await self._off_loop(sift)
                await self.bury(refused, origin)
                pieces += reversed(again)
            else:
                self.outage.succeeded()
                self.account.to_store(piece.points, origin)
        return None

    async def bury(self, refused: Refused, origin: Origin) -> None:
        """Put payloads with the dead letters."""
        if not refused:
            return
        await self.space.persist(lambda: self.dead.add(refused))
        self.account.to_dead(len(refused), origin)
        self.log.error("points refused for good", points=len(refused), reason=refused[0][1])

    async def joined(self, bodies: Sequence[Body]) -> Body:
        """Make one body of several.

        Raises:
            UnreadableBody: One of them was made for another kind of store.
        """
        if len(bodies) == 1:
            return bodies[0]
        return await self._off_loop(partial(join, self.sink, bodies))

    async def _write(self, data: bytes) -> None:
        """Write to the sink, unless we give up first."""
        self.account.progress()
        try:
            async with asyncio.timeout(0 if self.giving_up.is_set() else None) as timeout:
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


def sifted(
    sink: Sink, body: Body, error: BodyRejected | BodyTooLarge, *, last: bool
) -> tuple[Refused, Sequence[Body]]:
    """Sort out a body that a store did not take; return what it refuses, and what to try again.

    Args:
        sink: The kind of store.
        body: The body.
        error: What the store said.
        last: Whether there are to be no more pieces.

    Raises:
        UnreadableBody: It was made for another kind of store.
    """
    payloads = sink.split(body.data)
    if len(payloads) == 1 or last:
        return [(payload, str(error)) for payload in payloads], []
    if isinstance(error, BodyRejected) and error.bad:
        good = [payload for at, payload in enumerate(payloads) if at not in error.bad]
        refused = [(payloads[at], why) for at, why in error.bad.items()]
        return refused, [part(sink, body, good)] if good else []
    middle = len(payloads) // 2
    return [], [part(sink, body, half) for half in (payloads[:middle], payloads[middle:])]


def part(sink: Sink, body: Body, payloads: Sequence[bytes]) -> Body:
    """Make a body of some of the payloads of another."""
    return Body(sink.join(payloads), len(payloads), body.first_us, body.last_us)


def join(sink: Sink, bodies: Sequence[Body]) -> Body:
    """Make one body of several.

    Raises:
        UnreadableBody: One of them was made for another kind of store.
    """
    payloads = [payload for body in bodies for payload in sink.split(body.data)]
    return Body(
        sink.join(payloads),
        len(payloads),
        min(body.first_us for body in bodies),
        max(body.last_us for body in bodies),
    )
