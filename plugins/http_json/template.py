"""Requests as the operator wrote them, with the ends of a window in their places.

``{since}`` and ``{until}`` stand for the ends of a window, ``{last}`` for the last time before its
end, and ``{since:%Y-%m-%d}`` for one in a notation of its own. Other braces are letters like any,
as long as they hold no single name; ``{{since}}`` is sent as ``{since}``.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from yarl import URL

from ingestd.plugins._answers import bare

from .bodies import Body
from .paging import Request

PLACE: Final = re.compile(
    r"\{\{(?P<literal>[A-Za-z_]\w*(?::[^{}]*)?)\}\}"
    r"|\{(?P<name>[A-Za-z_]\w*)(?::(?P<pattern>[^{}]*))?\}"
)
SINCE, UNTIL, LAST = "since", "until", "last"
FORM: Final = "application/x-www-form-urlencoded"
# In a path, what is written of a time may be several folders.
UNQUOTED: Final = "/:,"


@dataclass(frozen=True, slots=True)
class Place:
    """Where an end of the window stands.

    Attributes:
        name: Which end.
        pattern: How it is written there; None: as everywhere.
    """

    name: str
    pattern: str | None


# Returns what is written in a place: None if there is no such end, a number if it is one.
Write = Callable[[Place], str | int | None]


@dataclass(frozen=True, slots=True, repr=False)
class Template:
    """What is asked, but for the window; never shown, because secrets travel in it.

    Attributes:
        query: What is added to the address.
        body: A text, or what is sent as JSON or as a form; None for none.
        form: Whether as a form.
    """

    url: str
    query: Mapping[str, Sequence[str]]
    body: Any
    form: bool

    def places(self) -> list[tuple[str, Place]]:
        """Return all places, each with the option in which it stands.

        Raises:
            ValueError: There is a name in braces that is no place.
        """
        texts = [("url", self.url)]
        texts += [(f"query.{name}", text) for name, each in self.query.items() for text in each]
        texts += [("body", text) for text in texts_in(self.body)]
        return [(where, place) for where, text in texts for place in places_in(text, where=where)]

    def request(self, write: Write) -> Request:
        """Return the request for a window."""
        return Request(
            address(
                filled(self.url, lambda place: quote(str(needed(write, place)), safe=UNQUOTED))
            ),
            query_filled(self.query, write),
            self._body(write),
        )

    def _body(self, write: Write) -> Body | None:
        if self.body is None:
            return None
        if isinstance(self.body, str):
            return Body(filled(self.body, lambda place: str(needed(write, place))))
        if self.form:
            return Body(query_filled(query_of(self.body), write), form=True)
        return Body(json_filled(self.body, write))


def template_of(
    *,
    url: str,
    query: Mapping[str, Any] | None,
    body: Any,
    headers: Mapping[str, str] | None,
    since_param: str | None,
    until_param: str | None,
) -> Template:
    """Check the options that say what to ask.

    Raises:
        ValueError: Says which option is wrong.
    """
    kinds = {str(name).lower(): str(text).lower() for name, text in (headers or {}).items()}
    form = isinstance(body, Mapping) and kinds.get("content-type", "").startswith(FORM)
    if form:
        query_of(body, where="body")
    ends = {since_param: ("{since}",), until_param: ("{until}",)}
    short = {name: texts for name, texts in ends.items() if name is not None}
    template = Template(url, {**query_of(query), **short}, body, form)
    template.places()
    address(filled(url, lambda _: "0"))
    return template


def filled(text: str, write: Callable[[Place], str]) -> str:
    """Return a text with something in its places."""

    def put(found: re.Match[str]) -> str:
        if found["literal"] is not None:
            return f"{{{found['literal']}}}"
        return write(Place(found["name"], found["pattern"]))

    return PLACE.sub(put, text)


def places_in(text: str, *, where: str) -> Iterator[Place]:
    """Yield the places of a text.

    Raises:
        ValueError: There is another name in braces.
    """
    for found in PLACE.finditer(text):
        if found["literal"] is None:
            if found["name"] not in {SINCE, UNTIL, LAST}:
                raise ValueError(
                    f"{where}: expected {{since}}, {{until}} or {{last}}, or {{{found[0]}}} to "
                    f"send {found[0]} as it stands, got {found[0]}"
                )
            yield Place(found["name"], found["pattern"])


def texts_in(body: Any) -> Iterator[str]:
    """Yield the texts in a body."""
    if isinstance(body, str):
        yield body
    elif isinstance(body, Mapping):
        for value in body.values():
            yield from texts_in(value)
    elif isinstance(body, list | tuple):
        for value in body:
            yield from texts_in(value)


def needed(write: Write, place: Place) -> str | int:
    """Return what is written in a place that cannot be left out.

    Raises:
        ValueError: There is no such end.
    """
    found = write(place)
    if found is None:
        raise ValueError("lookback: expected, to know where the first run begins")
    return found


def query_filled(query: Mapping[str, Sequence[str]], write: Write) -> dict[str, Sequence[str]]:
    """Return a query; what would stand there for an end that there is not is left out."""
    found: dict[str, Sequence[str]] = {}
    for name, texts in query.items():
        there = [
            filled(text, lambda place: str(write(place)))
            for text in texts
            if all(write(place) is not None for place in places_in(text, where=name))
        ]
        if there:
            found[name] = tuple(there)
    return found


def json_filled(value: Any, write: Write) -> Any:
    """Return a JSON value with its places filled; a text that is a place for a number is one."""
    if isinstance(value, Mapping):
        return {name: json_filled(each, write) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [json_filled(each, write) for each in value]
    if not isinstance(value, str):
        return value
    whole = PLACE.fullmatch(value)
    if whole and whole["literal"] is None:
        return needed(write, Place(whole["name"], whole["pattern"]))
    return filled(value, lambda place: str(needed(write, place)))


def query_of(query: Mapping[str, Any] | None, *, where: str = "query") -> dict[str, Sequence[str]]:
    """Return the texts of each name; a list is written as several of one name, null is left out.

    Raises:
        ValueError: A value can stand in no address.
    """
    found: dict[str, Sequence[str]] = {}
    for name, value in (query or {}).items():
        values = value if isinstance(value, list | tuple) else [value]
        texts = [text_of(each, where=f"{where}.{name}") for each in values if each is not None]
        if texts:
            found[str(name)] = tuple(texts)
    return found


def text_of(value: Any, *, where: str) -> str:
    """Return a value as it stands in an address.

    Raises:
        ValueError: It is a list or a mapping.
    """
    if isinstance(value, list | tuple | Mapping):
        raise ValueError(  # noqa: TRY004 -- the operator's value, not a caller's type
            f"{where}: expected a text, a number, true, false, null or a list of these, "
            f"got {type(value).__name__}"
        )
    return str(value).lower() if isinstance(value, bool) else str(value)


def address(url: str) -> URL:
    """Return the address to ask.

    Raises:
        ValueError: It is none.
    """
    found = URL(url)
    if found.scheme not in {"http", "https"} or not found.host:
        raise ValueError(f"url: expected http://… or https://…, got {bare(found)!r}")
    return found
