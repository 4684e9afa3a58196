"""Home Assistant's discovery: devices that say where they publish what, and in which unit."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ingestd.plugins._readings import Reading

from .described import Described
from .discovery import entities
from .kind import object_in
from .message import Message
from .naming import joined, unit_word
from .templates import Payload, Value, template

# What such an entity says where it has no value.
NOTHING: Final = {"", "none", "unknown", "unavailable"}
SHOWN: Final = 10  # templates in one line of the log


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """An entity, ready to be read.

    Attributes:
        series: Its name.
        tags: Its class, if it has one.
        value: Finds its value in a payload.
        words: What stands for 1 and for 0 there, if it has no number.
        measured: Whether it says that it is a number.
    """

    series: str
    tags: Mapping[str, str]
    value: Value
    words: Mapping[str, int]
    measured: bool


class HomeAssistant(Described):
    """Reads sensors, binary sensors, numbers and switches.

    Attributes:
        puzzles: Entities with templates that are not understood, by name.
    """

    base = "homeassistant"
    wild = False

    def look_at(self, options: Any) -> None:
        """Begin without having heard of any entity."""
        del options
        self._entities: dict[str, list[Entity]] = {}
        self.puzzles: dict[str, str] = {}
        self._told: set[str] = set()

    def filters(self) -> Iterable[str]:
        """Return which topics describe."""
        return ["+/+/config", "+/+/+/config"]

    def named(self) -> list[str]:
        """Return the topics of the states of all entities."""
        self.refresh()
        return list(self._entities)

    def matches(self, topic: str) -> bool:
        """Say whether a topic describes, or is that of a state."""
        self.refresh()
        return topic in self._entities or self.describes(topic)

    def description(self, message: Message) -> Any:
        """Return what is to be kept of a config."""
        if not message.payload:
            return None
        component, *name = self.levels(message.topic)[:-1]
        found = entities(component, object_in(message.payload), joined(*name))
        return list(found) or None

    def learn(self) -> None:
        """Make entities of all configs, each with a name of its own."""
        told = [each for kept in self.kept.values() for each in kept]
        found: dict[str, list[Entity]] = defaultdict(list)
        wanted = Counter(map(self.series_of, told))
        self.puzzles = {}
        for each in told:
            series = self.series_of(each)
            if wanted[series] > 1:  # none of them has it, so that no name changes places
                series = self.series_of({**each, "name": each["key"]})
            try:
                found[each["topic"]].append(entity_of(each, series))
            except ValueError:
                self.puzzles[series] = str(each.get("template"))
        self._entities = dict(found)

    def series_of(self, told: Mapping[str, Any]) -> str:
        """Return the name of the series of an entity."""
        device, name = told.get("device") or told["key"], told["name"]
        return self.name(device, joined(name, unit_word(told.get("unit"))))

    def values(self, message: Message) -> Iterator[Reading]:
        """Yield the readings of a state."""
        payload = Payload(message.payload)
        for entity in self._entities.get(message.topic, ()):
            number = self.state(entity, entity.value(payload))
            if not isinstance(number, str) or entity.measured:
                rest = (dict(entity.tags),) if entity.tags else ()
                yield (message.time, entity.series, number, *rest)

    def state(self, entity: Entity, value: Any) -> Any:
        """Return the state of an entity as a number, None, or a text that is no number."""
        if isinstance(value, str) and value.lower() in NOTHING:
            return None
        if entity.words:
            return None if value is None else entity.words.get(str(value), str(value))
        return self.measured(value)

    def warnings(self) -> list[dict[str, Any]]:
        """Return what a person should know, once."""
        new = {name: text for name, text in self.puzzles.items() if name not in self._told}
        if not new:
            return []
        self._told |= set(new)
        shown = [f"{name}: {text}" for name, text in list(new.items())[:SHOWN]]
        event = "some value templates are not understood; these entities are not read"
        return [{"event": event, "count": len(new), "templates": shown}]


def entity_of(told: Mapping[str, Any], series: str) -> Entity:
    """Make an entity.

    Raises:
        ValueError: Its template is not understood.
    """
    tags = {"device_class": str(told["class"])} if told.get("class") else {}
    words = {str(told["on"]): 1, str(told["off"]): 0} if "on" in told else {}
    return Entity(
        series=series,
        tags=tags,
        value=template(told.get("template")),
        words=words,
        measured="unit" in told,
    )
