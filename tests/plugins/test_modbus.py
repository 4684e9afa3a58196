"""The modbus plugin against servers of pymodbus, and against devices that behave worse."""

import asyncio
import importlib.util
import os
import struct
import tty
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from pymodbus.constants import ExcCodes
from pymodbus.framer import FramerType
from pymodbus.framer.rtu import FramerRTU
from pymodbus.pdu import ModbusPDU
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from ingestd.plugins.modbus import ModbusError, run
from ingestd.plugins.modbus.registers import Register
from ingestd.plugins.modbus.requests import requests
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
async def serving(*devices: SimDevice, **options: Any) -> AsyncIterator[Recorder]:
    """Run a server for some devices."""
    found = Recorder(free_port())
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
    """Run something that answers whatever it is sent, or hangs up at None; give its port."""

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


async def test_registers_become_readings_of_the_time_of_the_answer() -> None:
    """Series and tags are those of the options; the connection ends with the run."""
    async with serving(device(1)) as server:
        result = await read(
            port=server.port, registers=[register(1, tags={"floor": 2}), register(3)]
        )

        assert result == {
            "readings": [(NOW, "r1", 20, {"floor": "2"}), (NOW, "r3", 40, {})],
        }
        async with asyncio.timeout(5):
            await server.closed.wait()
        assert server.connections == [True, False]


@pytest.mark.parametrize(
    ("options", "packed", "value"),
    [
        ({}, ">H", 65_535),
        ({"type": "int16"}, ">h", -2),
        ({"type": "uint32"}, ">I", 4_000_000_000),
        ({"type": "int32"}, ">i", -70_000),
        ({"type": "float32"}, ">f", 21.5),
        ({"type": "uint64"}, ">Q", 2**53 + 1),
        ({"type": "int64"}, ">q", -(2**40)),
        ({"type": "float64"}, ">d", -1.25e100),
    ],
)
@pytest.mark.parametrize("word_order", ["big", "little"])
@pytest.mark.parametrize("byte_order", ["big", "little"])
async def test_numbers_of_every_type_and_order(
    options: dict[str, Any], packed: str, value: float, word_order: str, byte_order: str
) -> None:
    """A number comes back as the device meant it, whichever way it turns words and bytes."""
    words = [w for (w,) in struct.iter_unpack(">H", struct.pack(packed, value))]
    if word_order == "little":
        words.reverse()
    if byte_order == "little":
        words = [w >> 8 | (w & 255) << 8 for w in words]
    order = {"word_order": word_order, "byte_order": byte_order}

    async with serving(device(1, {8: words})) as server:
        result = await read(port=server.port, registers=[register(8, **options)], **order)

    assert values(result) == {"r8": value}


async def test_scale_offset_and_bits() -> None:
    """They replace what a formula would do; the lowest bit is bit 0, also of two registers."""
    async with serving(device(1, {0: [215, 0b1000, 0x0001, 0x0000]})) as server:
        result = await read(
            port=server.port,
            registers=[
                register(0, scale=0.1, offset=-40),
                {"series": "alarm", "address": 1, "bit": 3},
                {"series": "quiet", "address": 1, "bit": 2},
                {"series": "closed", "address": 1, "bit": 3, "scale": -1, "offset": 1},
                {"series": "wide", "address": 2, "type": "uint32", "bit": 16},
            ],
        )

    assert values(result) == {
        "r0": pytest.approx(-18.5),
        "alarm": 1,
        "quiet": 0,
        "closed": 0,
        "wide": 1,
    }


async def test_four_tables_are_asked_with_their_own_functions() -> None:
    """Holding and input registers, coils and discrete inputs have addresses of their own."""
    async with serving(device(1)) as server:
        result = await read(
            port=server.port,
            registers=[
                {"series": "h", "address": 0},
                {"series": "i", "address": 5, "table": "input"},
                {"series": "c", "address": 2, "table": "coil"},
                {"series": "d", "address": 1, "table": "discrete", "scale": -1, "offset": 1},
            ],
        )

    assert values(result) == {"h": 10, "i": 77, "c": 1, "d": 1}
    assert [function for _, function, _, _ in server.asked] == [3, 4, 1, 2]


