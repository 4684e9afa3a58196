"""The modbus plugin against devices and connections that are dead, or answer something else."""

import asyncio
from typing import Any

import pytest
from pymodbus.constants import ExcCodes

from ingestd.plugins.modbus import ModbusError, run
from ingestd.testing import collect, context
from tests.support.deadline import WITHIN
from tests.support.modbus import HASTE, answering, device, read, register, serving, silent, values
from tests.support.ports import free_port

pytestmark = pytest.mark.usefixtures("idle_time")


async def test_dead_devices_are_named_and_hold_up_unused() -> None:
    """Refused, silent on a shared line, silent on its own: the others' series are there."""
    unused = free_port()
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
                {"name": "off", "port": unused},
                {"name": "hung", "port": mute},
            ],
            registers=[{"series": "{device}", "address": 0}, {"series": "{device}x", "address": 0}],
        )

    assert values(result) == {"m1": 1, "m1x": 1, "m3": 3, "m3x": 3}
    told = result["script_error"].split("; ")
    late = "expected an answer within 0.15 s, got none"
    assert told[0] == f"m2 (127.0.0.1:{gateway.port} unit 2): {late}"
    assert told[1].startswith(f"off (127.0.0.1:{unused} unit 1): expected a connection within")
    assert not told[1].endswith("got none")  # the reason is told, in the words of the system
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


@pytest.mark.slow  # an answer is waited for that does not come
async def test_lost_answer_is_asked_for_again() -> None:
    """It is asked for on the same connection, since answers carry a number."""
    late = iter([True, False, False])

    async def once(*_: Any) -> None:
        if next(late):
            await asyncio.sleep(0.8)

    async with serving(device(1, action=once)) as server:
        result = await read(
            port=server.port,
            request_timeout="500ms",
            retries=1,
            registers=[register(0), register(2)],
        )

    assert values(result) == {"r0": 10, "r2": 30}
    assert server.connections.count(True) == 1


@pytest.mark.slow  # an answer is waited for that does not come
async def test_connection_that_is_closed_is_opened_again() -> None:
    """Some devices hang up after each answer, or at a restart."""
    calls: list[bytes] = []

    def hang_up_first(data: bytes) -> bytes | None:
        calls.append(data)
        if len(calls) == 1:
            return None
        return data[:4] + b"\x00\x05" + data[6:8] + b"\x02\x00\x2a"

    async with answering(hang_up_first) as port:
        result = await read(port=port, request_timeout="500ms", retries=1, registers=[register(0)])

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
        async with asyncio.timeout(WITHIN):
            await gone.wait()
        with pytest.raises(ModbusError, match="got none"):  # the line is free
            await collect(run, ctx=ctx, host="127.0.0.1", **params, **HASTE)


async def test_pymodbus_says_nothing_that_the_record_says(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Its own log would name no collector, and repeat itself every minute."""
    with pytest.raises(ModbusError):
        await read(**HASTE, port=free_port(), registers=[register(0)])

    assert [each.getMessage() for each in caplog.records if "pymodbus" in each.name] == []
