"""Devices that speak SunSpec, as their makers' documents lay them out, and where they are found."""

import struct
from collections.abc import Sequence
from itertools import count, cycle
from typing import Any, Final

import pytest

from ingestd.plugins.modbus import ModbusError, params_of, run
from ingestd.plugins.modbus.devices import USUAL_UNITS, devices_of
from ingestd.testing import collect, context
from tests.support.modbus import NOW, read, serving, values
from tests.support.modbusdevices import device
from tests.support.sunspec import chain, common, model, u16

pytestmark = pytest.mark.usefixtures("idle_time")


def floats(*numbers: float) -> list[int]:
    """Return numbers as registers, two for each."""
    packed = struct.pack(f">{len(numbers)}f", *numbers)
    return [word for (word,) in struct.iter_unpack(">H", packed)]


def long(number: int) -> list[int]:
    """Return a number of 32 bits as registers."""
    return [number >> 16, number & 0xFFFF]


def at(unit: int, words: Sequence[int], **options: Any) -> Any:
    """Return a device with these registers from 40000 on."""
    return device(unit, {40_000: words}, table="holding", most=125, **options)


def whole(*, of: dict[str, Any], within: dict[str, Any]) -> dict[str, Any]:
    """Return what is told of some values, and those that are None."""
    return {name: within.get(name, "missing") for name in of}


# Fronius, with "float" as its SunSpec model type, as it comes: inverter, trackers, and a meter.
FRONIUS: Final = chain(
    model(113, 60, {
        2: floats(21.0, 7.0, 6.875, 7.125, 400.0, 401.0, 402.0, 230.5, 231.5, 229.5),
        22: floats(4800.0, 50.0), 32: floats(12_345_678.0), 48: [4],
    }),
    model(160, 48, {
        2: [u16(-2), u16(-1), u16(-1), 0, 0, 0, 2],
        10: [1, *[0] * 8, 512, 6001, 30_731, *long(4000), 0, 0],
        30: [2, *[0] * 8, 388, 4005, 15_540, *long(3000), 0, 0],
    }),
    first=common("Fronius"),
)  # fmt: skip
FRONIUS_MEANS: Final = {
    "roof_inverter_W": 4800, "roof_inverter_A": 21, "roof_inverter_AphA": 7,
    "roof_inverter_AphB": 6.875, "roof_inverter_AphC": 7.125, "roof_inverter_PhVphA": 230.5,
    "roof_inverter_PhVphB": 231.5, "roof_inverter_PhVphC": 229.5, "roof_inverter_Hz": 50,
    "roof_inverter_WH": 12_345_678, "roof_inverter_St": 4, "roof_mppt_1_DCA": 5.12,
    "roof_mppt_1_DCV": 600.1, "roof_mppt_1_DCW": 3073.1, "roof_mppt_2_DCW": 1554.0,
}  # fmt: skip
FRONIUS_METER: Final = chain(
    model(213, 124, {
        2: floats(10.5, 3.5, 3.25, 3.75, 230.25, 230.5, 231.5, 229.5),
        26: floats(49.984375, -1250.5),
        30: floats(-400.25, -425.25, -425.0), 60: floats(9_876_543.0), 68: floats(1_234_567.0),
    }),
    first=common("Fronius"),
)  # fmt: skip
FRONIUS_METER_MEANS: Final = {
    "grid_meter_W": -1250.5, "grid_meter_WphA": -400.25, "grid_meter_WphB": -425.25,
    "grid_meter_WphC": -425.0, "grid_meter_A": 10.5, "grid_meter_AphA": 3.5,
    "grid_meter_PhV": 230.25, "grid_meter_PhVphA": 230.5, "grid_meter_PhVphB": 231.5,
    "grid_meter_PhVphC": 229.5, "grid_meter_Hz": 49.984375, "grid_meter_TotWhExp": 9_876_543,
    "grid_meter_TotWhImp": 1_234_567,
}  # fmt: skip