def spans(addresses: Sequence[int], *, table: str = "holding", **limits: int) -> list[Any]:
    """Return first address and count of the requests for some registers."""
    wanted = [Register(where="", series="", tags={}, table=table, address=a) for a in addresses]
    found = requests(wanted, **{"max_gap": 0, "max_registers": 125, **limits})
    return [(each.address, each.count) for each in found]


def test_neighbours_are_joined_in_any_order() -> None:
    """One request reads them all, and the same register is read once."""
    assert spans([7, 5, 6, 6]) == [(5, 3)]


def test_gap_is_read_only_if_it_is_small() -> None:
    """What nobody wants is not read by default, since reading may have effects in a device."""
    assert spans([1, 3, 6]) == [(1, 1), (3, 1), (6, 1)]
    assert spans([1, 3, 6], max_gap=1) == [(1, 3), (6, 1)]
    assert spans([1, 3, 6], max_gap=2) == [(1, 6)]


def test_requests_stay_within_the_limits() -> None:
    """No request is longer than the protocol, or the device, allows; bits are smaller."""
    assert spans(range(130)) == [(0, 125), (125, 5)]
    assert spans(range(10), max_registers=4) == [(0, 4), (4, 4), (8, 2)]
    assert spans(range(2001), table="coil") == [(0, 2000), (2000, 1)]


def test_values_may_overlap() -> None:
    """The two halves of a number may be wanted as well, and what lies behind all of it."""
    places = [(0, "uint64"), (1, "uint16"), (4, "uint16")]
    wanted = [
        Register(where="", series="", tags={}, table="holding", address=a, type=t)
        for a, t in places
    ]

    (request,) = requests(wanted, max_gap=0, max_registers=125)

    assert (request.address, request.count) == (0, 5)
    assert [value for _, value in request.values([0, 1, 0, 2, 9])] == [2**32 + 2, 1, 9]


def test_wide_value_is_never_parted() -> None:
    """A number that does not fit any more goes to the next request in one piece."""
    wide = [
        Register(where="", series="", tags={}, table="holding", address=a, type="uint64")
        for a in (0, 4, 8)
    ]

    found = requests(wide, max_gap=0, max_registers=6)

    assert [(each.address, each.count) for each in found] == [(0, 4), (4, 4), (8, 4)]


async def test_joined_request_is_parted_where_the_device_has_no_register() -> None:
    """Everything that there is arrives; what lies in a gap that nobody wants is no problem."""
    async with serving(device(1, {0: [1, 2], 6: [7, 8]})) as server:
        result = await read(
            port=server.port, max_gap=10, registers=[register(a) for a in (0, 1, 6, 7)]
        )

    assert values(result) == {"r0": 1, "r1": 2, "r6": 7, "r7": 8}
    assert [asked[2:] for asked in server.asked] == [(0, 8), (0, 2), (6, 2)]
    assert "script_error" not in result


async def test_register_that_is_not_there_is_named_and_leaves_its_neighbours() -> None:
    """The request is parted until the culprit stands alone."""
    async with serving(device(1, {0: [1, 2], 3: [4]})) as server:
        result = await read(port=server.port, registers=[register(a) for a in range(4)])

    assert values(result) == {"r0": 1, "r1": 2, "r3": 4}
    assert result["script_error"] == (
        f"127.0.0.1:{server.port} unit 1: holding 2: refused with 2, illegal data address"
    )


async def test_device_that_takes_few_at_once_is_asked_for_few() -> None:
    """Some say "illegal data value" when asked for more than they can give."""

    async def few(_f: int, _s: int, _address: int, count: int, *_: Any) -> ExcCodes | None:
        return ExcCodes.ILLEGAL_VALUE if count > 2 else None

    async with serving(device(1, action=few)) as server:
        result = await read(port=server.port, registers=[register(a) for a in range(4)])

    assert values(result) == {"r0": 10, "r1": 20, "r2": 30, "r3": 40}


