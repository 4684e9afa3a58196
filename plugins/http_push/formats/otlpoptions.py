"""The option ``otlp``: which attributes become tags, and what they are called."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from typing import Any, Final

from ingestd.plugins._limits import is_tag
from ingestd.plugins._problems import Gathering

NAMES: Final = ("as_sent", "underscores")
OPTIONS: Final = ("resource", "scope", "names", "unit_tag", "buckets")
# A newer SDK means no other series.
NOT_IDENTITY: Final = "telemetry.sdk."

# Returns the name of an attribute's tag, or nothing if it becomes none.
Choice = Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What becomes of what surrounds values.

    Attributes:
        resource: Which attributes of the resource become tags.
        scope: Which of the scope do; its own name and version are ``otel.scope.name`` and
            ``otel.scope.version``.
        underscores: Whether dots and the like in names become underscores.
        unit_tag: The tag that has the unit, or nothing.
        buckets: Whether histograms have series for their buckets.
    """

    resource: Choice
    scope: Choice
    underscores: bool = False
    unit_tag: str = ""
    buckets: bool = True


def otlp_options(given: Any) -> Options:
    """Read the option.

    Raises:
        ValueError: Says what is wrong.
    """
    given = {} if given is None else given
    if not isinstance(given, Mapping):
        message = f"otlp: expected a mapping of options, got {given!r:.80}"
        raise ValueError(message)  # noqa: TRY004 -- a wrong option, not a wrong call
    with Gathering() as wrong:
        wrong.problems += [
            f"otlp: expected only {', '.join(OPTIONS)}, got {name!r:.80}"
            for name in given
            if name not in OPTIONS
        ]
        return Options(
            resource=wrong.read(lambda: choice(given.get("resource", "all"), "otlp.resource")),
            scope=wrong.read(lambda: choice(given.get("scope", "none"), "otlp.scope")),
            underscores=wrong.read(lambda: names(given.get("names", "as_sent"))),
            unit_tag=wrong.read(lambda: tag(given.get("unit_tag", ""))),
            buckets=wrong.read(lambda: truth(given.get("buckets", True))),
        )


def choice(given: Any, where: str) -> Choice:
    """Read which attributes become tags.

    Raises:
        ValueError: It says none of that.
    """
    if given == "all":
        return of_all
    if given == "none":
        return lambda _: ""
    if isinstance(given, list | tuple) and all(isinstance(each, str) for each in given):
        return partial(of_some, tuple(given))
    if isinstance(given, Mapping) and all(isinstance(each, str) for each in given):
        tags = list(given.values())
        if all(map(is_own, tags)) and len(set(tags)) == len(tags):
            return lambda name: given.get(name, "")
    raise ValueError(
        f"{where}: expected all, none, a list of attributes, or a mapping from attributes to tags, "
        f"each another, got {given!r:.80}"
    )


def of_all(name: str) -> str:
    """Choose every attribute but those that say which SDK sent it."""
    return "" if name.startswith(NOT_IDENTITY) else name


def of_some(patterns: tuple[str, ...], name: str) -> str:
    """Choose attributes by patterns such as ``host.*``."""
    return name if any(fnmatchcase(name, each) for each in patterns) else ""


def names(given: Any) -> bool:
    """Say whether names are written with underscores.

    Raises:
        ValueError: It says neither.
    """
    if given not in NAMES:
        raise ValueError(f"otlp.names: expected as_sent or underscores, got {given!r:.80}")
    return bool(given == "underscores")


def tag(given: Any) -> str:
    """Read the name of the tag that has the unit.

    Raises:
        ValueError: It is none.
    """
    if given != "" and not is_own(given):
        raise ValueError(f"otlp.unit_tag: expected the name of a tag, got {given!r:.80}")
    return str(given)


def is_own(name: Any) -> bool:
    """Say whether a tag can have a name."""
    return is_tag(name, "x")


def truth(given: Any) -> bool:
    """Read whether buckets become series.

    Raises:
        ValueError: It says neither.
    """
    if not isinstance(given, bool):
        message = f"otlp.buckets: expected true or false, got {given!r:.80}"
        raise ValueError(message)  # noqa: TRY004 -- a wrong option, not a wrong call
    return given
