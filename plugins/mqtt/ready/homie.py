"""Homie: devices that describe themselves, by attributes (versions 3 and 4) or a document (5).

Attributes come one by one and in any order. A device is asked for its values once none has come
for a moment, so that they have their units from the beginning.
"""

import time
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from ingestd.plugins._readings import Reading

from .described import Described
from .kind import object_in, text_of
from .message import Message
from .naming import joined, unit_word

QUIET: Final = 1.0  # seconds without a new attribute
DOCUMENT: Final = "$description"
STATE: Final = "$state"
# Datatypes that are numbers, or may be words for one.
NUMBERS: Final = {"integer", "float", "percent"}
WORDS: Final = {"boolean", "enum", "string"}


class Property(NamedTuple):
    """What is known of a property.

    Attributes:
        datatype: As Homie names it.
        unit: As series have it, or an empty text.
    """

    datatype: str
    unit: str


class Homie(Described):
    """Reads the properties of devices."""

    base = "homie"
    wild = False

    def look_at(self, options: Any) -> None:
        """Begin without having heard any device."""
        del options
        self._known: dict[str, dict[str, Property]] = {}  # device -> node/property
        self._moved: dict[str, float] = {}  # device -> when it was last described

    def filters(self) -> Iterable[str]:
        """Return which topics describe."""
        attributes = ("+/+/+/$datatype", "+/+/+/$unit")
        return [f"+/{STATE}", *attributes, f"5/+/{STATE}", f"5/+/{DOCUMENT}"]

    def named(self) -> list[str]:
        """Return the filters of devices that are described and quiet."""
        self.refresh()
        now = time.monotonic()
        return [
            self.below_base(f"{device}/+/+")
            for device in self._known
            if device not in self._moved or now - self._moved[device] >= QUIET
        ]

    def matches(self, topic: str) -> bool:
        """Say whether a topic is below the base."""
        return topic.startswith(self.below_base(""))

    def noted(self, topic: str) -> None:
        """Take note of when a device that is described by attributes was so."""
        if not topic.endswith(DOCUMENT):
            self._moved[self.split(topic)[0]] = time.monotonic()

    def readings(self, message: Message) -> Iterator[Reading]:
        """Yield the readings of a message."""
        if message.topic.endswith(f"/{STATE}"):
            device, _ = self.split(message.topic)
            here = text_of(message.payload) == "ready"
            yield message.time, self.name(short(device), "online"), here
        else:
            yield from super().readings(message)

    def description(self, message: Message) -> Any:
        """Return what is to be kept of a description."""
        if not message.payload:
            return None
        if not message.topic.endswith(DOCUMENT):
            return text_of(message.payload)
        return {
            f"{node}/{name}": [str(each.get("datatype")), each.get("unit")]
            for node, nodes in members(object_in(message.payload), "nodes")
            for name, each in members(nodes, "properties")
        }

    def learn(self) -> None:
        """Read all descriptions that are kept."""
        known: dict[str, dict[str, Property]] = {}
        units = {topic: text for topic, text in self.kept.items() if topic.endswith("/$unit")}
        for topic, kept in self.kept.items():
            device, path = self.split(topic)
            if path == DOCUMENT:
                found = {
                    name: Property(kind, unit_word(unit)) for name, (kind, unit) in kept.items()
                }
                known[device] = found
            elif path.endswith("/$datatype"):
                unit = units.get(topic.removesuffix("$datatype") + "$unit", "")
                name = path.removesuffix("/$datatype")
                known.setdefault(device, {})[name] = Property(kept, unit_word(unit))
        self._known = known

    def values(self, message: Message) -> Iterator[Reading]:
        """Yield the reading of a property."""
        device, path = self.split(message.topic)
        known = self._known.get(device, {}).get(path)
        if known is None or known.datatype not in NUMBERS | WORDS:
            return
        number = self.measured(text_of(message.payload))
        if known.datatype in NUMBERS or not isinstance(number, str):
            name = joined(*path.split("/"), known.unit)
            yield message.time, self.name(short(device), name), number

    def split(self, topic: str) -> tuple[str, str]:
        """Return the device of a topic, with the 5 before it if there is one, and the rest."""
        levels = topic.removeprefix(self.below_base("")).split("/")
        at = 2 if levels[0] == "5" else 1
        return "/".join(levels[:at]), "/".join(levels[at:])


def short(device: str) -> str:
    """Return a device without the version before it."""
    return device.removeprefix("5/")


def members(held: Any, name: str) -> Iterable[tuple[str, Any]]:
    """Return the objects that an object holds under a name."""
    inside = held.get(name) if isinstance(held, dict) else None
    found = inside.items() if isinstance(inside, dict) else ()
    return [(key, each) for key, each in found if isinstance(each, dict)]