async def test_many_problems_are_told_in_few_words() -> None:
    """A wrong list of registers does not fill the record of the run."""
    async with serving(device(1, {99: [1]})) as server:
        result = await read(port=server.port, registers=[register(a) for a in (*range(9), 99)])

    assert values(result) == {"r99": 1}
    assert result["script_error"].count("illegal") == 5
    assert result["script_error"].endswith("; and 4 more")


async def test_other_refusals_are_told_and_not_repeated() -> None:
    """Illegal function in one table leaves the other tables alone."""

    async def only_holding(function: int, *_: Any) -> ExcCodes | None:
        return None if function == 3 else ExcCodes.ILLEGAL_FUNCTION

    async with serving(device(1, action=only_holding)) as server:
        result = await read(
            port=server.port,
            registers=[register(0), register(5, table="input"), register(1)],
        )

    assert values(result) == {"r0": 10, "r1": 20}
    assert "input 5: refused with 1, illegal function" in result["script_error"]
    assert len(server.asked) == 2


async def test_busy_device_is_asked_again() -> None:
    """Busy is no answer yet."""
    answers = iter([ExcCodes.DEVICE_BUSY, None])

    async def busy(*_: Any) -> ExcCodes | None:
        return next(answers)

    async with serving(device(1, action=busy)) as server:
        result = await read(port=server.port, retries=1, registers=[register(0)])

    assert values(result) == {"r0": 10}


async def test_devices_are_read_at_the_same_time() -> None:
    """Each answers only once the other has been asked, too."""
    both = asyncio.Barrier(2)

    async def together(*_: Any) -> None:
        await both.wait()

    async with (
        serving(device(1, {0: [1]}, action=together)) as one,
        serving(device(1, {0: [2]}, action=together)) as two,
    ):
        result = await read(
            devices=[{"name": "a", "port": one.port}, {"name": "b", "port": two.port}],
            registers=[{"series": "{device}_watts", "address": 0}],
        )

    assert values(result) == {"a_watts": 1, "b_watts": 2}


def solo() -> tuple[Action, list[int]]:
    """Return an action that takes a while, and how many were under way when each began."""
    under_way, seen = [0], []

    async def action(*_: Any) -> None:
        under_way[0] += 1
        seen.append(under_way[0])
        await asyncio.sleep(0.01)
        under_way[0] -= 1

    return action, seen


async def test_units_of_one_host_are_asked_one_after_the_other() -> None:
    """Behind a gateway there is one line; all share one connection."""
    action, seen = solo()
    devices = [device(unit, {0: [unit]}, action=action) for unit in (1, 2, 3)]

    async with serving(*devices) as server:
        result = await read(
            port=server.port,
            devices=[{"name": f"m{unit}", "unit": unit} for unit in (3, 1, 2)],
            registers=[{"series": "{device}", "address": 0}],
        )

    assert values(result) == {"m3": 3, "m1": 1, "m2": 2}
    assert seen == [1, 1, 1]
    assert server.connections.count(True) == 1


async def test_collectors_take_turns_at_one_line() -> None:
    """Two collectors that name one host never ask it at the same time."""
    action, seen = solo()
    async with serving(device(1, action=action)) as server, context() as ctx:
        params = {"host": "127.0.0.1", "port": server.port, "registers": [register(0), register(2)]}
        async with context(beside=ctx) as other:
            await asyncio.gather(collect(run, ctx=ctx, **params), collect(run, ctx=other, **params))

    assert seen == [1, 1, 1, 1]


async def test_dead_devices_are_named_and_hold_up_nobody() -> None:
    """Refused, silent on a shared line, silent on its own: the others' series are there."""
    nobody = free_port()
    async with (
        serving(device(1, {0: [1]}), silent(2), device(3, {0: [3]})) as gateway,
        answering(lambda _: b"") as mute,
    ):
        result = await read(
            **HASTE,
            port=gateway.port,
            devices=[
                {"name": "m1", "unit": 1},
                {"name": "m2", "unit": 2},
                {"name": "m3", "unit": 3},
                {"name": "off", "port": nobody},
                {"name": "hung", "port": mute},
            ],
            registers=[{"series": "{device}", "address": 0}, {"series": "{device}x", "address": 0}],
        )

    assert values(result) == {"m1": 1, "m1x": 1, "m3": 3, "m3x": 3}
    told = result["script_error"].split("; ")
    late = "expected an answer within 0.15 s, got none"
    assert told[0] == f"m2 (127.0.0.1:{gateway.port} unit 2): {late}"
    assert told[1].startswith(f"off (127.0.0.1:{nobody} unit 1): expected a connection within")
    assert "Connect call failed" in told[1]
    assert told[2] == f"hung (127.0.0.1:{mute} unit 1): {late}"


