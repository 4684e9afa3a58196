"""Devices that speak Modbus in RTU frames on a real line, and take their time.

Each line is a *converter*, which passes frames on over TCP, or a pair of pseudo-terminals.
Registers hold ``1000 * unit + address``, so that a value says where it comes from.
"""

import asyncio
import os
import tty
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from pymodbus.framer.rtu import FramerRTU

ON_THE_LINE: Final = 0.01  # seconds that a frame takes on it; the next comes behind
BITS: Final = (1, 2)
SIZE: Final = 8  # bytes of a request that reads


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, as it arrived.

    Attributes:
        number: How many came before.
        first: Whether it is the first on its connection.
        unit: Of which device.
        function: 1 to 4, what it reads.
        address: Where it begins.
        count: How much it reads.
    """

    number: int
    first: bool
    unit: int
    function: int
    address: int
    count: int

    @property
    def answer(self) -> bytes:
        """The frame that is right."""
        if self.function in BITS:
            bits = sum(bit(self.address + n) << n for n in range(self.count))
            data = bits.to_bytes(-(-self.count // 8), "little")
        else:
            words = (register(self.unit, self.address + n) for n in range(self.count))
            data = b"".join(word.to_bytes(2, "big") for word in words)
        return frame(bytes([self.unit, self.function, len(data)]) + data)

    def refusal(self, code: int) -> bytes:
        """Return the frame of an exception."""
        return frame(bytes([self.unit, self.function | 0x80, code]))


# What is said to a request: seconds from when its turn comes, and bytes.
Saying = Iterable[tuple[float, bytes]]
Device = Callable[[Asked], Saying]


def register(unit: int, address: int) -> int:
    """Return what a register holds."""
    return 1000 * unit + address


def bit(address: int) -> int:
    """Return what a coil or an input is."""
    return int(address % 3 == 0)


def frame(body: bytes) -> bytes:
    """Return a frame with its checksum."""
    return body + FramerRTU.compute_CRC(body).to_bytes(2, "big")


class Bus:
    """What is at the far end of a line.

    Args:
        device: Says what is said to each request, and when.
        together: Whether the time for a request runs while another is worked on, as on a slow
            way to a device; otherwise a device does one thing after the other.

    Attributes:
        asked: What came.
        params: How the plugin reaches the line.
        heard: Set when something was asked.
        gone: Set when a connection has ended.
    """

    def __init__(self, device: Device, *, together: bool = False) -> None:
        self.asked: list[Asked] = []
        self.params: dict[str, Any] = {}
        self.heard, self.gone = asyncio.Event(), asyncio.Event()
        self._device, self._together = device, together
        self._work: asyncio.Queue[Asked] = asyncio.Queue()
        self._out: asyncio.Queue[bytes] = asyncio.Queue()
        self._rest, self._first = b"", True

    def connect(self) -> None:
        """Note that a connection begins."""
        self._first = True

    def say(self, data: bytes) -> None:
        """Put bytes on the line as soon as it is free."""
        self._out.put_nowait(data)

    def hear(self, data: bytes) -> None:
        """Take bytes from the line."""
        self._rest += data
        while len(self._rest) >= SIZE:
            one, self._rest = self._rest[:SIZE], self._rest[SIZE:]
            address, count = int.from_bytes(one[2:4], "big"), int.from_bytes(one[4:6], "big")
            number, first, self._first = len(self.asked), self._first, False
            self.asked.append(Asked(number, first, one[0], one[1], address, count))
            self._work.put_nowait(self.asked[-1])
            self.heard.set()

    async def live(self, write: Callable[[bytes], None]) -> None:
        """Work for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._speak(write))
            while True:
                saying = self._say(await self._work.get())
                if self._together:
                    group.create_task(saying)
                else:
                    await saying

    async def _say(self, asked: Asked) -> None:
        past = 0.0
        for after, data in self._device(asked):
            await asyncio.sleep(after - past)
            past = after
            self.say(data)

    async def _speak(self, write: Callable[[bytes], None]) -> None:
        while True:
            write(await self._out.get())
            await asyncio.sleep(ON_THE_LINE)


@asynccontextmanager
async def alive(bus: Bus, write: Callable[[bytes], None]) -> AsyncIterator[None]:
    """Let a bus work until the end of the context."""
    working = asyncio.create_task(bus.live(write))
    try:
        yield
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


@asynccontextmanager
async def converter(device: Device, *, together: bool = False) -> AsyncIterator[Bus]:
    """Run a converter; what a device says goes to the open connection, or else to the next."""
    bus = Bus(device, together=together)
    current: list[asyncio.StreamWriter] = []
    kept: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        current[:] = [writer]
        bus.connect()
        while kept:
            await asyncio.sleep(ON_THE_LINE)
            writer.write(kept.pop(0))
        try:
            while data := await reader.read(1024):
                bus.hear(data)
        except ConnectionError:
            pass
        finally:
            if writer in current:
                current.clear()
            writer.close()
            bus.gone.set()

    def write(data: bytes) -> None:
        if current:
            current[0].write(data)
        else:
            kept.append(data)

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server, alive(bus, write):
        port = server.sockets[0].getsockname()[1]
        bus.params = {"host": "127.0.0.1", "port": port, "framing": "rtu"}
        yield bus


@asynccontextmanager
async def serial(device: Device, *, together: bool = False) -> AsyncIterator[Bus]:
    """Run a serial line."""
    bus = Bus(device, together=together)
    loop = asyncio.get_running_loop()
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    loop.add_reader(ours, lambda: bus.hear(os.read(ours, 1024)))
    try:
        async with alive(bus, lambda data: void(os.write(ours, data))):
            bus.params = {"serial": os.ttyname(theirs)}
            yield bus
    finally:
        loop.remove_reader(ours)
        os.close(ours)
        os.close(theirs)


def void(_: object) -> None:
    """Return nothing."""


LINES: Final[dict[str, Callable[..., AbstractAsyncContextManager[Bus]]]] = {
    "converter": converter,
    "serial": serial,
}
