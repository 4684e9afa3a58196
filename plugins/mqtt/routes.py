"""From a message to readings: what a topic and its payload say, and where.

Everything that depends on the topic alone is worked out once for each topic,
because messages come by the ten thousand in a second.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, Final, NamedTuple

from ingestd.plugins._fields import Path, compile_path, optional_path, parse_time
from ingestd.plugins._jsontext import read_json
from ingestd.plugins._values import OPTIONS as VALUE_OPTIONS
from ingestd.plugins._values import ValueReader, described_values, value_reader

Reading = tuple[Any, ...]

FIELD: Final = re.compile(r"\{([^{}]*)\}")
LEVEL: Final = re.compile(r"\{([A-Za-z_]\w*)\}")
OPTIONS: Final = frozenset(
    {"filter", "qos", "series", "value", "values", "time", "time_format", "tags", *VALUE_OPTIONS}
)
LONGEST_PLAIN: Final = 200  # bytes of a payload that is a value
TOPICS_CACHED: Final = 100_000


class Message(NamedTuple):
    """What arrived.

    Attributes:
        topic: Where it was published.
        payload: What was published.
        time: When it arrived, in Unix seconds.
        mid: The broker's number for it; 0 if it needs no ack.
        qos: How it was delivered: 0 or 1.
    """

    topic: str
    payload: bytes
    time: float
    mid: int
    qos: int


class Template:
    """A text with ``{…}`` in it: a level of the topic, or a path in the payload.

    ``{1}`` is the first level, ``{room}`` the one that the filter names so,
    ``{topic}`` all of them; anything else is looked up in the payload.
    """

    def __init__(self, text: Any, *, names: Mapping[str, int], where: str) -> None:
        if not isinstance(text, str) or not text:
            raise ValueError(f"{where}: expected a text such as '{{1}}_{{3}}', got {text!r}")
        parts = FIELD.split(text)
        self._texts, fields = parts[::2], parts[1::2]
        self._levels = [level_of(field, names) for field in fields]
        self._paths = [
            compile_path(field, where=where) if level is None else None
            for field, level in zip(fields, self._levels, strict=True)
        ]
        self.from_payload = any(level is None for level in self._levels)

    def fill(self, topic: str, document: Any) -> str:
        """Return the text, or an empty one if a part is missing: half a name is another name."""
        levels = [topic, *topic.split("/")]
        words = []
        for level, path in zip(self._levels, self._paths, strict=True):
            if level is not None:
                found: Any = levels[level] if level < len(levels) else None
            else:
                found = path(document) if path else None
            if found is None or isinstance(found, dict | list):
                return ""
            words.append(str(found))
        return "".join(text + word for text, word in zip(self._texts, [*words, ""], strict=True))


def level_of(field: str, names: Mapping[str, int]) -> int | None:
    """Return the number of the level a field names, 0 for the whole topic, None for a path."""
    if field.isdigit() and field != "0":
        return int(field)
    return 0 if field == "topic" else names.get(field)


@dataclass(frozen=True, slots=True)
class Route:
    """What one entry of ``topics`` says.

    Attributes:
        filter: What the broker is asked for.
        levels: The filter's levels, without the shared group.
        qos: The quality asked for.
        values: Series; the path to the value, unless the payload is the value itself; and
            what the value means.
        tags: Name and text.
        time: The path to the time; None means when the message arrived.
        time_format: See ``parse_time``.
    """

    filter: str
    levels: tuple[str, ...]
    qos: int
    values: tuple[tuple[Template, Path | None, ValueReader], ...]
    tags: tuple[tuple[str, Template], ...]
    time: Path | None
    time_format: str | None

    def matches(self, topic: str) -> bool:
        """Say whether the broker would deliver a topic for this filter."""
        levels = topic.split("/")
        if topic.startswith("$") and self.levels[0] in {"+", "#"}:
            return False
        for at, wanted in enumerate(self.levels):
            if wanted == "#":
                return True
            if at >= len(levels) or wanted not in ("+", levels[at]):
                return False
        return len(levels) == len(self.levels)

    @property
    def needs_document(self) -> bool:
        """Whether anything is looked up in the payload."""
        templates = [*(t for t, *_ in self.values), *(t for _, t in self.tags)]
        paths = [self.time, *(path for _, path, _ in self.values)]
        return any(paths) or any(template.from_payload for template in templates)


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
    if unknown := sorted(map(str, set(own) - OPTIONS)):
        raise ValueError(f"topics: expected only {', '.join(sorted(OPTIONS))}, got {unknown[0]!r}")
    if {"value", "values"} & set(own):
        defaults = {n: v for n, v in defaults.items() if n not in {"value", "values"}}
    options = {**defaults, **own}
    wanted = own["filter"]
    prefix, levels = split_filter(wanted)
    names = {
        match[1]: at for at, level in enumerate(levels, 1) if (match := LEVEL.fullmatch(level))
    }
    plain = tuple("+" if LEVEL.fullmatch(level) else level for level in levels)
    check_levels(plain, wanted)
    if options.get("qos") not in (0, 1):
        raise ValueError(f"qos: expected 0 or 1, got {options.get('qos')!r}")
    return Route(
        filter=prefix + "/".join(plain),
        levels=plain,
        qos=options["qos"],
        values=tuple(values_of(options, names)),
        tags=tuple(
            (name, Template(text, names=names, where=f"tags.{name}"))
            for name, text in (options.get("tags") or {}).items()
        ),
        time=optional_path(options.get("time"), where="time"),
        time_format=options.get("time_format"),
    )


def values_of(
    options: Mapping[str, Any], names: Mapping[str, int]
) -> Iterator[tuple[Template, Path | None, ValueReader]]:
    """Yield the template of each series, the path to its value, and what the value means.

    Raises:
        ValueError: The options contradict each other.
    """
    value, values = options.get("value"), options.get("values")
    if value is not None and values is not None:
        raise ValueError("value, values: expected one of them, got both")
    if values is None:
        series = Template(options.get("series") or "{topic}", names=names, where="series")
        yield series, optional_path(value, where="value"), value_reader(options)
        return
    for each in described_values(values, options):
        template = Template(each.series, names=names, where="values")
        yield template, compile_path(each.path, where=f"value of {each.series!r}"), each.reader


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

    def __init__(self, entries: Iterable[Route], *, zone: tzinfo | None) -> None:
        self.entries = tuple(entries)
        self._zone = zone
        self._known: dict[str, Callable[[Message], list[Reading]]] = {}

    def readings(self, messages: Iterable[Message]) -> list[Reading]:
        """Return the readings of messages, the unusable ones too: the daemon counts those."""
        found: list[Reading] = []
        known = self._known
        for message in messages:
            reader = known.get(message.topic)
            if reader is None:
                reader = self._reader(message.topic)
            found += reader(message)
        return found

    def _reader(self, topic: str) -> Callable[[Message], list[Reading]]:
        """Return what reads the messages of a topic, and remember it."""
        if len(self._known) >= TOPICS_CACHED:
            self._known.clear()
        fitting = next((each for each in self.entries if each.matches(topic)), None)
        reader: Callable[[Message], list[Reading]]
        if fitting is None:  # a subscription that is about to end
            reader = nothing
        elif fitting.needs_document:
            reader = self._json_reader(topic, fitting)
        else:
            reader = self._plain_reader(topic, fitting)
        self._known[topic] = reader
        return reader

    def _plain_reader(self, topic: str, fitting: Route) -> Callable[[Message], list[Reading]]:
        ((template, _, meaning),) = fitting.values
        series = template.fill(topic, None)
        rest = tags_for(topic, None, fitting)

        def read(message: Message) -> list[Reading]:
            text = message.payload[:LONGEST_PLAIN].decode(errors="replace").strip()
            return [(message.time, series, meaning.number(text), *rest)]

        return read

    def _json_reader(self, topic: str, fitting: Route) -> Callable[[Message], list[Reading]]:
        # What the topic alone decides is done here, once; the rest for each message.
        values = [
            (None if each.from_payload else each.fill(topic, None), each, path, meaning)
            for each, path, meaning in fitting.values
        ]
        vary = any(template.from_payload for _, template in fitting.tags)
        fixed = tags_for(topic, None, fitting)

        def read(message: Message) -> list[Reading]:
            try:
                document = read_json(message.payload)
            except ValueError:
                # Not the text itself: it might look like a number.
                return [(message.time, topic, f"no JSON: {message.payload[:80]!r}")]
            time: Any = message.time
            if fitting.time is not None:
                time = parse_time(
                    fitting.time(document), time_format=fitting.time_format, zone=self._zone
                )
            rest = tags_for(topic, document, fitting) if vary else fixed
            return [
                (
                    time,
                    template.fill(topic, document) if series is None else series,
                    meaning.number(document if path is None else path(document)),
                    *rest,
                )
                for series, template, path, meaning in values
            ]

        return read


def nothing(_: Message) -> list[Reading]:
    """Read nothing."""
    return []


def tags_for(topic: str, document: Any, fitting: Route) -> tuple[dict[str, str], ...]:
    """Return the tags as the last part of a reading: none at all if there are none."""
    tags = {name: text for name, each in fitting.tags if (text := each.fill(topic, document))}
    return (tags,) if tags else ()
