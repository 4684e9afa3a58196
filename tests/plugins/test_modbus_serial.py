"""The modbus plugin on serial lines, which are pairs of pseudo-terminals here."""

import asyncio
import errno
import os
import tty
from pathlib import Path

import pytest
from pymodbus.framer.rtu import FramerRTU

from ingestd.plugins.modbus import ModbusError, run
from ingestd.testing import collect, context
from tests.support.modbus import (
    HASTE,
    bus,
    device,
    read,
    read_serial,
    register,
    serving,
    silent,
    values,
)

pytestmark = pytest.mark.usefixtures("idle_time")


@pytest.mark.slow  # answers are waited for that come late or never
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
    reason = os.strerror(errno.ENOENT)
    with pytest.raises(ModbusError, match=rf"/dev/nothing unit 1: .* {reason}"):
        await read_serial("/dev/nothing", **HASTE, registers=[register(0)])


@pytest.mark.parametrize("path", ["/dev/null", "/proc/self/status", "nonsense://x"])
async def test_file_that_is_no_serial_line_is_a_problem_of_its_own(path: str) -> None:
    """A driver may raise any exception; the devices elsewhere are read."""
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


@pytest.mark.slow  # answers are waited for that come late or never
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


@pytest.mark.slow  # answers are waited for that come late or never
async def test_collectors_take_turns_at_one_line_by_any_of_its_names(tmp_path: Path) -> None:
    """A serial line has several paths, since those that stay the same are links."""
    async with bus(device(1)) as path, context() as ctx, context(beside=ctx) as other:
        (tmp_path / "by-id").symlink_to(path)

        results = await asyncio.gather(
            collect(run, ctx=ctx, serial=path, registers=[register(0)], **HASTE),
            collect(
                run, ctx=other, serial=str(tmp_path / "by-id"), registers=[register(2)], **HASTE
            ),
        )

    assert [values(result) for (result,) in results] == [{"r0": 10}, {"r2": 30}]
