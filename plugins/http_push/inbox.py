"""The readings in our hands, until they are safe: bounded, and gathered into checkpoints.

A request costs a wait for the disk or the store. Requests that come meanwhile
are gathered and given on together, so that a hundred small ones cost little more
than one; and the next checkpoint does not wait until the one before is safe.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

from .formats.message import Reading

# So many readings travel together; more would make the first of them wait.
GROUP: Final = 10_000


class BusyError(Exception):
    """The readings cannot be taken, or are not safe in time; they may be later."""


@dataclass(eq=False, slots=True)
class Delivery:
    """The readings of one request.

    Attributes:
        readings: In the order they came.
        size_bytes: How much memory they take.
        safe: Is done once they are safe, or fails if they will not be.
    """

    readings: Sequence[Reading]
    size_bytes: int
    safe: asyncio.Future[None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Inbox:
    """What waits to become safe.

    Args:
        most: How many requests may wait.
        most_bytes: How much memory their readings, and bodies being read, may take together.
        within: How long each may, in seconds.
    """

    def __init__(self, *, most: int, most_bytes: int, within: float) -> None:
        self._most, self.most_bytes, self.within = most, most_bytes, within
        self._waiting: dict[Delivery, None] = {}
        self._held: set[Delivery] = set()
        self._held_bytes = 0
        self._something = asyncio.Event()
        self._closed = False

    @contextmanager
    def holding(self, size_bytes: int) -> Iterator[None]:
        """Count a body, too, while its readings are being looked for.

        Raises:
            BusyError: There is no room.
        """
        self.check_room(size_bytes)
        self._held_bytes += size_bytes
        try:
            yield
        finally:
            self._held_bytes -= size_bytes

    async def put(self, readings: Sequence[Reading], *, size_bytes: int) -> None:
        """Hand over the readings of a request; return once they are safe.

        Raises:
            BusyError: They are not, and should be sent again later.
        """
        self.check_room(size_bytes)
        delivery = Delivery(readings, size_bytes)
        self._waiting[delivery] = None
        self._held.add(delivery)
        self._held_bytes += size_bytes
        self._something.set()
        try:
            async with asyncio.timeout(self.within):
                await asyncio.shield(delivery.safe)
        except TimeoutError:
            raise BusyError(f"the readings are not safe within {self.within:g} s") from None
        finally:
            # Unless it is on its way already, its sender waits for it no more.
            if delivery in self._waiting:
                del self._waiting[delivery]
                self.release([delivery])

    def check_room(self, size_bytes: int = 0) -> None:
        """Check that one request more may wait.

        Raises:
            BusyError: It may not.
        """
        if self._closed:
            raise BusyError("no readings are taken at the moment")
        if len(self._held) >= self._most or self._held_bytes + size_bytes > self.most_bytes:
            raise BusyError("too many readings wait to become safe")

    def problem(self) -> str:
        """Say why no request may wait at the moment, or nothing."""
        try:
            self.check_room()
        except BusyError as error:
            return str(error)
        return ""

    async def take(self, *, within: float) -> list[Delivery]:
        """Return what came first, as soon as there is something; nothing if that takes long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._something.wait()
        group: list[Delivery] = []
        count = 0
        for delivery in list(self._waiting):
            if group and count + len(delivery.readings) > GROUP:
                break
            del self._waiting[delivery]
            group.append(delivery)
            count += len(delivery.readings)
        if not self._waiting:
            self._something.clear()
        return group

    def release(self, group: Sequence[Delivery]) -> None:
        """Let go of deliveries, which are safe or given up."""
        for delivery in group:
            if delivery in self._held:
                self._held.remove(delivery)
                self._held_bytes -= delivery.size_bytes
            if not delivery.safe.done():
                delivery.safe.set_result(None)

    def close(self) -> None:
        """Take no more, and give up what is here."""
        self._closed = True
        for delivery in self._held:
            if not delivery.safe.done():
                delivery.safe.set_exception(BusyError("the readings are not safe yet, and we stop"))
                delivery.safe.exception()  # its sender may have gone
        self._held.clear()
        self._waiting.clear()


class Settling:
    """Waits for checkpoints to become safe, each by itself."""

    def __init__(self, ctx: Any, inbox: Inbox) -> None:
        self._ctx, self._inbox = ctx, inbox
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, group: Sequence[Delivery]) -> None:
        """Wait for what has just been yielded, and tell the senders."""
        name = f"ingestd[{self._ctx.collector}].settle"
        task = asyncio.create_task(self._settle(group), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _settle(self, group: Sequence[Delivery]) -> None:
        await self._ctx.settled()
        self._inbox.release(group)

    async def cancel(self) -> None:
        """Wait no more."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


@asynccontextmanager
async def settling(ctx: Any, inbox: Inbox) -> AsyncIterator[Settling]:
    """Give what waits for checkpoints; at the end, give up those that are not safe."""
    waits = Settling(ctx, inbox)
    try:
        yield waits
    finally:
        inbox.close()
        await waits.cancel()
