"""The profiles of the modbus plugin against devices that answer as their makers' documents say.

Each document is written down here a second time, from the maker's list of registers: address, type
and what stands there, and what that means. A device has no other registers, like the smaller models
of a family, so all others of its profile are refused.
"""

import asyncio
from dataclasses import dataclass
from math import nan
from typing import Any, Final

import pytest
from pymodbus.constants import ExcCodes

from ingestd.plugins.modbus import ModbusError, run
from ingestd.plugins.modbus.profiles import known
from ingestd.testing import collect, context
from tests.support.modbus import NOW, read, serving, values
from tests.support.modbusdevices import device, image

pytestmark = pytest.mark.usefixtures("idle_time")

Registers = dict[int, tuple[str, float]]


@dataclass(frozen=True)
class Document:
    """What a maker says of a device.

    Attributes:
        registers: Type and number at each address.
        means: The series they become.
        table: In which they are.
        unit: The number of the device, as it comes.
        most: How many registers it gives at once.
        little: Whether the lower half of a number comes first.
    """

    registers: Registers
    means: dict[str, float | None]
    table: str = "holding"
    unit: int = 1
    most: int = 125
    little: bool = False


GAVAZZI: Final[Registers] = {
    0x00: ("int32", 2301), 0x02: ("int32", 2302), 0x04: ("int32", 2299),
    0x0C: ("int32", 12_345), 0x0E: ("int32", -5), 0x10: ("int32", 777),
    0x12: ("int32", -28_390), 0x14: ("int32", 4), 0x16: ("int32", 98_387), 0x28: ("int32", 70_001),
}  # fmt: skip
GAVAZZI_MEANS: Final[dict[str, float | None]] = {
    "voltage_l1_volts": 230.1, "voltage_l2_volts": 230.2, "voltage_l3_volts": 229.9,
    "current_l1_amps": 12.345, "current_l2_amps": -0.005, "current_l3_amps": 0.777,
    "power_l1_watts": -2839.0, "power_l2_watts": 0.4, "power_l3_watts": 9838.7,
    "power_watts": 7000.1,
}  # fmt: skip
DOCUMENTS: Final = {
    "sdm630": Document(
        {
            0: ("float32", 230.5), 2: ("float32", 231.5), 4: ("float32", 229.75),
            6: ("float32", 1.25), 8: ("float32", 2.5), 10: ("float32", 0.125),
            12: ("float32", -287.5), 14: ("float32", 575), 16: ("float32", 28.5),
            30: ("float32", 0.5),
            52: ("float32", 1500), 62: ("float32", 1),
            70: ("float32", 50), 72: ("float32", 1234.5),
            74: ("float32", 0.25), 200: ("float32", 400),
            342: ("float32", 1234.75), 346: ("float32", 400.5), 352: ("float32", nan),
        },
        {
            "voltage_l1_volts": 230.5, "voltage_l2_volts": 231.5, "voltage_l3_volts": 229.75,
            "current_l1_amps": 1.25, "current_l2_amps": 2.5, "current_l3_amps": 0.125,
            "power_l1_watts": -287.5, "power_l2_watts": 575, "power_l3_watts": 28.5,
            "power_factor_l1": 0.5, "power_watts": 1500,
            "power_factor": 1, "frequency_hertz": 50, "import_kwh": 1234.5, "export_kwh": 0.25,
            "voltage_l1_l2_volts": 400, "total_kwh": 1234.75, "import_l1_kwh": 400.5,
            "export_l1_kwh": None,
        },
        table="input", most=80,
    ),
    "sdm120": Document(
        {
            0: ("float32", 230.5), 6: ("float32", 1.5), 12: ("float32", 345.75), 36: ("float32", 1),
            70: ("float32", 50), 72: ("float32", 77.5), 74: ("float32", 0), 342: ("float32", 77.5),
        },
        {
            "voltage_volts": 230.5, "current_amps": 1.5, "power_watts": 345.75,
            "phase_angle_degrees": 1, "frequency_hertz": 50, "import_kwh": 77.5, "export_kwh": 0,
            "total_kwh": 77.5,
        },
        table="input", most=80,
    ),
    "em24": Document(
        GAVAZZI | {
            0x32: ("int16", -999), 0x35: ("int16", 870), 0x37: ("uint16", 500),
            0x3E: ("int32", 123_456), 0x46: ("int32", 50_000), 0x5C: ("int32", 7),
        },
        GAVAZZI_MEANS | {
            "power_factor_l1": -0.999, "power_factor": 0.87, "frequency_hertz": 50.0,
            "import_kwh": 12_345.6, "import_l1_kwh": 5000.0, "export_kwh": 0.7,
        },
        table="input", most=11, little=True,
    ),
    "em24_e1": Document(
        GAVAZZI | {
            0x2E: ("int16", -999), 0x31: ("int16", 0x7FFF), 0x33: ("uint16", 501),
            0x34: ("int32", 123_456), 0x40: ("int32", 50_000), 0x4E: ("int32", 7),
        },
        GAVAZZI_MEANS | {
            "power_factor_l1": -0.999, "power_factor": None, "frequency_hertz": 50.1,
            "import_kwh": 12_345.6, "import_l1_kwh": 5000.0, "export_kwh": 0.7,
        },
        table="input", most=11, little=True,
    ),
    "em340": Document(
        GAVAZZI | {
            0x2E: ("int16", 1000), 0x31: ("int16", -1000), 0x33: ("uint16", 499),
            0x34: ("int32", 123_456), 0x40: ("int32", 50_000), 0x4E: ("int32", 7),
        },
        GAVAZZI_MEANS | {
            "power_factor_l1": 1.0, "power_factor": -1.0, "frequency_hertz": 49.9,
            "import_kwh": 12_345.6, "import_l1_kwh": 5000.0, "export_kwh": 0.7,
        },
        table="input", most=50, little=True,
    ),
    "janitza": Document(
        {
            19_000: ("float32", 230.5), 19_002: ("float32", 231.5), 19_004: ("float32", 229.5),
            19_012: ("float32", 5.5), 19_014: ("float32", 5.25), 19_016: ("float32", 5.75),
            19_018: ("float32", 16.5),
            19_020: ("float32", -1250), 19_022: ("float32", -1225), 19_024: ("float32", -1275),
            19_026: ("float32", -3750), 19_042: ("float32", 12.5),
            19_050: ("float32", 50), 19_062: ("float32", 1e6), 19_068: ("float32", 3e6),
            19_070: ("float32", nan), 19_076: ("float32", 2.5e6),
        },
        {
            "voltage_l1_volts": 230.5, "voltage_l2_volts": 231.5, "voltage_l3_volts": 229.5,
            "current_l1_amps": 5.5, "current_l2_amps": 5.25, "current_l3_amps": 5.75,
            "current_sum_amps": 16.5,
            "power_l1_watts": -1250, "power_l2_watts": -1225, "power_l3_watts": -1275,
            "power_watts": -3750, "reactive_power_var": 12.5,
            "frequency_hertz": 50, "import_l1_wh": 1e6, "import_wh": 3e6,
            "export_l1_wh": None, "export_wh": 2.5e6,
        },
    ),
    "kostal": Document(
        {
            56: ("uint16", 6), 100: ("float32", 4000.5),
            106: ("float32", 10), 118: ("float32", 5e6),
            152: ("float32", 50), 154: ("float32", 5.5), 156: ("float32", 1300.25),
            158: ("float32", 236.5), 160: ("float32", 5.25), 162: ("float32", 1250),
            164: ("float32", 237.5), 166: ("float32", 5.75), 168: ("float32", 1350.5),
            170: ("float32", 235.25), 172: ("float32", 3900.75),
            210: ("float32", 87), 252: ("float32", -2500.5), 258: ("float32", 7.25),
            260: ("float32", 3990), 266: ("float32", 550.5),
            320: ("float32", 1e7), 322: ("float32", 25_000), 582: ("int16", -1500),
        },
        {
            "status": 6, "dc_power_watts": 4000.5, "home_from_battery_watts": 10, "home_wh": 5e6,
            "frequency_hertz": 50,
            "current_l1_amps": 5.5, "power_l1_watts": 1300.25, "voltage_l1_volts": 236.5,
            "current_l2_amps": 5.25, "power_l2_watts": 1250, "voltage_l2_volts": 237.5,
            "current_l3_amps": 5.75, "power_l3_watts": 1350.5, "voltage_l3_volts": 235.25,
            "power_watts": 3900.75, "battery_charge_percent": 87, "grid_power_watts": -2500.5,
            "dc1_current_amps": 7.25, "dc1_power_watts": 3990, "dc1_voltage_volts": 550.5,
            "yield_wh": 1e7, "yield_today_wh": 25_000, "battery_power_watts": -1500,
        },
        unit=71, little=True,
    ),
    "huawei": Document(
        {
            32_000: ("uint16", 6), 32_016: ("int16", 5508), 32_017: ("int16", 712),
            32_064: ("int32", 4000), 32_069: ("uint16", 2305), 32_070: ("uint16", 2315),
            32_071: ("uint16", 2295), 32_072: ("int32", 5700), 32_074: ("int32", 5600),
            32_076: ("int32", 5800),
            32_080: ("int32", 3950), 32_084: ("int16", 1000), 32_085: ("uint16", 5001),
            32_087: ("int16", -32), 32_106: ("uint32", 1_234_567), 32_114: ("uint32", 1850),
            37_101: ("int32", 2303), 37_103: ("int32", 2313), 37_105: ("int32", 2293),
            37_107: ("int32", -105), 37_109: ("int32", 205), 37_111: ("int32", 0x7FFFFFFF),
            37_113: ("int32", -250), 37_118: ("int16", 4999), 37_119: ("int32", 90_000),
            37_121: ("int32", 123_456), 37_760: ("uint16", 0xFFFF), 37_765: ("int32", -1200),
            37_780: ("uint32", 5432), 37_782: ("uint32", 5321),
        },
        {
            "state": 6, "pv1_voltage_volts": 550.8,
            "pv1_current_amps": 7.12, "dc_power_watts": 4000,
            "voltage_l1_volts": 230.5, "voltage_l2_volts": 231.5, "voltage_l3_volts": 229.5,
            "current_l1_amps": 5.7, "current_l2_amps": 5.6, "current_l3_amps": 5.8,
            "power_watts": 3950, "power_factor": 1.0, "frequency_hertz": 50.01,
            "temperature_celsius": -3.2,
            "yield_kwh": 12_345.67, "yield_today_kwh": 18.5, "meter_power_watts": -250,
            "meter_voltage_l1_volts": 230.3, "meter_voltage_l2_volts": 231.3,
            "meter_voltage_l3_volts": 229.3, "meter_current_l1_amps": -1.05,
            "meter_current_l2_amps": 2.05, "meter_current_l3_amps": None,
            "meter_frequency_hertz": 49.99,
            "meter_export_kwh": 900.0, "meter_import_kwh": 1234.56, "battery_charge_percent": None,
            "battery_power_watts": -1200, "battery_charged_kwh": 54.32,
            "battery_discharged_kwh": 53.21,
        },
    ),
    "sma": Document(
        {
            30_201: ("uint32", 307), 30_513: ("uint64", 12_345_678), 30_517: ("uint64", 2**64 - 1),
            30_581: ("uint32", 4_321_000), 30_583: ("uint32", 9_876_000),
            30_769: ("int32", 1234), 30_771: ("int32", 40_050), 30_773: ("int32", -0x8000_0000),
            30_775: ("int32", 4800), 30_777: ("int32", 1600), 30_779: ("int32", 1590),
            30_781: ("int32", 1610), 30_783: ("uint32", 23_055), 30_785: ("uint32", 23_155),
            30_787: ("uint32", 22_955), 30_803: ("uint32", 5001), 30_845: ("uint32", 0xFFFF_FFFF),
            30_865: ("int32", 500), 30_867: ("int32", 0), 30_953: ("int32", 415),
            30_977: ("int32", 6950), 30_979: ("int32", 6900), 30_981: ("int32", 7000),
        },
        {
            "condition": 307, "yield_wh": 12_345_678, "yield_today_wh": None,
            "meter_import_wh": 4_321_000, "meter_export_wh": 9_876_000,
            "dc1_current_amps": 1.234, "dc1_voltage_volts": 400.5, "dc1_power_watts": None,
            "power_watts": 4800, "power_l1_watts": 1600, "power_l2_watts": 1590,
            "power_l3_watts": 1610, "voltage_l1_volts": 230.55, "voltage_l2_volts": 231.55,
            "voltage_l3_volts": 229.55, "frequency_hertz": 50.01, "battery_charge_percent": None,
            "meter_import_watts": 500, "meter_export_watts": 0, "temperature_celsius": 41.5,
            "current_l1_amps": 6.95, "current_l2_amps": 6.9, "current_l3_amps": 7.0,
        },
        unit=3,
    ),
    "victron": Document(
        {
            808: ("uint16", 10), 817: ("uint16", 310), 818: ("uint16", 320), 819: ("uint16", 0),
            820: ("int16", -410), 821: ("int16", 20), 822: ("int16", 0), 840: ("uint16", 513),
            841: ("int16", -105), 842: ("int16", -539), 843: ("uint16", 85), 844: ("uint16", 2),
            850: ("uint16", 300), 851: ("int16", 60),
        },
        {
            "pv_on_output_l1_watts": 10, "consumption_l1_watts": 310, "consumption_l2_watts": 320,
            "consumption_l3_watts": 0, "grid_l1_watts": -410, "grid_l2_watts": 20,
            "grid_l3_watts": 0,
            "battery_voltage_volts": 51.3, "battery_current_amps": -10.5,
            "battery_power_watts": -539, "battery_charge_percent": 85, "battery_state": 2,
            "pv_dc_power_watts": 300, "pv_dc_current_amps": 6.0,
        },
        unit=100,
    ),
}  # fmt: skip
SPEAK_SUNSPEC: Final = ["fronius", "solaredge"]


