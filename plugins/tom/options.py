"""The collector's options, checked."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from typing import Any, Final

from ingestd.plugins._auth import Auth, Plain, auth_of
from ingestd.plugins._options import keys_of, text_in
from ingestd.plugins._params import http_url, whole
from ingestd.plugins._problems import Gathering
from ingestd.plugins._templates import Template, tag_templates, template

FIELDS: Final = frozenset(
    {"target", "name", "quantity", "band", "unit", "source", "telescope", "instrument"}
)
EXAMPLE: Final = "tom_{target}_{quantity}"
# What tells measurements of one quantity at one time apart.
TAGS: Final = {
    name: f"{{{name}}}" for name in ("band", "unit", "source", "telescope", "instrument")
}
SPECTRUM: Final = "spectroscopy"


@dataclass(frozen=True, slots=True)
class Naming:
    """What series are called.

    Attributes:
        series: The name of each.
        tags: Its tags; what is empty is left out.
    """

    series: Template
    tags: Mapping[str, Template]


@dataclass(frozen=True, slots=True)
class Entrance:
    """A way into the server.

    Attributes:
        auth: Makes what opens it.
        scheme: How its `Authorization` begins, or empty if it needs none.
    """

    auth: Auth
    scheme: str


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a collector.

    Attributes:
        url: Where the TOM is, without a slash at its end.
        entrance: What opens it.
        targets: Ids and patterns of names; empty: all.
        data_types: Which reduced data to read.
        observations: Whether to count observation records.
        naming: What series are called.
        since_days: How old they may be, in days, or None.
        page: How many rows to ask for at once.
    """

    url: str
    entrance: Entrance
    targets: Sequence[str]
    data_types: frozenset[str]
    observations: bool
    naming: Naming
    since_days: int | None
    page: int

    @property
    def mark(self) -> str:
        """Say what readings depend on besides the server."""
        tags = sorted((name, each.text) for name, each in self.naming.tags.items())
        return repr((self.naming.series.text, tags, sorted(self.data_types), self.since_days))


def options_of(given: Any) -> Options:
    """Read the params of a collector.

    Raises:
        ValueError: Says all that is wrong with them.
    """
    with Gathering() as wrong:
        return Options(**{name: wrong.read(partial(read, given)) for name, read in READERS.items()})


def entrance_of(given: Any, where: str = "auth") -> Entrance:
    """Read the option `auth`: a name with its password, or a token.

    Raises:
        ValueError: Says what is wrong with it.
    """
    if not given and (given is None or isinstance(given, Mapping)):
        return Entrance(auth_of(None), "")
    with Gathering() as wrong:
        options = keys_of(given, where, known=("username", "password", "token"), wrong=wrong)
        if ("token" in options) == ("username" in options or "password" in options):
            raise ValueError(f"{where}: expected `username` with `password`, or `token`")
        if "token" not in options:
            plain = {**options, "digest": False}
            return Entrance(wrong.read(lambda: auth_of(plain, where)), "Basic")
        token = wrong.read(lambda: text_in(options, "token", where))
    headers = {"Authorization": f"Token {token}"}
    return Entrance(lambda _ctx, _tokens: Plain(headers), "Token")


def targets_of(given: Any) -> Sequence[str]:
    """Read which targets are wanted.

    Raises:
        ValueError: It is neither `all` nor a list with something in it.
    """
    if given == "all":
        return ()
    good = isinstance(given, list | tuple) and all(type(each) in {int, str} for each in given)
    if not good or not given:
        raise ValueError(f"targets: expected all, or a list of ids and names, got {given!r:.80}")
    return [str(each) for each in given]


def wanted(patterns: Sequence[str], target: str, name: str) -> list[str]:
    """Return the patterns that a target fits, by its id or its name."""
    return [each for each in patterns if each == target or fnmatchcase(name, each)]


def data_types_of(given: Any) -> frozenset[str]:
    """Read which reduced data are wanted.

    Raises:
        ValueError: There is none, or one that is no reading.
    """
    listed = ["photometry"] if given is None else given
    if isinstance(listed, str) or not listed or not all(isinstance(each, str) for each in listed):
        raise ValueError(f"data_types: expected a list such as [photometry], got {given!r:.80}")
    found = frozenset(each.lower() for each in listed)
    if SPECTRUM in found:
        raise ValueError(f"data_types: expected numbers of one time, got {SPECTRUM}")
    return found


def naming_of(series: Any, tags: Mapping[str, Any] | None) -> Naming:
    """Read what series are called.

    Raises:
        ValueError: Says what is wrong with it.
    """
    with Gathering() as wrong:
        name = wrong.read(lambda: template(series, where="series", known=FIELDS, example=EXAMPLE))
        filled = wrong.read(
            lambda: tag_templates(TAGS if tags is None else tags, known=FIELDS, example="{band}")
        )
        if name is not None and not {"target", "name"} & fields_of(name, filled or {}):
            wrong.problems.append("series: expected {target} or {name} in it, or in a tag")
        if name is not None and "quantity" not in fields_of(name, filled or {}):
            wrong.problems.append("series: expected {quantity} in it, or in a tag")
    return Naming(name, filled)


def fields_of(series: Template, tags: Mapping[str, Template]) -> frozenset[str]:
    """Return the fields that tell series apart."""
    return series.fields.union(*(each.fields for each in tags.values() if each is not None))


def truth(given: Any, where: str) -> bool:
    """Read whether something is wanted.

    Raises:
        ValueError: It is neither true nor false.
    """
    if not isinstance(given, bool):
        raise ValueError(  # noqa: TRY004 -- the operator's value, not a caller's type
            f"{where}: expected true or false, got {given!r:.80}"
        )
    return given


def days_of(given: Any) -> int | None:
    """Read how many days back to go, or None.

    Raises:
        ValueError: It is no number of days.
    """
    return None if given is None else whole(given, "since_days", least=1)


# How each of the options is read from the params.
READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "url": lambda given: http_url(given.url, "url"),
    "entrance": lambda given: entrance_of(given.auth),
    "targets": lambda given: targets_of(given.targets),
    "data_types": lambda given: data_types_of(given.data_types),
    "observations": lambda given: truth(given.observations, "observations"),
    "naming": lambda given: naming_of(given.series, given.tags),
    "since_days": lambda given: days_of(given.since_days),
    "page": lambda given: whole(given.page, "page", least=1),
}