async def test_device_that_is_silent_is_not_asked_for_more() -> None:
    """One wait is enough for all of its registers."""
    async with serving(silent(9)) as server:
        with pytest.raises(ModbusError, match=r"unit 9: expected an answer"):
            await read(
                **HASTE, port=server.port, unit=9, registers=[register(a) for a in (0, 2, 4)]
            )

    assert len(server.asked) == 1


async def test_gateway_that_misses_a_device_is_not_asked_for_more_of_it() -> None:
    """The gateway has waited for it already."""

    async def missing(*_: Any) -> ExcCodes:
        return ExcCodes.GATEWAY_NO_RESPONSE

    async with serving(device(1, action=missing), device(2)) as server:
        result = await read(
            **HASTE,
            port=server.port,
            devices=[{"name": "a"}, {"name": "b", "unit": 2}],
            registers=[
                {"series": "{device}0", "address": 0},
                {"series": "{device}2", "address": 2},
            ],
        )

    assert values(result) == {"b0": 10, "b2": 30}
    assert "refused with 11, gateway target failed to respond" in result["script_error"]
    assert [unit for unit, *_ in server.asked] == [1, 2, 2]


async def test_line_that_is_down_is_tried_for_one_device_only() -> None:
    """The other devices on it are named without waiting for each."""
    began = asyncio.get_running_loop().time()

    with pytest.raises(ModbusError) as caught:
        await read(
            port=free_port(),
            retries=1,
            devices=[{"name": f"m{unit}", "unit": unit} for unit in range(1, 21)],
            registers=[{"series": "{device}", "address": 0}],
        )

    assert str(caught.value).count("expected a connection") == 20
    assert asyncio.get_running_loop().time() - began < 2  # twenty times the pause is 4


async def test_run_without_any_reading_fails() -> None:
    """Every device is named in the error, so that the collector backs off."""
    port = free_port()

    with pytest.raises(ModbusError, match=rf"a \(127.0.0.1:{port} unit 1\).*; b \(127"):
        await read(
            **HASTE,
            port=port,
            devices=[{"name": "a"}, {"name": "b", "unit": 2}],
            registers=[{"series": "{device}", "address": 0}],
        )


@pytest.mark.slow
async def test_lost_answer_is_asked_for_again() -> None:
    """A retry goes over a new connection, where no late answer can be taken for another."""
    late = iter([True, False, False])

    async def once(*_: Any) -> None:
        if next(late):
            await asyncio.sleep(0.3)

    async with serving(device(1, action=once)) as server:
        result = await read(
            port=server.port,
            request_timeout="150ms",
            retries=1,
            registers=[register(0), register(2)],
        )

    assert values(result) == {"r0": 10, "r2": 30}
    assert server.connections.count(True) == 2


@pytest.mark.slow
async def test_connection_that_is_closed_is_opened_again() -> None:
    """Some devices hang up after each answer, or at a restart."""
    calls: list[bytes] = []

    def hang_up_first(data: bytes) -> bytes | None:
        calls.append(data)
        if len(calls) == 1:
            return None
        return data[:4] + b"\x00\x05" + data[6:8] + b"\x02\x00\x2a"

    async with answering(hang_up_first) as port:
        result = await read(port=port, request_timeout="150ms", retries=1, registers=[register(0)])

    assert values(result) == {"r0": 42}


