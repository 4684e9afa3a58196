"""The modbus plugin with devices that say by SunSpec what they have."""

import asyncio
import struct
from collections.abc import Sequence
from typing import Any

import pytest

from ingestd.plugins.modbus import ModbusError, run
from ingestd.plugins.modbus.numbers import TYPES
from ingestd.plugins.modbus.sunspecmodels import models
from ingestd.testing import collect, context
from tests.support.modbus import NOW, read, serving, values
from tests.support.modbusdevices import device
from tests.support.sunspec import NO_INT, NONE, chain, model, u16

pytestmark = pytest.mark.usefixtures("idle_time")


def inverter(*, sf: int = -1, power: int = 3456) -> list[int]:
    """Return an inverter of three phases with whole numbers, at noon."""
    return model(103, 50, {
        2: [123, NONE, 41, 42, u16(-1)],
        10: [2301, 2302, NONE, u16(sf)],
        14: [power, u16(sf), 5001, u16(-2)],
        24: [0x0001, 0xE240, 0],
        38: [4, NONE],
        40: [0, 0],
    })  # fmt: skip


INVERTER = {
    "inverter_A": 12.3, "inverter_AphA": None, "inverter_AphB": 4.1, "inverter_AphC": 4.2,
    "inverter_PhVphA": 230.1, "inverter_PhVphB": 230.2, "inverter_PhVphC": None,
    "inverter_W": 345.6, "inverter_Hz": 50.01, "inverter_WH": 123_456, "inverter_St": 4,
    "inverter_StVnd": None, "inverter_Evt1": 0,
}  # fmt: skip


async def found(words: Sequence[int], *, base: int = 40_000, **params: Any) -> dict[str, Any]:
    """Return the values of a device that has these registers."""
    async with serving(device(1, {base: words}, table="holding", most=125)) as server:
        return values(await read(port=server.port, sunspec=True, **params))


@pytest.mark.parametrize("base", [40_000, 50_000, 0])
async def test_inverter_needs_nothing_but_sunspec(base: int) -> None:
    """Values are named after model and point, and have their scale; what is not there is None."""
    got = await found(chain(inverter()), base=base)

    assert {name: got[name] for name in INVERTER} == INVERTER
    assert {each.partition("_")[0] for each in got} == {"inverter"}


async def test_scale_factor_that_changes_is_of_the_same_moment() -> None:
    """Each answer has another scale factor, and the same power."""
    words = chain(inverter())
    at = 40_000 + 2 + 68
    for sf in (-1, 0, 1):
        words[at - 40_000 + 14], words[at - 40_000 + 15] = 3456, u16(sf)
        assert (await found(words))["inverter_W"] == pytest.approx(3456 * 10**sf)


async def test_floats_and_groups_of_trackers() -> None:
    """A model with floats has no scale; one with groups has a number in each name."""
    power = struct.unpack(">HH", struct.pack(">f", 1234.5))
    nan = (0x7FC0, 0)
    floats = model(113, 60, {2: nan * 30, 22: power})
    tracker = [1, *[0] * 8, 512, 6001, 3071, 0, 1234, 0, 0, NO_INT, 4, 0, 0]
    dark = [2, *[0] * 8, NONE, NONE, NONE, 0, 0, 0, 0, NO_INT, NONE, NONE, NONE]
    trackers = model(160, 48, {2: [u16(-2), u16(-1), 0, 0, 0, 0, 2, NONE], 10: tracker + dark})

    got = await found(chain(floats, trackers))

    assert got["inverter_W"] == 1234.5
    assert got["inverter_A"] is None
    assert got["mppt_1_DCA"] == 5.12
    assert got["mppt_1_DCV"] == 600.1
    assert got["mppt_1_DCWH"] == 1234
    assert got["mppt_2_DCA"] is None
    assert got["mppt_2_DCWH"] is None


