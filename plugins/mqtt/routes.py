"""From a message to readings: what a topic and its payload say, and where.

Everything that depends on the topic alone is worked out once for each topic,
because messages come by the ten thousand in a second.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Any, Final

import orjson

from ingestd.plugins._documents import OPTIONS as DOCUMENT_OPTIONS
from ingestd.plugins._documents import DocumentError, Format, format_of
from ingestd.plugins._problems import Gathering
from ingestd.plugins._shapes import (
    NOT_FIXED,
    WHOLE,
    Description,
    Fixed,
    Reader,
    Reading,
    description_of,
    is_quick,
)
from ingestd.plugins._shapes import OPTIONS as DESCRIBED
from ingestd.plugins._times import Bounds, Twice, settle_readings

from .ready import Message, Ready, ReadyRoutes, Subscription, fits

LEVEL: Final = re.compile(r"\{([A-Za-z_]\w*)\}")
OPTIONS: Final = frozenset({"filter", "qos", *DESCRIBED, *DOCUMENT_OPTIONS})
# What is only said of payloads that are more than a value.
LOOKS_INTO: Final = (
    *("value", "values", "time", "time_plus", "time_step", "records", "layout", "fields"),
    *("format", "csv", "charset", "member"),
)
LONGEST_PLAIN: Final = 200  # bytes of a payload that is a value
PLAIN: Final = re.compile(rb"-?\d{1,15}(?:\.\d{1,15})?").fullmatch
TOPICS_CACHED: Final = 100_000
MOST_UNPACKED: Final = 16 * 1024 * 1024  # bytes of a payload that was compressed


@dataclass(frozen=True, slots=True)
class Route:
    """What one entry of ``topics`` says.

    Attributes:
        filter: What the broker is asked for.
        levels: The filter's levels, without the shared group.
        qos: The quality asked for.
        description: Where the readings are in a payload.
        form: What a payload is written in; None: it is a value itself.
        names: The names that the filter gives to levels, with their numbers.
    """

    filter: str
    levels: tuple[str, ...]
    qos: int
    description: Description
    form: Format | None
    names: Mapping[str, int]

    @property
    def dated(self) -> bool:
        """Whether payloads have the time of their readings."""
        return self.description.time is not None

    def matches(self, topic: str) -> bool:
        """Say whether the broker would deliver a topic for this filter."""
        return fits(self.levels, topic)

    @property
    def subscriptions(self) -> list[Subscription]:
        """What the broker is asked for."""
        return [Subscription(self.filter, self.qos)]

    def reader(self, topic: str) -> Reader:
        """Return what reads the payloads of a topic."""
        return self.description.reader(levels_of(topic, self.names))


def levels_of(topic: str, names: Mapping[str, int]) -> Fixed:
    """Return what tells the levels of a topic.

    ``1`` is the first level, ``room`` the one that the filter names so, ``topic`` all of them.
    """
    levels = [topic, *topic.split("/")]

    def level(field: str) -> Any:
        at = int(field) if field.isdigit() and field != "0" else names.get(field)
        at = 0 if field == "topic" else at
        if at is None:
            return NOT_FIXED
        return levels[at] if at < len(levels) else None

    return level


def route(entry: Any, defaults: Mapping[str, Any]) -> Route:
    """Read one entry of ``topics``.

    Args:
        entry: A filter, or a dict with a ``filter`` and options of its own.
        defaults: The collector's options, for those it does not have.

    Raises:
        ValueError: Says what is wrong.
    """
    own = {"filter": entry} if isinstance(entry, str) else entry
    if not isinstance(own, Mapping) or not isinstance(own.get("filter"), str):
        message = f"topics: expected a filter such as 'home/+/power', got {entry!r}"
        raise ValueError(message)  # noqa: TRY004 -- a wrong option, not a wrong call
    with Gathering() as wrong:
        wrong.problems += [
            f"topics: expected only {', '.join(sorted(OPTIONS))}, got {name!r}"
            for name in sorted(map(str, set(own) - OPTIONS))
        ]
        return wrong.read(lambda: described(own, defaults))


def described(own: Mapping[str, Any], defaults: Mapping[str, Any]) -> Route:
    """Read the options of an entry of ``topics``; those that are unknown are not looked at.

    Raises:
        ValueError: Says what is wrong.
    """
    if {"value", "values"} & set(own):
        defaults = {n: v for n, v in defaults.items() if n not in {"value", "values"}}
    options = {**defaults, **own}
    wanted = own["filter"]
    prefix, levels = split_filter(wanted)
    names = {
        match[1]: at for at, level in enumerate(levels, 1) if (match := LEVEL.fullmatch(level))
    }
    plain = tuple("+" if LEVEL.fullmatch(level) else level for level in levels)
    fixed = levels_of("/".join(levels), names)
    shape = {name: each for name, each in options.items() if name in DESCRIBED}
    with Gathering() as wrong:
        wrong.read(lambda: check_levels(plain, wanted))
        if options.get("qos") not in (0, 1):
            wrong.problems.append(f"qos: expected 0 or 1, got {options.get('qos')!r}")
        description = wrong.read(
            lambda: description_of(with_defaults(shape), zone=None, whole=True, fixed=fixed)
        )
        form = wrong.read(lambda: form_of(options))
        return Route(
            filter=prefix + "/".join(plain),
            levels=plain,
            qos=options["qos"],
            description=description,
            form=form if looks_into(options, description.reader(fixed)) else None,
            names=names,
        )


def with_defaults(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the options of a shape, where a payload is a value, and a topic a series.

    Raises:
        ValueError: They contradict each other.
    """
    value, values = options.get("value"), options.get("values")
    if value is not None and values is not None:
        raise ValueError("value, values: expected one of them, got both")
    if values is not None:
        return {**options, "series": None}
    series = options.get("series") or "{topic}"
    return {**options, "value": WHOLE if value is None else value, "series": series}