async def test_connection_that_stays_closed_is_told_so() -> None:
    """It is another fault than silence."""
    async with answering(lambda _: None) as port:
        with pytest.raises(ModbusError, match="but the connection was closed"):
            await read(**HASTE, port=port, registers=[register(0)])


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\n\r\n<html>what?</html>",
        b"\x00\x01\x00\x00\x00\x07\x01\x03\x04\x00\x01\x00\x02",
        b"\x00\x01\x00\x00\x00\x03\x01\x03\x00",
        b"\x00\x01\x00\x00\x00\x05\x01\x04\x02\x00\x01",
        b"\x00\x01\x00\x00\x00\x03\x01\x84\x02",
        b"\x00\x01\x00\x00\x00\x03\x01\x63\x02",
        b"\x00\x63\x00\x00\x00\x05\x01\x03\x02\x00\x01",
        b"\x00\x01\x00\x00\x00\x05\x07\x03\x02\x00\x01",
    ],
    ids=[
        "a web server",
        "too many",
        "none",
        "another table",
        "a refusal of another table",
        "no function",
        "another request",
        "another unit",
    ],
)
async def test_answer_to_something_else_is_no_answer(answer: bytes) -> None:
    """Nothing is taken for a value that was not asked for."""
    async with answering(lambda _: answer) as port:
        with pytest.raises(ModbusError, match="expected"):
            await read(**HASTE, port=port, registers=[register(0)])


async def test_cancelled_run_hangs_up() -> None:
    """The deadline of a run leaves no connection behind, and no turn taken."""
    asked, gone = asyncio.Event(), asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1024):
            asked.set()
        writer.close()
        gone.set()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server, context() as ctx:
        params = {"port": server.sockets[0].getsockname()[1], "registers": [register(0)]}
        running = asyncio.create_task(collect(run, ctx=ctx, host="127.0.0.1", **params))
        await asked.wait()

        running.cancel()

        with pytest.raises(asyncio.CancelledError):
            await running
        async with asyncio.timeout(5):
            await gone.wait()
        with pytest.raises(ModbusError, match="got none"):  # the line is free
            await collect(run, ctx=ctx, host="127.0.0.1", **params, **HASTE)


async def test_rtu_goes_over_tcp_too() -> None:
    """As some converters have it."""
    async with serving(device(4), framer=FramerType.RTU) as server:
        result = await read(
            port=server.port, unit=4, framing="rtu", registers=[register(0), register(2)]
        )

    assert values(result) == {"r0": 10, "r2": 30}


