"""What an entry of ``topics`` says: which topics it fits, and what their payloads hold."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, Final

from ingestd.plugins._documents import OPTIONS as DOCUMENT_OPTIONS
from ingestd.plugins._documents import Format, format_of
from ingestd.plugins._params import zone_of
from ingestd.plugins._problems import Gathering
from ingestd.plugins._shapes import NOT_FIXED, WHOLE, Description, Fixed, Reader, description_of
from ingestd.plugins._shapes import OPTIONS as DESCRIBED

from .ready import Subscription, fits

LEVEL: Final = re.compile(r"\{([A-Za-z_]\w*)\}")
OPTIONS: Final = frozenset({"filter", "qos", "timezone", *DESCRIBED, *DOCUMENT_OPTIONS})
# What is only said of payloads that are more than a value.
LOOKS_INTO: Final = (
    *("value", "values", "time", "time_plus", "time_step", "records", "layout", "fields"),
    *("format", "csv", "charset", "member"),
)


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
        zone: Of times without one, if it is another than that of the collector.
    """

    filter: str
    levels: tuple[str, ...]
    qos: int
    description: Description
    form: Format | None
    names: Mapping[str, int]
    zone: tzinfo | None = None

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
            zone=wrong.read(lambda: zone_of(own.get("timezone"))),
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
