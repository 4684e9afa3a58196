"""A device of each kind that ready routes of ``mqtt`` read, which publishes numbered messages."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from tests.support.source import FIRST, value_of

Payload = Callable[[int], Any]


@dataclass(frozen=True, kw_only=True)
class Device:
    """A device.

    Attributes:
        type: Of its ready route.
        topic: Where it publishes.
        payload: What, by the number of the message.
        series: What that becomes.
        dated: Whether its messages have a time of their own.
        about: What describes it, which the broker retains.
    """

    type: str
    topic: str
    payload: Payload
    series: str
    dated: bool = False
    about: Mapping[str, Any] = field(default_factory=dict)


def local(number: int) -> str:
    """Return the time of a message as Tasmota writes it, with its zone at UTC."""
    return f"{datetime.fromtimestamp(FIRST + number, UTC):%Y-%m-%dT%H:%M:%S}"


DEVICES: Final = (
    Device(
        type="tasmota", topic="tele/plug/SENSOR", dated=True, series="plug_ENERGY_Total_kWh",
        payload=lambda n: {"Time": local(n), "ENERGY": {"Total": value_of(n)}},
    ),
    Device(
        type="zigbee2mqtt", topic="zigbee2mqtt/kitchen", dated=True,
        series="kitchen_temperature_celsius",
        payload=lambda n: {"temperature": value_of(n), "last_seen": (FIRST + n) * 1000},
    ),
    Device(
        type="shelly", topic="shellyplus-1/events/rpc", dated=True,
        series="shellyplus-1_switch_0_apower_W",
        payload=lambda n: {
            "src": "shellyplus-1", "method": "NotifyStatus",
            "params": {"ts": FIRST + n, "switch:0": {"id": 0, "apower": value_of(n)}},
        },
    ),
    Device(
        type="shelly1", topic="shellies/em/emeter/0/power", series="em_emeter_0_power_W",
        payload=value_of,
    ),
    Device(
        type="homie", topic="homie/boiler/flow/temperature", payload=value_of,
        series="boiler_flow_temperature_celsius",
        about={
            "homie/boiler/$homie": "4.0.0", "homie/boiler/flow/temperature/$datatype": "float",
            "homie/boiler/flow/temperature/$unit": "°C",
        },
    ),
    Device(
        type="esphome", topic="attic/sensor/temperature/state", series="attic_temperature",
        payload=value_of,
    ),
    Device(
        type="homeassistant", topic="site/meter", series="Meter_Total_kWh",
        payload=lambda n: {"v": value_of(n)},
        about={
            "homeassistant/sensor/meter/config": {
                "name": "Total", "unit_of_measurement": "kWh", "state_topic": "site/meter",
                "value_template": "{{ value_json.v }}", "device": {"name": "Meter"},
            },
        },
    ),
)  # fmt: skip


def message(number: int) -> tuple[str, str]:
    """Return topic and payload of a message; the devices take turns."""
    device = DEVICES[number % len(DEVICES)]
    return device.topic, written(device.payload(number))


def written(payload: Any) -> str:
    """Return a payload as it is published."""
    return payload if isinstance(payload, str) else json.dumps(payload)


def descriptions() -> list[tuple[str, str]]:
    """Return what describes all devices."""
    return [(topic, written(each)) for one in DEVICES for topic, each in one.about.items()]


def expected(device: Device, *, published: int) -> dict[int, float]:
    """Return the value of each message of a device, by its time in microseconds as it says it."""
    return {
        (FIRST + number) * 1_000_000: value_of(number)
        for number in range(1, published + 1)
        if DEVICES[number % len(DEVICES)] is device
    }
