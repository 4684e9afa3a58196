"""From a message to readings: what a topic and its payload say, and where.

Everything that depends on the topic alone is worked out once for each topic,
because messages come by the ten thousand in a second.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import tzinfo
from typing import Final

import orjson

from ingestd.plugins._documents import DocumentError, Format
from ingestd.plugins._shapes import Reading, is_quick
from ingestd.plugins._times import Bounds, Twice, settle_readings

from .ready import Message, Ready, ReadyRoutes, Subscription
from .route import Route

LONGEST_PLAIN: Final = 200  # bytes of a payload that is a value
PLAIN: Final = re.compile(rb"-?\d{1,15}(?:\.\d{1,15})?").fullmatch
TOPICS_CACHED: Final = 100_000
MOST_UNPACKED: Final = 16 * 1024 * 1024  # bytes of a payload that was compressed


class Routes:
    """All the entries of ``topics``; the first that fits a message is the one that counts."""

    def __init__(self, entries: Iterable[Route | Ready], *, zone: tzinfo | None) -> None:
        self.entries = tuple(entries)
        ready = [each for each in self.entries if isinstance(each, Ready)]
        for each in ready:
            each.in_zone(each.own_zone or zone)
        self.ready = ReadyRoutes(ready)
        self._zone = zone
        # A time may also say itself the zone in which its hour comes twice.
        self._dated = any(each.dated for each in self.entries)
        self._known: dict[str, Callable[[Message], list[Reading]]] = {}
        self._before: Sequence[Reading] = []  # the latest, if payloads have times

    def subscriptions(self) -> list[Subscription]:
        """Return what the broker is asked for; with ready routes it may change."""
        wanted = [each for entry in self.entries for each in entry.subscriptions]
        return list({each.filter: each for each in reversed(wanted)}.values())[::-1]

    def readings(self, messages: Iterable[Message]) -> Sequence[Reading]:
        """Return the readings of messages, the unusable ones too: the daemon counts those."""
        found: list[Reading] = []
        arrivals: list[tuple[int, float]] = []
        known, dated = self._known, self._dated
        for message in messages:
            if dated:
                arrivals.append((len(found), message.time))
            reader = known.get(message.topic)
            if reader is None:
                reader = self._reader(message.topic)
            found += reader(message)
        return self._settled(found, arrivals) if dated else found

    def _settled(
        self, found: list[Reading], arrivals: Sequence[tuple[int, float]]
    ) -> Sequence[Reading]:
        """Return readings with an instant for each local time that comes twice.

        Args:
            found: The readings.
            arrivals: The place of the first one of each message, and when that arrived.
        """
        if Twice not in {type(reading[0]) for reading in found}:
            self._before = found
            return found
        ends = [*(begin for begin, _ in arrivals[1:]), len(found)]
        bounds = [
            Bounds(now=time, live=True)
            for (begin, time), end in zip(arrivals, ends, strict=True)
            for _ in range(begin, end)
        ]
        self._before = settle_readings(found, before=self._before, bounds=bounds)
        return self._before

    def _reader(self, topic: str) -> Callable[[Message], list[Reading]]:
        """Return what reads the messages of a topic, and remember it."""
        if len(self._known) >= TOPICS_CACHED:
            self._known.clear()
        fitting = next((each for each in self.entries if each.matches(topic)), None)
        reader: Callable[[Message], list[Reading]]
        if fitting is None:  # a subscription that is about to end, or is not described any more
            return nothing
        if isinstance(fitting, Ready):
            reader = fitting.read
        elif fitting.form is not None:
            reader = self._document_reader(topic, fitting, fitting.form)
        else:
            reader = self._plain_reader(topic, fitting)
        self._known[topic] = reader
        return reader

    def _plain_reader(self, topic: str, fitting: Route) -> Callable[[Message], list[Reading]]:
        # Nothing but the time and the value depends on the message.
        reader = fitting.reader(topic)
        ((_, series, _, *tags),) = reader.readings([""])
        ((_, _, number),) = reader.values
        quick = is_quick(number)

        def read(message: Message) -> list[Reading]:
            payload = message.payload
            if quick and PLAIN(payload):  # nearly all are, and need no text
                return [(message.time, series, float(payload), *tags)]
            text = payload[:LONGEST_PLAIN].decode(errors="replace").strip()
            return [(message.time, series, number(text), *tags)]

        return read

    def _document_reader(
        self, topic: str, fitting: Route, form: Format
    ) -> Callable[[Message], list[Reading]]:
        # What the topic alone decides is done here, once; the rest for each message.
        zone = fitting.zone or self._zone
        reader = fitting.reader(topic).in_zone(zone)
        form = replace(form, zone=zone)
        readings, records_of, documents = reader.compiled(), reader.records_of, form.documents
        one = reader.compiled_for_one()
        quick = form.quick and reader.takes_documents

        def read(message: Message) -> list[Reading]:
            if quick and message.payload[:1] == b"{":
                try:  # nearly all are objects, and each is a record
                    return one(orjson.loads(message.payload), message.time)
                except orjson.JSONDecodeError:
                    pass
            found: list[Reading] = []
            try:
                for document in documents(message.payload, most_bytes=MOST_UNPACKED):
                    found += readings(records_of(document), message.time)
            except DocumentError as error:
                # Not the text itself: it might look like a number.
                text = f"no {error.expected}: {message.payload[:80]!r}"
                found.append((message.time, topic, text))
            except ValueError as error:  # no records where they were said to be
                found.append((message.time, topic, str(error)))
            return found

        return read


def nothing(_: Message) -> list[Reading]:
    """Read nothing."""
    return []