async def test_model_of_a_maker_is_passed_by_and_a_second_meter_has_a_number() -> None:
    """The walk goes on behind what is not known."""
    one = model(203, 105, {18: [1500, 0, 0, 0, u16(0)]})
    two = model(203, 105, {18: [u16(-20), 0, 0, 0, u16(1)]})
    got = await found(chain(model(64_999, 7, {}), one, two))

    assert got["meter_W"] == 1500
    assert got["meter2_W"] == -200


async def test_long_model_is_read_in_parts_that_cut_no_value() -> None:
    """The limit of the device counts; what is read twice must have the same scale factors."""
    got = await found(chain(inverter()), max_registers=9)

    assert {name: got[name] for name in INVERTER} == INVERTER


async def test_models_are_looked_for_once_and_again_when_they_move() -> None:
    """A new firmware may have others; nothing is read from where they were."""
    words = chain(inverter())
    moved = chain(model(120, 26, {}), inverter(power=1))
    params: dict[str, Any] = {"host": "127.0.0.1", "sunspec": True, "only": "inverter_W"}
    async with context(now=NOW) as ctx:
        async with serving(device(1, {40_000: words}, table="holding", most=125)) as server:
            port = server.port
            for _ in range(2):
                await collect(run, ctx=ctx, port=port, **params)
            asked = [each[2:] for each in server.asked]
        async with serving(device(1, {40_000: moved}, table="holding", most=125), port=port):
            (result,) = await collect(run, ctx=ctx, port=port, **params)

    assert values(result) == {"inverter_W": 0.1}
    assert asked[-2:] == [(40_070, 52), (40_070, 52)]


@pytest.mark.parametrize("only", ["inverter_W", ["*_W"]])
async def test_points_are_chosen_by_name(only: Any) -> None:
    """A device's name goes before them."""
    async with serving(device(1, {0: chain(inverter())}, table="holding", most=125)) as server:
        result = await read(
            port=server.port,
            sunspec=True,
            only=only,
            devices=[{"name": "roof", "tags": {"a": "b"}}],
        )

    assert result["readings"] == [(NOW, "roof_inverter_W", 345.6, {"a": "b"})]


async def test_device_that_does_not_speak_it_is_a_fault() -> None:
    """The places that were tried are told."""
    with pytest.raises(
        ModbusError, match="expected SunSpec's marker at one of 40000, 50000, 0, got"
    ):
        await found([1, 2, 3])


async def test_models_may_end_with_the_registers() -> None:
    """Some devices have no end that says so, and refuse what is behind."""
    got = await found(chain(inverter())[:-2])

    assert {name: got[name] for name in INVERTER} == INVERTER


async def test_marker_without_models_is_a_fault() -> None:
    """Nothing could ever be read."""
    with pytest.raises(ModbusError, match="expected models behind SunSpec's marker at 0, got none"):
        await found([0x5375, 0x6E53, 0xFFFF, 0], base=0)


@pytest.mark.slow  # an answer is waited for that does not come
async def test_device_that_falls_silent_gives_what_it_gave_before() -> None:
    """The first model is there, and the run says what is wrong with the rest."""
    silent = asyncio.Event()

    async def fall_silent(_f: int, _s: int, address: int, *_: Any) -> None:
        if address == 40_122 and asked.count(address):
            await silent.wait()
        asked.append(address)

    asked: list[int] = []
    words = chain(inverter(), model(120, 26, {3: [5000]}))
    spoken = device(1, {40_000: words}, table="holding", most=125, action=fall_silent)
    async with serving(spoken) as server:
        result = await read(port=server.port, sunspec=True, request_timeout="500ms", retries=0)

    assert values(result)["inverter_W"] == 345.6
    assert "expected an answer within 0.5 s, got none" in result["script_error"]


def test_every_model_is_whole() -> None:
    """No value reaches beyond its model, and none lies on another."""
    for number, each in models().items():
        parts = [(each.points, each.length), (each.group_points, each.group_length)]
        for points, length in parts:
            ends = [point.offset + TYPES[point.type].count for point in points]
            assert all(end <= length for end in ends), number
            starts = [point.offset for point in points]
            assert all(a <= b for a, b in zip(ends, starts[1:], strict=False)), number
