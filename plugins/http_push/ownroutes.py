"""Paths of the operator's own, each with what is sent there."""

import re
from collections.abc import Mapping
from datetime import tzinfo
from typing import Any, Final

from ingestd.plugins._documents import OPTIONS as OF_DOCUMENTS
from ingestd.plugins._documents import format_of
from ingestd.plugins._shapes import NOT_FIXED, description_of
from ingestd.plugins._shapes import OPTIONS as OF_SHAPES

from .formats.documents import QUERY, Documents
from .routes import Route, form, raw

OPTIONS: Final = frozenset({"path", *OF_SHAPES, *OF_DOCUMENTS})
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
    return tuple(own_route(each, f"routes[{at}]", zone=zone) for at, each in enumerate(routes))


def own_route(entry: Any, where: str, *, zone: tzinfo | None) -> Route:
    """Read one entry of ``routes``.

    Raises:
        ValueError: Says what is wrong.
    """
    if not isinstance(entry, Mapping) or not isinstance(entry.get("path"), str):
        message = f"{where}: expected `path` and what is sent there, got {entry!r:.80}"
        raise ValueError(message)  # noqa: TRY004 -- a wrong option, not a wrong call
    if unknown := sorted(map(str, set(entry) - OPTIONS)):
        raise ValueError(f"{where}: expected only {', '.join(sorted(OPTIONS))}, got {unknown[0]!r}")
    try:
        pattern, names = pattern_of(entry["path"])
        documents = documents_of(entry, names, zone)
    except ValueError as error:
        raise ValueError(f"{where}.{error}") from None
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


def pattern_of(path: str) -> tuple[re.Pattern[str], frozenset[str]]:
    """Return what matches a path such as ``/loggers/{site}``, and the names of its levels.

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
    return re.compile("/" + "/".join(parts) + "/?"), frozenset(names)


def documents_of(entry: Mapping[str, Any], names: frozenset[str], zone: tzinfo | None) -> Documents:
    """Return what finds the readings in what is sent.

    Raises:
        ValueError: Says which option is wrong.
    """

    def fixed(field: str) -> Any:
        return "" if field in names or field.startswith(QUERY) else NOT_FIXED

    given = {name: entry[name] for name in OF_DOCUMENTS if entry.get(name) is not None}
    described = {name: each for name, each in entry.items() if name in OF_SHAPES}
    description = description_of(described, zone=zone, fixed=fixed)
    if given.get("format") == FORM:
        return Documents(description, None)
    return Documents(description, format_of(**given, zone=zone))
