"""Tasmota: what its devices publish by themselves, at `tele/<device>/…`.

Their clocks show local time and their payloads do not say of which zone. Before a device knows
the time, it counts from 1970; such readings are refused by the daemon's `not_before`.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import tzinfo
from typing import Any, Final

from ingestd.plugins._readings import Reading

from .kind import Ready, object_in, text_of
from .message import Message
from .naming import joined, leaves, unit_word, word

READ: Final = {"SENSOR", "STATE", "ENERGY"}
# What identifies something; digits would look like a value.
NO_VALUES: Final = {"Time", "Id", "Address", "UID", "Data", "TotalStartTime"}
# Units that a payload has for all its values, and what they are of.
SAID: Final = {
    "Temperature": "TempUnit",
    "DewPoint": "TempUnit",
    "HeatIndex": "TempUnit",
    "Pressure": "PressureUnit",
    "SeaPressure": "PressureUnit",
    "Speed": "SpeedUnit",
}
UNITS: Final = {
    "Humidity": "percent",
    "Illuminance": "lx",
    "CarbonDioxide": "ppm",
    "eCO2": "ppm",
    "TVOC": "ppb",
    "ENERGY.Total": "kWh",
    "ENERGY.Yesterday": "kWh",
    "ENERGY.Today": "kWh",
    "ENERGY.ExportActive": "kWh",
    "ENERGY.ImportActive": "kWh",
    "ENERGY.Period": "Wh",
    "ENERGY.Power": "W",
    "ENERGY.ApparentPower": "VA",
    "ENERGY.ReactivePower": "var",
    "ENERGY.Frequency": "Hz",
    "ENERGY.Voltage": "V",
    "ENERGY.Current": "A",
    "Wifi.RSSI": "percent",
    "Wifi.Signal": "dBm",
    "UptimeSec": "s",
    "Heap": "kB",
    "Vcc": "V",
}
DEGREES: Final = {"C": "celsius", "F": "fahrenheit"}


class Tasmota(Ready):
    """Reads SENSOR, STATE, ENERGY and LWT."""

    base = "tele"
    dated = True

    def in_zone(self, zone: tzinfo | None) -> None:
        """Read times in this zone.

        Raises:
            ValueError: There is none.
        """
        if zone is None:
            raise ValueError(
                "timezone: expected the zone in which the Tasmota devices have their clocks, "
                "since their times do not say it, got none"
            )
        super().in_zone(zone)

    def readings(self, message: Message) -> Iterator[Reading]:
        """Yield the readings of a message.

        Raises:
            DocumentError: It should hold a JSON object, and does not.
        """
        *levels, kind = self.levels(message.topic) or [""]
        device = "/".join(levels)
        if kind == "LWT" and device:
            yield message.time, self.name(device, "online"), online(message.payload)
        elif kind in READ and device:
            told = object_in(message.payload)
            held = {"ENERGY": told} if kind == "ENERGY" else told
            time = self.moment(told.get("Time"), message)
            for name, value in self.values(held):
                yield time, self.name(device, name), value

    def values(self, told: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
        """Yield the name and the number of each value in a payload."""
        for path, value in leaves(told):
            number = self.measured(value)
            if path[-1] in NO_VALUES or path[-1].endswith("Unit") or isinstance(number, str):
                continue
            yield joined(*map(word, path), unit_of(path, told)), number


def unit_of(path: tuple[str, ...], told: Mapping[str, Any]) -> str:
    """Return the unit of a value as series have it, or an empty text."""
    named = [each for each in path if not each.isdecimal()]
    if named[-1] in SAID:
        unit = unit_word(told.get(SAID[named[-1]]))
        return DEGREES.get(unit, unit)
    return UNITS.get(".".join(named[-2:])) or UNITS.get(named[-1], "")


def online(payload: bytes) -> Any:
    """Return whether a device is there, or the text that does not say it."""
    text = text_of(payload)
    return {"online": 1, "offline": 0}.get(text.lower(), text)