async def test_pymodbus_says_nothing_that_the_record_says(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Its own log would name no collector, and repeat itself every minute."""
    with pytest.raises(ModbusError):
        await read(**HASTE, port=free_port(), registers=[register(0)])

    assert [each.getMessage() for each in caplog.records if "pymodbus" in each.name] == []


# --- serial lines, as pairs of pseudo-terminals


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


async def test_serial_line_is_read() -> None:
    """Devices on it take turns, and one that is dead is named."""
    async with bus(device(1, {0: [1]}), silent(2), device(3, {0: [3]})) as path:
        result = await read_serial(
            path,
            **HASTE,
            devices=[{"name": f"m{unit}", "unit": unit} for unit in (1, 2, 3)],
            registers=[{"series": "{device}", "address": 0}],
        )

    assert values(result) == {"m1": 1, "m3": 3}
    assert result["script_error"].startswith(f"m2 ({path} unit 2): expected an answer within")


async def test_serial_line_that_is_not_there_says_why() -> None:
    """The reason is that of the system."""
    with pytest.raises(ModbusError, match=r"/dev/nothing unit 1: .* No such file or directory"):
        await read_serial("/dev/nothing", **HASTE, registers=[register(0)])


@pytest.mark.parametrize("path", ["/dev/null", "/proc/self/status", "nonsense://x"])
async def test_file_that_is_no_serial_line_is_a_problem_of_its_own(path: str) -> None:
    """Whatever a driver raises, the devices elsewhere are read."""
    async with serving(device(1)) as server:
        result = await read(
            **HASTE,
            host=None,
            devices=[
                {"name": "a", "serial": path},
                {"name": "b", "host": "127.0.0.1", "port": server.port},
            ],
            registers=[{"series": "{device}", "address": 0}],
        )

    assert values(result) == {"b": 10}
    assert f"a ({path} unit 1): expected a connection" in result["script_error"]


@pytest.mark.slow
async def test_second_answer_on_a_serial_line_is_not_taken_for_the_next() -> None:
    """A device answers late, hence twice; both answers are to the first request."""
    loop, heard = asyncio.get_running_loop(), list[bytes]()

    def answer(value: int) -> bytes:
        frame = b"\x01\x03\x02" + value.to_bytes(2, "big")
        return frame + FramerRTU.compute_CRC(frame).to_bytes(2, "big")

    def hear(line: int) -> None:
        heard.append(os.read(line, 1024))
        address = int.from_bytes(heard[-1][2:4], "big")
        if len(heard) == 2:
            loop.call_later(0.01, os.write, line, answer(address + 100))
            loop.call_later(0.05, os.write, line, answer(address + 100))
        elif len(heard) > 2:
            loop.call_later(0.1, os.write, line, answer(address + 100))

    ours, theirs = os.openpty()
    tty.setraw(theirs)
    loop.add_reader(ours, hear, ours)
    try:
        result = await read_serial(
            os.ttyname(theirs),
            request_timeout="200ms",
            retries=1,
            registers=[register(0), register(2)],
        )
    finally:
        loop.remove_reader(ours)
        os.close(ours)
        os.close(theirs)

    assert values(result) == {"r0": 100, "r2": 102}
    assert len(heard) == 3


# --- what an operator may write


ONE = [register(0)]


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"host": None}, "host: expected `host` or `serial`, got neither"),
        ({"serial": "/dev/ttyS0"}, "host: expected `host` or `serial`, got both"),
        ({"port": "502"}, "port: expected a whole number from 1 to 65535, got '502'"),
        ({"framing": "ascii"}, "framing: expected tcp or rtu, got 'ascii'"),
        ({"unit": 256}, "unit: expected a whole number from 0 to 255, got 256"),
        ({"max_registers": 126}, "max_registers: expected a whole number from 4 to 125, got 126"),
        ({"max_gap": True}, "max_gap: expected a whole number from 0 to 125, got True"),
        ({"word_order": "ABCD"}, "word_order: expected big or little, got 'ABCD'"),
        ({"retries": -1}, "retries: expected a whole number of at least 0, got -1"),
        ({"request_timeout": 3}, "request_timeout: expected a duration such as .*, got 3"),
        ({"request_timeout": "0s"}, "request_timeout: expected more than nothing, got '0s'"),
        ({"registers": None}, "registers: expected a list of registers, got None"),
        ({"registers": {"a": 1}}, "registers: expected a list of registers, got {'a': 1}"),
        ({"devices": []}, r"devices: expected a list of devices, got \[\]"),
        ({"devices": ["a"]}, r"devices\[0\]: expected options such as name: …, .* got 'a'"),
        ({"devices": [{"hots": "a"}]}, r"devices\[0\].hots: unknown option; known here: baudrate,"),
        ({"devices": [{"unit": -1}]}, r"devices\[0\].unit: expected a whole .* 0 to 255, got -1"),
        ({"devices": [{"name": ""}]}, r"devices\[0\].name: expected a text, got ''"),
        ({"devices": [{"tags": ["a"]}]}, r"devices\[0\].tags: expected names with texts, got \["),
        (
            {"devices": [{"serial": "/dev/ttyS0", "unit": 0}]},
            r"devices\[0\].unit|unit: expected a whole number from 1 to 247, got 0",
        ),
        (
            {"devices": [{"serial": "/dev/ttyS0", "parity": "E"}]},
            r"devices\[0\].parity: expected none or even or odd, got 'E'",
        ),
        (
            {"devices": [{"name": "a"}, {"name": "a"}], "registers": ONE},
            r"devices\[1\].name: expected another than that of devices\[0\], got 'a'",
        ),
        (
            {"devices": [{"name": "a"}, {"name": "b", "unit": 2}], "registers": ONE},
            r"registers\[0\].series: expected a name that nothing else has .*, got 'r0'",
        ),
        (
            {
                "devices": [
                    {"serial": "/dev/ttyS0", "registers": ONE},
                    {"serial": "/dev/ttyS0", "baudrate": 19200, "registers": [register(1)]},
                ]
            },
            r"devices\[1\].baudrate: expected 9600, as devices\[0\] has it on .*, got 19200",
        ),
    ],
)
async def test_wrong_options_are_told_by_their_path(params: dict[str, Any], told: str) -> None:
    """Where it is, what was expected, and what was got, before anything is asked."""
    with pytest.raises(ValueError, match=f"^{told}"):
        await read(**{"registers": ONE, **params})


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"address": 70_000}, "address: expected a whole number from 0 to 65535, got 70000"),
        ({"address": "40001"}, "address: expected a whole number from 0 to 65535, got '40001'"),
        ({"address": 65_535, "type": "uint32"}, "address: expected at most 65534 for a uint32"),
        ({"series": ""}, "series: expected a text, got ''"),
        ({"series": "{host}_x"}, "series: expected no other field than {device}, got '{host}_x'"),
        ({"series": "{device}_x"}, "series: expected a device with a `name`, got none for"),
        ({"table": "holdings"}, "table: expected holding or input or coil or discrete, got"),
        ({"type": "int8"}, "type: expected uint16 or .*, got 'int8'"),
        ({"bit": 16}, "bit: expected a whole number from 0 to 15, got 16"),
        ({"bit": 0, "type": "float32"}, "bit: expected a type such as uint16, got 'float32'"),
        ({"table": "coil", "type": "int16"}, "type: expected none, because a coil is one bit"),
        ({"scale": "val / 10"}, "scale: expected a number, got 'val / 10'"),
        ({"offset": float("inf")}, "offset: expected a number, got inf"),
        ({"transform": "val / 10"}, "transform: unknown option; known here: address, bit,"),
        ({"tags": {"a": None}}, "tags: expected names with texts, got {'a': None}"),
    ],
)
async def test_wrong_registers_are_told_by_their_path(entry: dict[str, Any], told: str) -> None:
    """The path has the number of the entry."""
    with pytest.raises(ValueError, match=rf"^registers\[1\]\.{told}"):
        await read(registers=[register(7), {**register(0), **entry}])


async def test_page_shows_what_is_emitted() -> None:
    """The configuration at the top of the page makes the example's output."""
    page = (Path(__file__).parents[2] / "docs" / "plugins" / "modbus.md").read_text()
    params = yaml.safe_load(page.partition("```yaml\n")[2].partition("```")[0])
    told = page.partition("```text\n")[2].partition("```")[0].split()

    async with serving(
        meter(1, energy=123_456, power=1500.5, supply=-25, status=0b1010, pump=True),
        meter(2, energy=7890, power=0.25, supply=215, status=0b0111, pump=False),
    ) as server:
        result = await read(
            **{
                **params["collectors"]["plant-room"]["params"],
                "host": "127.0.0.1",
                "port": server.port,
            }
        )

    assert {name: round(value, 9) for name, value in values(result).items()} == dict(
        zip(told[::2], map(float, told[1::2]), strict=True)
    )


def meter(
    unit: int, *, energy: int, power: float, supply: int, status: int, pump: bool
) -> SimDevice:
    """Make a device such as the page describes."""
    low, high = reversed(struct.unpack(">HH", struct.pack(">f", power)))
    words = [energy >> 16, energy & 0xFFFF, low, high, 0, 0, 0, 0, supply & 0xFFFF, status]
    held = [SimData(0, values=list(words), datatype=DataType.REGISTERS)]
    bits = [SimData(0, values=[False] * 4 + [pump] + [False] * 11, datatype=DataType.BITS)]
    return SimDevice(unit, (bits, bits, held, held))


async def test_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is needed by nobody else, so it is not installed with the daemon."""
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        "ingestd.plugins.modbus.link.find_spec",
        lambda name: None if name == "pymodbus" else find_spec(name),
    )

    with pytest.raises(ImportError, match=r"expected pymodbus .* pip install 'ingestd\[modbus\]'"):
        await read(registers=ONE)
