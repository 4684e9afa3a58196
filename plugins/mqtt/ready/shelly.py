"""Shelly: the first generation, a topic for each value, and those after it, parts as JSON.

From the second generation on a device tells what has changed, with its time, at `events/rpc`.
Some are set to publish the state of each part besides, at `status/…` and without a time; that is
read only of those that tell nothing at `events/rpc`.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from ingestd.plugins._readings import Reading

from .kind import Ready, object_in, text_of
from .message import Message
from .naming import joined, leaves, unit_word, word

# Requests, and what a device says of itself.
FIRST_NO_VALUES: Final = {"command", "announce", "info", "input_event", "settings", "online"}
FIRST_UNITS: Final = {
    "power": "W",
    "reactive_power": "var",
    "voltage": "V",
    "current": "A",
    "total": "Wh",
    "total_returned": "Wh",
    "temperature": "celsius",
    "ext_temperature": "celsius",
    "temperature_f": "fahrenheit",
    "ext_temperature_f": "fahrenheit",
    "humidity": "percent",
    "ext_humidity": "percent",
    "battery": "percent",
    "lux": "lx",
}
# Counted in watt minutes.
WATT_MINUTES: Final = {"energy", "returned_energy"}
ONLINE: Final = {"true": 1, "false": 0}


class ShellyFirst(Ready):
    """Reads the first generation."""

    base = "shellies"

    def readings(self, message: Message) -> Iterator[Reading]:
        """Yield the reading of a message, if it is one."""
        device, *path = self.levels(message.topic) or [""]
        if path == ["online"]:
            yield message.time, self.name(device, "online"), online(message.payload)
        elif path and not set(path) & FIRST_NO_VALUES:
            number = self.measured(text_of(message.payload))
            if not isinstance(number, str):  # "stop", or a state as JSON
                name, factor = first_name(path)
                yield message.time, self.name(device, name), scaled(number, factor)


def first_name(path: list[str]) -> tuple[str, float]:
    """Return the name of a value with its unit, and what it is multiplied by for that."""
    of = next((each for each in reversed(path) if not each.isdecimal()), "")
    if of in WATT_MINUTES:
        return joined(*map(word, path), "Wh"), 1 / 60
    # Those with sensors alone are set to either scale of temperature, and do not say it.
    unit = "" if path == ["sensor", "temperature"] else FIRST_UNITS.get(of, "")
    return joined(*map(word, path), unit), 1


def scaled(number: Any, factor: float) -> Any:
    """Return a number times a factor; None stays None."""
    return number if number is None or factor == 1 else number * factor


# By the last name on the path, or its end, behind a phase such as `a_`.
UNITS: Final = {
    "apower": "W",
    "act_power": "W",
    "aprt_power": "VA",
    "voltage": "V",
    "current": "A",
    "freq": "Hz",
    "act_energy": "Wh",
    "act_ret_energy": "Wh",
    "total_act": "Wh",
    "total_act_ret": "Wh",
    "rh": "percent",
    "lux": "lx",
    "rssi": "dBm",
}
# What is told twice, or about the last minutes, or names something.
NO_VALUES: Final = {"id", "tF", "by_minute", "minute_ts", "errors", "ts", "source"}
NO_PARTS: Final = {"ts", "sys", "cloud", "mqtt", "ws", "ble", "events"}
STATES: Final = {"NotifyStatus", "NotifyFullStatus"}


class Shelly(Ready):
    """Reads the second generation and those after it."""

    base = ""

    def look_at(self, options: Any) -> None:
        """Begin without having heard any device."""
        del options
        self._tells: set[str] = set()  # devices that tell what has changed

    def filters(self) -> Iterable[str]:
        """Return which topics are wanted."""
        return ["+/events/rpc", "+/status/+", "+/online"]

    def readings(self, message: Message) -> Iterator[Reading]:
        """Yield the readings of a message.

        Raises:
            DocumentError: It should hold a JSON object, and does not.
        """
        levels = self.levels(message.topic)
        if levels[-1] == "online":
            device = "/".join(levels[:-1])
            yield message.time, self.name(device, "online"), online(message.payload)
        elif levels[-1] == "rpc":
            yield from self.told("/".join(levels[:-2]), message)
        elif (device := "/".join(levels[:-2])) not in self._tells:
            part = {levels[-1]: object_in(message.payload)}
            yield from self.parts(device, message.time, part)

    def told(self, device: str, message: Message) -> Iterator[Reading]:
        """Yield what a device tells of its parts."""
        self._tells.add(device)
        document = object_in(message.payload)
        parts = document.get("params")
        if str(document.get("method")) in STATES and isinstance(parts, dict):
            yield from self.parts(device, self.moment(parts.get("ts"), message), parts)

    def parts(self, device: str, time: Any, parts: dict[str, Any]) -> Iterator[Reading]:
        """Yield the readings of some parts."""
        for path, value in leaves(parts):
            if path[0] in NO_PARTS or NO_VALUES & set(path):
                continue
            number = self.measured(value)
            if not isinstance(number, str):
                yield time, self.name(device, part_name(path)), number


def part_name(path: tuple[str, ...]) -> str:
    """Return the name of a value with its unit."""
    *before, last = path
    if last == "tC":
        return joined(*map(word, before), "celsius")
    if last == "total" and before and before[-1].endswith("energy"):
        return joined(*map(word, path), "Wh")
    if last in {"V", "percent"}:
        return joined(*map(word, before), last)
    unit = next(
        (unit for end, unit in UNITS.items() if last == end or last.endswith(f"_{end}")), ""
    )
    return joined(*map(word, path), unit_word(unit))


def online(payload: bytes) -> Any:
    """Return whether a device is there, or the text that does not say it."""
    text = text_of(payload)
    return ONLINE.get(text, text)
