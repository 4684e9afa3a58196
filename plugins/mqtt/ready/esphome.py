"""ESPHome: a topic for each value, at `<device>/sensor/<name>/state` and the like.

Units are not there; Home Assistant's discovery, which such devices publish too, has them.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from ingestd.plugins._readings import Reading

from .kind import Ready, text_of
from .message import Message
from .tasmota import online

KINDS: Final = ("sensor", "binary_sensor", "switch", "number")


class EspHome(Ready):
    """Reads sensors, binary sensors, switches and numbers, and whether devices are there."""

    base = ""

    def filters(self) -> Iterable[str]:
        """Return which topics are wanted."""
        return ["+/status", *(f"+/{kind}/+/state" for kind in KINDS)]

    def readings(self, message: Message) -> Iterator[Reading]:
        """Yield the readings of a message."""
        levels = self.levels(message.topic)
        if levels[-1] == "status":
            device = "/".join(levels[:-1])
            yield message.time, self.name(device, "online"), online(message.payload)
        else:
            device, name = "/".join(levels[:-3]), levels[-2]
            yield message.time, self.name(device, name), self.measured(text_of(message.payload))