async def test_fronius_and_its_meter_are_read() -> None:
    """By the profile alone; the meter has a number of its own at the same address."""
    async with serving(at(1, FRONIUS), at(240, FRONIUS_METER)) as server:
        roof = {"name": "roof", "profile": "fronius"}
        grid = {"name": "grid", "profile": "fronius", "unit": 240}
        result = await read(port=server.port, devices=[roof, grid])

    expected = {**FRONIUS_MEANS, **FRONIUS_METER_MEANS}
    assert whole(of=expected, within=values(result)) == expected
    assert "script_error" not in result


# SolarEdge: its common model is one register short, and each meter has another before it.
SOLAREDGE: Final = chain(
    model(103, 50, {
        2: [2100, 700, 690, 710, u16(-2), 4001, 4002, 4003, 2305, 2315, 2295, u16(-1)],
        14: [4805, 0, 50_000, u16(-3)], 24: [*long(12_345_678), 0],
        27: [843, u16(-2), 7501, u16(-1), 4900, 0, 0x8000, 4155, 0x8000, 0x8000, u16(-2), 4, 0],
    }),
    common("WattNode", length=65),
    model(203, 105, {
        2: [105, 35, 33, 37, u16(-1), 2303, 2305, 2315, 2295, 3990, 3991, 3992, 3993, u16(-1)],
        16: [4998, u16(-2), u16(-1250), u16(-400), u16(-425), u16(-425), 0],
        38: [*long(9_876_543)], 46: [*long(1_234_567)], 54: [0],
    }),
    first=common("SolarEdge", length=65),
)  # fmt: skip
SOLAREDGE_MEANS: Final = {
    "inverter_A": 21.0, "inverter_AphA": 7.0, "inverter_AphB": 6.9, "inverter_AphC": 7.1,
    "inverter_PPVphAB": 400.1, "inverter_PhVphA": 230.5, "inverter_PhVphB": 231.5,
    "inverter_PhVphC": 229.5, "inverter_W": 4805, "inverter_Hz": 50.0, "inverter_WH": 12_345_678,
    "inverter_DCA": 8.43, "inverter_DCV": 750.1, "inverter_DCW": 4900, "inverter_TmpCab": None,
    "inverter_TmpSnk": 41.55, "inverter_St": 4,
    "meter_A": 10.5, "meter_AphA": 3.5, "meter_AphB": 3.3, "meter_AphC": 3.7, "meter_PhV": 230.3,
    "meter_PhVphA": 230.5, "meter_PhVphB": 231.5, "meter_PhVphC": 229.5, "meter_PPV": 399.0,
    "meter_Hz": 49.98, "meter_W": -1250, "meter_WphA": -400, "meter_WphB": -425,
    "meter_WphC": -425, "meter_TotWhExp": 9_876_543, "meter_TotWhImp": 1_234_567,
}  # fmt: skip


async def test_solaredge_and_its_meter_are_read() -> None:
    """By the profile alone, at the addresses in the maker's table."""
    async with serving(at(1, SOLAREDGE)) as server:
        result = await read(port=server.port, profile="solaredge")

    assert [SOLAREDGE[each - 40_000] for each in (40_069, 40_121, 40_188)] == [103, 1, 203]
    assert whole(of=SOLAREDGE_MEANS, within=values(result)) == SOLAREDGE_MEANS
    assert "script_error" not in result


@pytest.mark.parametrize("unit", [126, 71])
async def test_the_number_of_a_device_is_found_and_remembered(unit: int) -> None:
    """SMA and Kostal come with others than most; `sunspec: true` is enough all the same."""
    params: dict[str, Any] = {"host": "127.0.0.1", "sunspec": True, "only": "inverter_W"}
    params |= {"request_timeout": "200ms", "retries": 0}
    async with serving(at(unit, SOLAREDGE)) as server, context(now=NOW) as ctx:
        for _ in range(2):
            server.asked.clear()
            (result,) = await collect(run, ctx=ctx, port=server.port, **params)
            assert values(result) == {"inverter_W": 4805}

    assert {asked[0] for asked in server.asked} == {unit}


