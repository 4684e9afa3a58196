"""Modbus devices for the tests: servers of pymodbus, what answers anyhow, and serial lines."""

import asyncio
import os
import tty
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pymodbus.constants import ExcCodes
from pymodbus.pdu import ModbusPDU
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from ingestd.plugins.modbus import run
from ingestd.testing import collect, context
from tests.support.ports import free_port

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
HASTE: dict[str, Any] = {"request_timeout": "150ms", "retries": 0}

Action = Callable[..., Coroutine[None, None, ExcCodes | None]]
Asked = tuple[int, int, int, int]


@dataclass
class Recorder:
    """What a server was asked: unit, function, address and count of each request."""

    port: int
    asked: list[Asked] = field(default_factory=list)
    connections: list[bool] = field(default_factory=list)
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    def trace(self, sending: bool, pdu: ModbusPDU) -> ModbusPDU:  # noqa: FBT001 -- pymodbus calls it
        """Note a request."""
        if not sending:
            self.asked.append((pdu.dev_id, pdu.function_code, pdu.address, pdu.count))
        return pdu

    def connect(self, connected: bool) -> None:  # noqa: FBT001 -- pymodbus calls it
        """Note that a connection was opened or closed."""
        self.connections.append(connected)
        if not connected:
            self.closed.set()


def device(
    unit: int, blocks: dict[int, list[int]] | None = None, *, action: Action | None = None
) -> SimDevice:
    """Make a device with holding registers at some addresses, and none in between."""
    held = [
        SimData(address, values=list(values), datatype=DataType.REGISTERS)
        for address, values in (blocks or {0: [10, 20, 30, 40]}).items()
    ]
    bits = [SimData(0, values=[True, False, True, *[False] * 13], datatype=DataType.BITS)]
    inputs = [SimData(5, values=[77], datatype=DataType.REGISTERS)]
    return SimDevice(unit, (bits, bits, held, inputs), action=action)


def silent(unit: int) -> SimDevice:
    """Make a device that hears, and never answers."""

    async def wait(*_: Any) -> None:
        await asyncio.Event().wait()

    return device(unit, action=wait)


@asynccontextmanager
async def serving(
    *devices: SimDevice, port: int | None = None, **options: Any
) -> AsyncIterator[Recorder]:
    """Run a server for some devices."""
    found = Recorder(port or free_port())
    server = ModbusTcpServer(
        list(devices),
        address=("127.0.0.1", found.port),
        trace_pdu=found.trace,
        trace_connect=found.connect,
        **options,
    )
    await server.serve_forever(background=True)
    try:
        yield found
    finally:
        await server.shutdown()  # type: ignore[no-untyped-call]


@asynccontextmanager
async def answering(handler: Callable[[bytes], bytes | None]) -> AsyncIterator[int]:
    """Run something that sends answers to all that it gets, or hangs up at None; give its port."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (data := await reader.read(1024)) and (answer := handler(data)) is not None:
            writer.write(answer)
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def read(**params: Any) -> dict[str, Any]:
    """Return what the plugin gives at noon."""
    async with context(now=NOW) as ctx:
        (result,) = await collect(run, ctx=ctx, **{"host": "127.0.0.1", **params})
    return result


def values(result: dict[str, Any]) -> dict[str, float]:
    """Return the value of each series."""
    return {series: value for _, series, value, _ in result["readings"]}


def register(address: int, **more: Any) -> dict[str, Any]:
    """Return an entry of ``registers`` whose series is named after its address."""
    return {"series": f"r{address}", "address": address, **more}


@asynccontextmanager
async def wire() -> AsyncIterator[tuple[str, str]]:
    """Connect two serial devices by a cable; give their paths."""
    loop = asyncio.get_running_loop()
    ends = [os.openpty() for _ in range(2)]
    for _, theirs in ends:
        tty.setraw(theirs)
    (one, _), (two, _) = ends
    loop.add_reader(one, lambda: os.write(two, os.read(one, 1024)))
    loop.add_reader(two, lambda: os.write(one, os.read(two, 1024)))
    try:
        yield os.ttyname(ends[0][1]), os.ttyname(ends[1][1])
    finally:
        for ours, theirs in ends:
            loop.remove_reader(ours)
            os.close(ours)
            os.close(theirs)


@asynccontextmanager
async def bus(*devices: SimDevice) -> AsyncIterator[str]:
    """Run a serial server; give the path of the other end of its cable."""
    async with wire() as (near, far):
        server = ModbusSerialServer(list(devices), port=far, baudrate=9600)
        await server.serve_forever(background=True)
        try:
            yield near
        finally:
            await server.shutdown()  # type: ignore[no-untyped-call]


async def read_serial(path: str, **params: Any) -> dict[str, Any]:
    """Return what the plugin reads from a serial line."""
    return await read(host=None, serial=path, **params)
