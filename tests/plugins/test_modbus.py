"""The modbus plugin: what is read, and what becomes of it."""

import asyncio
import importlib.util
import struct
from pathlib import Path
from typing import Any

import pytest
import yaml
from pymodbus.framer import FramerType
from pymodbus.simulator import DataType, SimData, SimDevice

from ingestd.plugins.modbus import run
from ingestd.testing import collect, context
from tests.support.deadline import WITHIN
from tests.support.modbus import HASTE, NOW, Action, device, read, register, serving, values

pytestmark = pytest.mark.usefixtures("idle_time")


async def test_registers_become_readings_of_the_time_of_the_answer() -> None:
    """Series and tags are those of the options; the connection ends with the run."""
    async with serving(device(1)) as server:
        result = await read(
            port=server.port, registers=[register(1, tags={"floor": 2}), register(3)]
        )

        assert result == {
            "readings": [(NOW, "r1", 20, {"floor": "2"}), (NOW, "r3", 40, {})],
        }
        async with asyncio.timeout(WITHIN):
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


@pytest.mark.parametrize(
    ("nothing", "own", "found"),
    [
        (None, 0x8000, None),
        (None, [1, 0x8000], None),
        ({"int16": -0x8000, "uint16": 0xFFFF}, None, pytest.approx(3276.8)),
        ({"uint16": 0x8000}, None, None),
        (0x8000, [], pytest.approx(3276.8)),
    ],
)
async def test_number_that_says_nothing_is_no_value(nothing: Any, own: Any, found: Any) -> None:
    """It is told as it is in the device, for one register, for all, or for those of a type."""
    async with serving(device(1, {0: [0x8000, 5]})) as server:
        result = await read(
            port=server.port,
            nothing=nothing,
            registers=[register(0, scale=0.1, nothing=own), register(1)],
        )

    assert values(result) == {"r0": found, "r1": 5}


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


async def test_rtu_goes_over_tcp_too() -> None:
    """Some converters pass frames on as they are."""
    async with serving(device(4), framer=FramerType.RTU) as server:
        result = await read(
            **HASTE,
            port=server.port,
            unit=4,
            framing="rtu",
            registers=[register(0), register(2)],
        )

    assert values(result) == {"r0": 10, "r2": 30}


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
    """No other plugin needs it, so it is not installed with the daemon."""
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        "ingestd.plugins.modbus.link.find_spec",
        lambda name: None if name == "pymodbus" else find_spec(name),
    )

    with pytest.raises(ImportError, match=r"expected pymodbus .* pip install 'ingestd\[modbus\]'"):
        await read(registers=[register(0)])