async def test_devices_that_do_not_speak_sunspec_are_told_with_their_numbers() -> None:
    """All that were tried, with what they answered."""
    others = [device(unit, {9: [1]}, table="holding", most=9) for unit in USUAL_UNITS]
    told = "expected a `unit`, as none of the usual ones speaks SunSpec: unit 1: expected SunSpec's"
    async with serving(*others) as server:
        with pytest.raises(ModbusError, match=told):
            await read(port=server.port, sunspec=True)

    assert {each[0] for each in server.asked} == set(USUAL_UNITS)


@pytest.mark.parametrize(
    ("params", "units"),
    [
        ({"host": "a"}, USUAL_UNITS),
        ({"host": "a", "profile": "sma"}, (3, *USUAL_UNITS)),
        ({"host": "a", "unit": 5}, (5,)),
        ({"host": "a", "framing": "rtu"}, (1,)),
        ({"serial": "/dev/ttyUSB0"}, (1,)),
    ],
)
def test_numbers_are_searched_where_a_device_is_alone(
    params: dict[str, Any], units: tuple[int, ...]
) -> None:
    """Behind a converter, and on a line, there may be others, which nobody meant."""
    (found,) = devices_of(params_of({"sunspec": True, **params}))

    assert found.sunspec_units == units


# The same power by other factors: value and exponent.
SAME: Final = [(1000, 0), (10_000, -1), (100, 1), (10, 2)]


def steady(words: Sequence[int], places: Sequence[tuple[int, int]], *, changes: Any) -> Any:
    """Return a device whose factors change, and values with them, so that both mean the same.

    Args:
        words: Its registers.
        places: Where values and their factors stand in them.
        changes: Says of each request, by its number, whether they have changed before it.
    """
    scales, numbers = cycle(SAME[1:] + SAME[:1]), count()

    async def change(_function: int, start: int, _address: int, _count: int, *more: Any) -> None:
        if changes(next(numbers)):
            value, power = next(scales)
            for at_value, at_scale in places:
                more[0][40_000 + at_value - start] = value
                more[0][40_000 + at_scale - start] = u16(power)

    return at(1, words, action=change)


# Values before their factor in the model, and behind it, from the first register of the device on.
BEFORE: Final = chain(model(103, 50, {14: [1000, 0]})), [(70 + 14, 70 + 15)]
BEHIND: Final = (
    chain(model(160, 48, {4: [0], 8: [2], 21: [1000], 41: [1000]})),
    [(70 + 21, 70 + 4), (70 + 41, 70 + 4)],
)
POWERS: Final = ["inverter_W", "mppt_1_DCW", "mppt_2_DCW"]


async def test_a_scale_factor_may_change_with_each_answer() -> None:
    """Value and factor are of one answer, whenever that changes."""
    spoken = steady(*BEFORE, changes=lambda _: True)
    async with serving(spoken) as server, context(now=NOW) as ctx:
        for _ in SAME:
            (result,) = await collect(
                run, ctx=ctx, host="127.0.0.1", port=server.port, sunspec=True, only=POWERS
            )
            assert values(result) == {"inverter_W": 1000}


@pytest.mark.parametrize("laid_out", [BEFORE, BEHIND])
@pytest.mark.parametrize("when", range(14))
async def test_a_scale_factor_that_changes_between_two_parts_of_a_model_spoils_no_value(
    laid_out: tuple[list[int], list[tuple[int, int]]], when: int
) -> None:
    """Whichever request it changes before; the value is right, or is read anew until it is."""
    async with serving(steady(*laid_out, changes=lambda number: number == when)) as server:
        result = await read(port=server.port, unit=1, sunspec=True, only=POWERS, max_registers=20)

    assert set(values(result).values()) == {1000}
