"""Paths of the operator's own, each with what is sent there."""

import re
from collections.abc import Mapping
from datetime import tzinfo
from functools import partial
from typing import Any, Final

from ingestd.plugins._documents import OPTIONS as OF_DOCUMENTS
from ingestd.plugins._documents import format_of
from ingestd.plugins._params import zone_of
from ingestd.plugins._problems import Gathering, Problems
from ingestd.plugins._shapes import NOT_FIXED, description_of
from ingestd.plugins._shapes import OPTIONS as OF_SHAPES

from .formats.documents import QUERY, Documents
from .routes import Route, form, raw

OPTIONS: Final = frozenset({"path", "timezone", *OF_SHAPES, *OF_DOCUMENTS})
LEVEL: Final = re.compile(r"\{([A-Za-z_]\w*)\}")
PLAIN: Final = re.compile(r"[^/{}]+")
FORM: Final = "form"


def own_routes(routes: Any, *, zone: tzinfo | None) -> tuple[Route, ...]:
    """Read the option ``routes``.

    Raises:
        ValueError: Says what is wrong.
    """
    if routes is None:
        return ()
    if not isinstance(routes, list | tuple):
        message = f"routes: expected a list of paths with options, got {routes!r:.80}"
        raise ValueError(message)  # noqa: TRY004 -- a wrong option, not a wrong call
    with Gathering() as wrong:
        return tuple(
            wrong.read(partial(own_route, each, f"routes[{at}]", zone=zone))
            for at, each in enumerate(routes)
        )


def own_route(entry: Any, where: str, *, zone: tzinfo | None) -> Route:
    """Read one entry of ``routes``.

    Raises:
        ValueError: Says what is wrong.
    """
    if not isinstance(entry, Mapping) or not isinstance(entry.get("path"), str):
        message = f"{where}: expected `path` and what is sent there, got {entry!r:.80}"
        raise ValueError(message)  # noqa: TRY004 -- a wrong option, not a wrong call
    try:
        with Gathering() as wrong:
            pattern = wrong.read(lambda: pattern_of(entry["path"]))
            names = frozenset(LEVEL.findall(entry["path"]))
            documents = wrong.read(lambda: documents_of(entry, names, zone))
    except Problems as error:
        below = [f"{where}.{each}" for each in error.problems]
        raise Problems([*unknown_in(entry, where), *below]) from None
    if unknown := unknown_in(entry, where):
        raise Problems(unknown)
    written = documents.form is None
    return Route(
        name=entry["path"],
        path=pattern,
        parse=form if written else raw,
        find=documents.find,
        methods=("GET", "POST") if written else ("POST", "PUT"),
        style="json",
        key_in_body=False,
        packed=not written,
    )


def unknown_in(entry: Mapping[str, Any], where: str) -> list[str]:
    """Return what is wrong with the names of options."""
    return [
        f"{where}: expected only {', '.join(sorted(OPTIONS))}, got {name!r}"
        for name in sorted(map(str, set(entry) - OPTIONS))
    ]


def pattern_of(path: str) -> re.Pattern[str]:
    """Return what matches a path such as ``/loggers/{site}``.

    Raises:
        ValueError: It is no such path.
    """
    levels = path.removeprefix("/").split("/")
    names = [found[1] for level in levels if (found := LEVEL.fullmatch(level))]
    good = all(LEVEL.fullmatch(level) or PLAIN.fullmatch(level) for level in levels)
    if not path.startswith("/") or not good or len(set(names)) < len(names) or "key" in names:
        raise ValueError(
            f"path: expected one such as /loggers/{{site}}, with other names than key, got {path!r}"
        )
    parts = (
        f"(?P<{found[1]}>[^/]+)" if (found := LEVEL.fullmatch(level)) else re.escape(level)
        for level in levels
    )
    return re.compile("/" + "/".join(parts) + "/?")


def documents_of(entry: Mapping[str, Any], names: frozenset[str], zone: tzinfo | None) -> Documents:
    """Return what finds the readings in what is sent.

    Raises:
        ValueError: Says which option is wrong.
    """

    def fixed(field: str) -> Any:
        return "" if field in names or field.startswith(QUERY) else NOT_FIXED

    given = {name: entry[name] for name in OF_DOCUMENTS if entry.get(name) is not None}
    described = {name: each for name, each in entry.items() if name in OF_SHAPES}
    with Gathering() as wrong:
        zone = wrong.read(lambda: zone_of(entry.get("timezone"))) or zone
        description = wrong.read(lambda: description_of(described, zone=zone, fixed=fixed))
        form = None
        if given.get("format") != FORM:
            form = wrong.read(lambda: format_of(**given, zone=zone))
    return Documents(description, form)