def made(document: Document, **options: Any) -> Any:
    """Return the device of a document."""
    return device(
        document.unit,
        image(document.registers, little=document.little),
        table=document.table,
        most=document.most,
        **options,
    )


def test_every_profile_has_a_document() -> None:
    """None is there that was never read."""
    assert sorted([*DOCUMENTS, *SPEAK_SUNSPEC]) == known()


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_profile_reads_what_the_document_says(name: str) -> None:
    """Nothing else is needed; what a model of the family does not have is no fault."""
    document = DOCUMENTS[name]
    async with serving(made(document)) as server:
        result = await read(
            port=server.port, profile=name, pause_after_connect="0s", pause_between="0s"
        )

    found = {
        each: value if value is None else round(value, 9) for each, value in values(result).items()
    }
    assert found == document.means
    assert "script_error" not in result


async def test_register_that_a_device_is_without_is_not_asked_for_again() -> None:
    """The second run asks for what there is, and in no more requests than that takes."""
    document = DOCUMENTS["victron"]
    async with serving(made(document)) as server, context(now=NOW) as ctx:
        params: dict[str, Any] = {"host": "127.0.0.1", "port": server.port, "profile": "victron"}
        await collect(run, ctx=ctx, **params)
        server.asked.clear()

        (result,) = await collect(run, ctx=ctx, **params)

    assert set(values(result)) == set(document.means)
    assert [asked[2:] for asked in server.asked] == [
        (808, 1),
        (817, 6),
        (840, 5),
        (850, 2),
    ]


