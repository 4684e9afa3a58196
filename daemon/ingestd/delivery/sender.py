"""Gives bodies to a store, and sorts out what it refuses.

A store that refuses a body rarely says which point it choked on. So the body is
halved until the culprits stand alone, and their neighbours get through; a
store that names the bad ones is believed.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from ingestd.clock import Clock
from ingestd.delivery.account import Account
from ingestd.delivery.deadletters import DeadLetters
from ingestd.delivery.outage import Outage
from ingestd.delivery.spoolspace import SpoolSpace
from ingestd.errors import BodyRejected, BodyTooLarge, StoreError, StoreUnavailable
from ingestd.model import Body
from ingestd.sinks import Sink

# A body that is all bad costs two requests a point; past this, pieces are no longer halved.
MOST_REQUESTS: Final = 256

T = TypeVar("T")
# Called with a number of points that were stored or buried.
Moved = Callable[[int], None]


@dataclass(kw_only=True)
class Sender:
    """Our only way to one store.

    Attributes:
        pool: Where bodies are taken apart and put together.
        giving_up: Set when nothing is to be sent any more.
    """

    sink: Sink
    outage: Outage
    dead: DeadLetters
    space: SpoolSpace
    account: Account
    pool: Executor
    clock: Clock
    log: Any

    def __post_init__(self) -> None:
        self._opened = False
        self._waiting: set[asyncio.Timeout] = set()  # for answers of the store
        self.giving_up = asyncio.Event()

    def give_up(self) -> None:
        """Wait for no more answers."""
        self.giving_up.set()
        for timeout in self._waiting:
            timeout.reschedule(0)

    async def send(self, body: Body, moved: Moved) -> Body | None:
        """Give a body to the store; return what it may take later.

        Raises:
            UnreadableBody: It was made for another kind of store.
        """
        waiting, requests = [body], 0
        while waiting:
            piece = waiting.pop()
            requests += 1
            try:
                await self._write(piece.data)
            except StoreUnavailable as error:
                if not self.giving_up.is_set():
                    self.outage.failed(str(error), retry_after=error.retry_after)
                return await self.joined([piece, *reversed(waiting)])
            except (BodyRejected, BodyTooLarge) as error:
                self.outage.succeeded()  # it refuses this body, but it is there
                enough = requests >= MOST_REQUESTS
                waiting += reversed(await self._sift(piece, error, moved, give_up=enough))
            else:
                self.outage.succeeded()
                self.account.stored += piece.points
                moved(piece.points)
        return None

    async def bury(self, refused: Sequence[tuple[bytes, str]], moved: Moved) -> None:
        """Put payloads with the dead letters, each with its reason."""
        if not refused:
            return
        await self.space.persist(lambda: self.dead.add(refused))
        moved(len(refused))
        self.log.error("points refused for good", points=len(refused), reason=refused[0][1])

    async def joined(self, bodies: Sequence[Body]) -> Body:
        """Make one body of several.

        Raises:
            UnreadableBody: One of them was made for another kind of store.
        """
        return bodies[0] if len(bodies) == 1 else await self._off_loop(self._join, bodies)

    async def _write(self, data: bytes) -> None:
        """Write to the sink, unless we give up first."""
        self.account.moved(self.clock)
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

    async def _sift(
        self, body: Body, error: BodyRejected | BodyTooLarge, moved: Moved, *, give_up: bool
    ) -> list[Body]:
        """Bury what a store refused for certain; return what is to be tried again."""
        payloads = await self._off_loop(self.sink.split, body.data)
        if len(payloads) == 1 or give_up:
            await self.bury([(payload, str(error)) for payload in payloads], moved)
            return []
        if isinstance(error, BodyRejected) and error.bad:
            rest = await self._bury_named(payloads, error.bad, moved)
            return [await self._off_loop(self._part, body, rest)] if rest else []
        middle = len(payloads) // 2
        halves = (payloads[:middle], payloads[middle:])
        return [await self._off_loop(self._part, body, half) for half in halves]

    async def _bury_named(
        self, payloads: Sequence[bytes], bad: Mapping[int, str], moved: Moved
    ) -> list[bytes]:
        """Bury the payloads that the store named; return the others."""
        await self.bury([(payloads[at], why) for at, why in bad.items()], moved)
        return [payload for at, payload in enumerate(payloads) if at not in bad]

    async def _off_loop(self, function: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.pool, function, *args)

    def _join(self, bodies: Sequence[Body]) -> Body:
        payloads = [payload for body in bodies for payload in self.sink.split(body.data)]
        return Body(
            self.sink.join(payloads),
            len(payloads),
            min(body.first_us for body in bodies),
            max(body.last_us for body in bodies),
        )

    def _part(self, body: Body, payloads: Sequence[bytes]) -> Body:
        return Body(self.sink.join(payloads), len(payloads), body.first_us, body.last_us)
