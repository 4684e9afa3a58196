"""Requests as the operator wrote them, with the ends of a window in their places."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from yarl import URL

from ingestd.plugins._answers import bare
from ingestd.plugins._places import (
    Place,
    Write,
    filled,
    json_filled,
    needed,
    places_in,
    texts_in,
)

from .bodies import Body
from .pages import Request

FORM: Final = "application/x-www-form-urlencoded"
# In a path, what is written of a time may be several folders.
UNQUOTED: Final = "/:,"


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
