"""Zigbee2MQTT: the state of each device as a JSON object, at `zigbee2mqtt/<name>`.

When it starts, it publishes the last state of all devices once more, also of those that have
been silent for days. With `last_seen` such a state has the time at which it was measured.
"""

from collections.abc import Iterator
from typing import Any, Final

from ingestd.plugins._readings import Reading
from ingestd.plugins._times import notation

from .kind import Ready, object_in, text_of
from .message import Message
from .naming import joined, leaves, word

# Requests, and what the bridge says of itself.
NO_STATES: Final = {"set", "get"}
BRIDGE: Final = "bridge"
# What is about the device or its firmware, and is not measured.
NO_VALUES: Final = {"last_seen", "update", "update_available", "device", "elapsed"}
# Only where all devices mean the same: `voltage` is in mV of a battery and in V of a plug.
UNITS: Final = {
    "temperature": "celsius",
    "local_temperature": "celsius",
    "device_temperature": "celsius",
    "current_heating_setpoint": "celsius",
    "occupied_heating_setpoint": "celsius",
    "humidity": "percent",
    "soil_moisture": "percent",
    "battery": "percent",
    "pressure": "hPa",
    "illuminance_lux": "lx",
    "power": "W",
    "energy": "kWh",
    "current": "A",
    "co2": "ppm",
    "pm25": "ug_per_m3",
}
# Milliseconds since 1970 are larger, seconds are smaller.
EPOCH_MS: Final = notation("unix_ms")


class Zigbee2Mqtt(Ready):
    """Reads the states of devices, and whether they are there."""

    base = "zigbee2mqtt"

    def readings(self, message: Message) -> Iterator[Reading]:
        """Yield the readings of a message.

        Raises:
            DocumentError: It should hold a JSON object, and does not.
        """
        levels = self.levels(message.topic)
        if not levels or levels[0] == BRIDGE or levels[-1] in NO_STATES:
            return
        if levels[-1] == "availability":
            device = "/".join(levels[:-1])
            yield message.time, self.name(device, "online"), available(message.payload)
        elif message.payload[:1] == b"{" or len(levels) == 1:
            yield from self.state("/".join(levels), message)
        # What is left is a value of its own, for those who want that besides (`output`).

    def state(self, device: str, message: Message) -> Iterator[Reading]:
        """Yield the readings of the state of a device."""
        if not message.payload:  # it was taken out
            return
        told = object_in(message.payload)
        time = self.seen(told.get("last_seen"), message)
        for path, value in leaves(told):
            number = self.measured(value)
            if path[0] not in NO_VALUES and not isinstance(number, str):
                name = joined(*map(word, path), UNITS.get(path[-1], ""))
                yield time, self.name(device, name), number

    def seen(self, told: Any, message: Message) -> Any:
        """Return when a device was heard: in ISO 8601, or in milliseconds since 1970."""
        if type(told) in {int, float}:
            return EPOCH_MS.read(told)
        return self.moment(told, message)


def available(payload: bytes) -> Any:
    """Return whether a device is there, or the text that does not say it."""
    text = object_in(payload).get("state") if payload[:1] == b"{" else text_of(payload)
    return {"online": 1, "offline": 0}.get(str(text), text)
