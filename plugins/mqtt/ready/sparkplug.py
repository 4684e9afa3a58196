"""Sparkplug B: edge nodes and their devices, whose births tell what their data mean.

How it works
    A birth has all metrics of a node, or of a device, with their names, types and units; data
    mostly has only the numbers (aliases) that a birth has given to them. A node may give other
    numbers in its next birth, so a birth that was missed makes data mean something else. Births
    are believed only as long as nothing can have been missed: they are forgotten with each new
    connection, and when a number is missing in the sequence of a node's messages. Data without a
    birth is counted as unusable, and the node is asked for its birth, which has the latest
    values of everything.

    A node's death is believed if it is that of the last birth (bdSeq): the one of an old
    connection may come after the birth of the next.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, NamedTuple

from ingestd.plugins._readings import Reading

from .kind import Ready
from .message import Message, Outgoing
from .naming import joined, unit_word
from .payloads import TEXTS, number_of, payload_class, payload_of, properties_of, rebirth

KINDS: Final = ("NBIRTH", "NDEATH", "NDATA", "DBIRTH", "DDEATH", "DDATA")
SEQUENCE: Final = 256
ASK_AGAIN: Final = 10.0  # seconds until a node that does not answer is asked once more
# Metrics that are not measured.
CONTROL: Final = ("Node Control/", "Device Control/")
BD_SEQ: Final = "bdSeq"
# What mqtt-spb-wrapper puts before the names of metrics in births, and not in data.
DATA: Final = "DATA/"
COMPRESSED: Final = "SPBV1.0_COMPRESSED"


class Heard(NamedTuple):
    """A message of a node.

    Attributes:
        kind: One of ``KINDS``.
        called: The node or the device that it is about, with what is above it.
        device: The device, or an empty text for the node itself.
        payload: Decoded.
        arrived: When, in Unix seconds.
    """

    kind: str
    called: str
    device: str
    payload: Any
    arrived: float


class Metric(NamedTuple):
    """What a birth says of a metric.

    Attributes:
        name: As the node has it.
        datatype: The number of its type.
        unit: As series have it, or an empty text.
    """

    name: str
    datatype: int
    unit: str


@dataclass(slots=True)
class Born:
    """The metrics of a node or a device: by alias, and by name."""

    aliases: dict[int, Metric] = field(default_factory=dict)
    names: dict[str, Metric] = field(default_factory=dict)

    def find(self, metric: Any) -> Metric | None:
        """Return what is known of a metric, or None."""
        if metric.HasField("name"):
            return self.names.get(metric.name) or self.names.get(DATA + metric.name)
        return self.aliases.get(metric.alias)


@dataclass(slots=True)
class Node:
    """What is known of an edge node.

    Attributes:
        births: Its own, under an empty name, and those of its devices.
        known: Whether the latest message could be read by them.
        last: The number of its latest message, or None.
        bd_seq: The number of its birth, or None.
        asked: When it was asked for its birth, on the monotonic clock; None: not since.
    """

    births: dict[str, Born] = field(default_factory=dict)
    known: bool = True
    last: int | None = None
    bd_seq: int | None = None
    asked: float | None = None

    def note(self, kind: str, payload: Any) -> None:
        """Take note of a message that is no death; forget the births if one before is missing."""
        before, self.last = self.last, payload.seq if payload.HasField("seq") else None
        if kind == "NBIRTH":
            self.births.clear()
            self.bd_seq, self.asked = bd_seq_of(payload), None
        elif before is not None and self.last not in (None, before, (before + 1) % SEQUENCE):
            self.births.clear()
        self.known = kind == "NBIRTH" or "" in self.births


class Sparkplug(Ready):
    """Reads all nodes of some groups, or of all."""

    base = "spBv1.0"
    wild = False
    series = "{device}/{name}"
    options: ClassVar[tuple[str, ...]] = ("groups", "host")

    def look_at(self, options: Mapping[str, Any]) -> None:
        """Read which groups are wanted, and what the host is called.

        Raises:
            ValueError: Says which option is wrong.
        """
        payload_class()
        groups = options.get("groups") or ["+"]
        if not isinstance(groups, list) or not all(isinstance(each, str) for each in groups):
            raise ValueError(f"groups: expected a list of names, got {groups!r:.80}")
        host = options.get("host")
        if host is not None and (not isinstance(host, str) or set(host) & set("/+#") or not host):
            raise ValueError(f"host: expected a name without '/', '+' and '#', got {host!r:.80}")
        self.state_topic = (
            None if host is None else f"{options.get('base', self.base)}/STATE/{host}"
        )
        self._groups = groups
        self._nodes: dict[tuple[str, str], Node] = {}
        self._outgoing: list[Outgoing] = []

    def filters(self) -> Iterable[str]:
        """Return which topics are wanted; not what is said to nodes."""
        for group in self._groups:
            for kind in KINDS:
                yield f"{group}/{kind}/+" + ("/+" if kind[0] == "D" else "")

    def connected(self) -> None:
        """Forget the births: others may have been missed."""
        self._nodes.clear()
        self._outgoing.clear()

    def outgoing(self) -> list[Outgoing]:
        """Return the requests for births that wait."""
        found, self._outgoing = self._outgoing, []
        return found

    def read(self, message: Message) -> list[Reading]:
        """Return the readings of a message, the unusable ones too."""
        try:
            return super().read(message)
        except ValueError as error:
            return [(message.time, message.topic, str(error))]

    def readings(self, message: Message) -> Iterator[Reading]:
        """Yield the readings of a message.

        Raises:
            ValueError: It is no payload of Sparkplug.
        """
        group, kind, name, *devices = self.levels(message.topic)
        payload = payload_of(message.payload)
        node = self._nodes.setdefault((group, name), Node())
        called, device = "/".join((group, name, *devices)), "".join(devices)
        heard = Heard(kind, called, device, payload, message.time)
        if payload.uuid == COMPRESSED:
            yield message.time, called, "a compressed payload, which is not read"
        elif kind == "NDEATH":
            yield from self.died(node, heard)
        else:
            node.note(kind, payload)
            yield from self.lived(node, heard)
            if not node.known:
                self.ask(group, name, node)

    def died(self, node: Node, heard: Heard) -> Iterator[Reading]:
        """Yield that a node is gone, unless it has been born again since."""
        number = bd_seq_of(heard.payload)
        if number is None or node.bd_seq in (None, number):
            node.births.clear()
            yield heard.arrived, self.name(heard.called, "online"), 0

    def lived(self, node: Node, heard: Heard) -> Iterator[Reading]:
        """Yield what a birth, data, or the death of a device tell."""
        if heard.kind == "DDEATH":
            node.births.pop(heard.device, None)
            yield heard.arrived, self.name(heard.called, "online"), 0
            return
        if heard.kind.endswith("BIRTH"):
            node.births[heard.device] = born(heard.payload)
            yield heard.arrived, self.name(heard.called, "online"), 1
        yield from self.data(node, heard)

    def data(self, node: Node, heard: Heard) -> Iterator[Reading]:
        """Yield the readings of the metrics that a birth has told of."""
        birth = node.births.get(heard.device)
        if birth is None:
            node.known = False
            yield heard.arrived, heard.called, "data before a birth, which is asked for"
            return
        for metric in heard.payload.metrics:
            known = birth.find(metric)
            if known is None:
                node.known = False
                text = f"metric {metric.name or metric.alias!r} is in no birth, which is asked for"
                yield heard.arrived, heard.called, text
            elif not known.name.startswith(CONTROL) and known.name != BD_SEQ:
                yield from self.value(metric, known, heard)

    def value(self, metric: Any, known: Metric, heard: Heard) -> Iterator[Reading]:
        """Yield the reading of a metric, unless it is a text that is no number."""
        datatype = metric.datatype or known.datatype
        number = number_of(metric, datatype)
        if datatype in TEXTS:
            number = self.measured(number)
            if isinstance(number, str):
                return
        name = self.name(heard.called, joined(known.name, known.unit))
        yield time_of(metric, heard), name, number

    def ask(self, group: str, name: str, node: Node) -> None:
        """Ask a node for its birth, if it was not asked a moment ago."""
        now = time.monotonic()
        if node.asked is None or now - node.asked >= ASK_AGAIN:
            node.asked = now
            topic = self.below_base(f"{group}/NCMD/{name}")
            self._outgoing.append(Outgoing(topic, rebirth(time.time_ns() // 1_000_000)))


def born(payload: Any) -> Born:
    """Return what a birth says of its metrics."""
    found = Born()
    for metric in payload.metrics:
        about = dict(properties_of(metric))
        each = Metric(metric.name, metric.datatype, unit_word(about.get("engUnit")))
        found.names[metric.name] = each
        if metric.HasField("alias"):
            found.aliases[metric.alias] = each
    return found


def bd_seq_of(payload: Any) -> int | None:
    """Return the number of a birth or a death, or None."""
    found = (each for each in payload.metrics if each.name == BD_SEQ)
    return next((each.long_value or each.int_value for each in found), None)


def time_of(metric: Any, heard: Heard) -> float:
    """Return the time of a metric, or that of its payload, or that of its arrival."""
    for told in (metric, heard.payload):
        if told.HasField("timestamp"):
            return float(told.timestamp / 1000)
    return heard.arrived