async def test_device_that_has_nothing_of_its_profile_is_a_fault() -> None:
    """It is another device."""
    async with serving(device(1, {9999: [1]}, table="input", most=80)) as server:
        with pytest.raises(ModbusError, match="expected registers of its profile, got none"):
            await read(port=server.port, profile="sdm630")


@pytest.mark.slow  # the pause is made
async def test_huawei_that_ignores_the_first_second_of_a_connection_is_read() -> None:
    """Whoever asks before that is ignored until the connection ends."""
    connected = [0.0]

    async def ignore(*_: Any) -> ExcCodes | None:
        if asyncio.get_running_loop().time() - connected[0] < 1:
            await asyncio.Event().wait()
        return None

    document = DOCUMENTS["huawei"]
    async with serving(made(document, action=ignore)) as server:
        connected[0] = asyncio.get_running_loop().time()
        result = await read(
            port=server.port, profile="huawei", request_timeout="2s", pause_between="0s"
        )

    assert set(values(result)) == set(document.means)


async def test_profile_is_chosen_from_and_added_to() -> None:
    """Names have the device's before them; own registers are read as if there were no profile."""
    document = DOCUMENTS["sdm630"]
    async with serving(made(document)) as server:
        result = await read(
            port=server.port,
            devices=[
                {
                    "name": "cellar",
                    "profile": "sdm630",
                    "only": ["voltage_*", "power_watts"],
                    "exclude": "*_l2*",
                    "registers": [{"series": "own", "address": 71, "table": "input"}],
                    "tags": {"floor": "0"},
                }
            ],
        )

    assert values(result) == {
        "cellar_voltage_l1_volts": 230.5,
        "cellar_voltage_l3_volts": 229.75,
        "cellar_power_watts": 1500,
        "own": 0,
    }
    assert {tags["floor"] for *_, tags in result["readings"]} == {"0"}


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"profile": "sdm631"}, "profile: expected em24, .*, got 'sdm631'"),
        ({"profile": "sdm630", "only": ["watts"]}, "only: expected names of profile sdm630, such"),
        ({"profile": "sdm630", "exclude": [3]}, "exclude: expected names of points, got 3"),
        ({"sunspec": "yes"}, "sunspec: expected true or false, got 'yes'"),
    ],
)
async def test_wrong_choices_are_told_by_their_path(params: dict[str, Any], told: str) -> None:
    """Before anything is asked."""
    with pytest.raises(ValueError, match=f"^{told}"):
        await read(**params)