def looks_into(options: Mapping[str, Any], reader: Reader) -> bool:
    """Say whether anything is looked up in a payload."""
    given = any(options.get(name) is not None for name in LOOKS_INTO)
    texts = [*(series for series, *_ in reader.values), *(text for _, text in reader.tags)]
    return given or not all(isinstance(each, str) for each in texts)


def form_of(options: Mapping[str, Any]) -> Format:
    """Return what payloads are written in.

    Raises:
        ValueError: Says what is wrong.
    """
    given = {name: options[name] for name in DOCUMENT_OPTIONS if options.get(name) is not None}
    return format_of(**given, zone=None)


def split_filter(wanted: str) -> tuple[str, list[str]]:
    """Return the part that shares a subscription, and the levels of the filter itself."""
    levels = wanted.split("/")
    if levels[0] != "$share":
        return "", levels
    if len(levels) < 3 or not levels[1]:
        raise ValueError(f"topics: expected '$share/<group>/<filter>', got {wanted!r}")
    return f"$share/{levels[1]}/", levels[2:]


def check_levels(levels: Sequence[str], wanted: str) -> None:
    """Check a filter as the broker would, which only drops the connection.

    Raises:
        ValueError: It is no filter.
    """
    wrong = [level for level in levels if level not in {"+", "#"} and set(level) & set("+#{}")]
    if wrong or "#" in levels[:-1] or levels == ("",):
        raise ValueError(
            "topics: expected whole levels of '+' or '{name}', and '#' only at the end, "
            f"got {wanted!r}"
        )


class Routes:
    """All the entries of ``topics``; the first that fits a message is the one that counts."""

    def __init__(self, entries: Iterable[Route | Ready], *, zone: tzinfo | None) -> None:
        self.entries = tuple(entries)
        ready = [each for each in self.entries if isinstance(each, Ready)]
        for each in ready:
            each.in_zone(zone)
        self.ready = ReadyRoutes(ready)
        self._zone = zone
        self._known: dict[str, Callable[[Message], list[Reading]]] = {}
        self._before: Sequence[Reading] = []  # the latest, if there is a zone

    def subscriptions(self) -> list[Subscription]:
        """Return what the broker is asked for; with ready routes it may change."""
        wanted = [each for entry in self.entries for each in entry.subscriptions]
        return list({each.filter: each for each in reversed(wanted)}.values())[::-1]

    def readings(self, messages: Iterable[Message]) -> Sequence[Reading]:
        """Return the readings of messages, the unusable ones too: the daemon counts those."""
        found: list[Reading] = []
        arrivals: list[tuple[int, float]] = []
        known, local = self._known, self._zone is not None
        for message in messages:
            if local:
                arrivals.append((len(found), message.time))
            reader = known.get(message.topic)
            if reader is None:
                reader = self._reader(message.topic)
            found += reader(message)
        return self._settled(found, arrivals) if local else found

    def _settled(
        self, found: list[Reading], arrivals: Sequence[tuple[int, float]]
    ) -> Sequence[Reading]:
        """Return readings with an instant for each local time that comes twice.

        Args:
            found: The readings.
            arrivals: The place of the first one of each message, and when that arrived.
        """
        if not any(type(reading[0]) is Twice for reading in found):
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
        reader = fitting.reader(topic).in_zone(self._zone)
        form = replace(form, zone=self._zone)
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
