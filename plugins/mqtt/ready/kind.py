"""What all ready routes have in common: they read what one kind of device publishes."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import tzinfo
from typing import Any, ClassVar, Final

from ingestd.plugins._documents import DocumentError
from ingestd.plugins._jsontext import read_json
from ingestd.plugins._params import zone_of
from ingestd.plugins._problems import Gathering
from ingestd.plugins._readings import Reading
from ingestd.plugins._times import notation
from ingestd.plugins._values import OPTIONS as VALUE_OPTIONS
from ingestd.plugins._values import value_reader

from .message import Message, Outgoing, Subscription, fits

COMMON: Final = ("type", "base", "qos", "series", "timezone", *VALUE_OPTIONS)
FIELD: Final = re.compile(r"\{(\w*)\}")
FIELDS: Final = {"device", "name"}
LONGEST_PLAIN: Final = 200  # bytes of a payload that is a value


class Ready:
    """A ready route.

    Args:
        options: What the operator wrote in an entry of ``topics``, and what holds around it.

    Raises:
        ValueError: Says which option is wrong.

    Attributes:
        subscriptions: What the broker is asked for; it may change.
        own_zone: Of times without one, if it is another than that of the collector.
    """

    base: ClassVar[str]  # the topic below which such devices publish
    wild: ClassVar[bool] = True  # whether a level of the base may be `+`
    series: ClassVar[str] = "{device}_{name}"
    options: ClassVar[tuple[str, ...]] = ()  # what it may be told besides
    dated: ClassVar[bool] = False  # whether payloads have the time of their readings
    state_topic: str | None = None  # the topic at which a Sparkplug host says that it is there

    def __init__(self, options: Mapping[str, Any]) -> None:
        with Gathering() as wrong:
            self.qos = wrong.read(lambda: qos_of(options.get("qos", 1)))
            self.base_topic = wrong.read(
                lambda: base_of(options.get("base", self.base), wild=self.wild)
            )
            self._series = wrong.read(lambda: series_of(options.get("series", self.series)))
            values = {name: options.get(name) for name in VALUE_OPTIONS}
            number = wrong.read(lambda: value_reader(values).number)
            self.own_zone = wrong.read(lambda: zone_of(options.get("timezone")))
            wrong.read(lambda: self.look_at(options))
        self.number = number
        self._notation = notation(None)
        self._levels = [each.filter.split("/") for each in self.subscriptions]

    def look_at(self, options: Mapping[str, Any]) -> None:
        """Read options of its own.

        Raises:
            ValueError: Says which is wrong.
        """

    def in_zone(self, zone: tzinfo | None) -> None:
        """Read times that carry no zone in this one.

        Raises:
            ValueError: Its devices need one, and there is none.
        """
        self._notation = notation(None, zone)

    @property
    def subscriptions(self) -> list[Subscription]:
        """What the broker is asked for."""
        return [Subscription(self.below_base(each), self.qos) for each in self.filters()]

    def filters(self) -> Iterable[str]:
        """Return which topics below the base are wanted."""
        return ["#"]

    def below_base(self, rest: str) -> str:
        """Return a topic, or a filter, below the base."""
        return f"{self.base_topic}/{rest}" if self.base_topic else rest

    def matches(self, topic: str) -> bool:
        """Say whether a topic is of such a device."""
        return any(fits(levels, topic) for levels in self._levels)

    def describes(self, _topic: str) -> bool:
        """Say whether what is retained of a topic is wanted, because it describes others."""
        return False

    def connected(self) -> None:
        """Take note of a new connection, before which messages may have been missed."""

    def outgoing(self) -> list[Outgoing]:
        """Return what is to be published, once."""
        return []

    def read(self, message: Message) -> list[Reading]:
        """Return the readings of a message, the unusable ones too: the daemon counts those."""
        try:
            return list(self.readings(message))
        except DocumentError as error:
            text = f"no {error.expected}: {message.payload[:80]!r}"
            return [(message.time, message.topic, text)]

    def readings(self, message: Message) -> Iterator[Reading]:
        """Yield the readings of a message.

        Raises:
            DocumentError: Its payload is not written as it should be.
        """
        raise NotImplementedError

    def levels(self, topic: str) -> list[str]:
        """Return the levels of a topic that the base leaves open."""
        levels = topic.split("/")
        base = self.base_topic.split("/") if self.base_topic else []
        open_levels = [found for wanted, found in zip(base, levels, strict=False) if wanted == "+"]
        return open_levels + levels[len(base) :]

    def name(self, device: str, name: str) -> str:
        """Return the name of a series."""
        return self._series.replace("{device}", device).replace("{name}", name)

    def moment(self, told: Any, message: Message) -> Any:
        """Return the time that a payload tells, or else that of its arrival."""
        return message.time if told is None else self._notation.read(told)

    def measured(self, value: Any) -> Any:
        """Return a value as a number, or None; a text that is no number stays one."""
        return self.number(value)


def qos_of(qos: Any) -> int:
    """Return the quality asked for.

    Raises:
        ValueError: It is none.
    """
    if qos not in (0, 1):
        raise ValueError(f"qos: expected 0 or 1, got {qos!r}")
    return int(qos)


def base_of(base: Any, *, wild: bool) -> str:
    """Return the topic below which devices publish.

    Args:
        base: What the operator wrote.
        wild: Whether a level may be `+`.

    Raises:
        ValueError: It is none.
    """
    if not isinstance(base, str) or base.startswith("$"):
        raise ValueError(f"base: expected a topic such as 'home/attic', got {base!r:.80}")
    levels = base.strip("/").split("/")
    if any((each != "+" or not wild) and set(each) & set("+#{}") for each in levels):
        plus = "whole levels of '+' and no '#'" if wild else "a topic without '+' and '#'"
        raise ValueError(f"base: expected {plus}, got {base!r:.80}")
    return "/".join(levels)


def series_of(series: Any) -> str:
    """Return the template of the names of series.

    Raises:
        ValueError: It is none, or would give all values of a device one name.
    """
    fields = set(FIELD.findall(series)) if isinstance(series, str) else set()
    if "name" not in fields or not fields <= FIELDS:
        raise ValueError(
            f"series: expected a template of {{device}} and {{name}}, such as "
            f"'attic_{{device}}_{{name}}', got {series!r:.80}"
        )
    return str(series)


def text_of(payload: bytes) -> str:
    """Return a payload that is a value itself as text."""
    return payload[:LONGEST_PLAIN].decode(errors="replace").strip()


def object_in(payload: bytes) -> dict[str, Any]:
    """Return the JSON object in a payload.

    Raises:
        DocumentError: There is none.
    """
    try:
        found = read_json(payload)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise DocumentError("JSON object", why="")
    return found
