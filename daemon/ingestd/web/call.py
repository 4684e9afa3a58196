"""The shape of a route, and of a call to it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

import msgspec

from ingestd.app import Daemon
from ingestd.web.sessions import Sessions

MOST_DIGITS: Final = 18  # of the number of a record: SQLite has 63 bits


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """No query, or no body."""


Q = TypeVar("Q")
B = TypeVar("B")
A = TypeVar("A")


@dataclass(frozen=True, slots=True)
class Visit:
    """Who asks.

    Attributes:
        sessions: Where sessions begin and end.
        session: The one that the request belongs to, or an empty string.
        sender: From which address it comes, for the log.
    """

    sessions: Sessions
    session: str = field(default="", repr=False)
    sender: str = ""

    @property
    def csrf_token(self) -> str:
        """What a form has to carry to act."""
        return self.sessions.csrf_tokens.of(self.session)


@dataclass(frozen=True, slots=True)
class Call(Generic[Q, B]):
    """A request that has passed every check.

    Attributes:
        daemon: The daemon that it is about.
        path: The variable parts of the path.
        query: The parsed query.
        body: The parsed body.
        visit: Who asks.
    """

    daemon: Daemon
    path: Mapping[str, str]
    query: Q
    body: B
    visit: Visit


@dataclass(frozen=True, slots=True)
class Text:
    """An answer that is not JSON.

    Attributes:
        text: The text, or what makes it in a thread if that takes long.
    """

    text: str | Callable[[], bytes]
    status: int = 200
    content_type: str = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class JsonAnswer(Generic[A]):
    """An answer of JSON that is not 200, or has headers of its own."""

    value: A = field(repr=False)
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Redirect:
    """An answer that sends a browser on, to look at what has been done.

    Attributes:
        address: The path of a page of ours.
        session: What the browser is to have from now on; empty for none, None for what it has.
    """

    address: str
    session: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A path and who answers there.

    Attributes:
        answer: Returns what JSON can hold, or a ``JsonAnswer``, a ``Text`` or a ``Redirect``.
        summary: What it does, in a sentence.
        query: What it takes in the query.
        body: What it takes in the body.
        statuses: Those of good answers.
        form: Whether its body is the form of a page of ours instead of JSON.
        login: Whether it needs no token, since it is where that is shown.
        open: Whether it needs neither a token nor a known Host: probes have none.
    """

    method: str
    path: str
    answer: Callable[[Call[Any, Any]], Awaitable[Any]]
    summary: str
    query: type[msgspec.Struct] = Nothing
    body: type[msgspec.Struct] = Nothing
    statuses: tuple[int, ...] = (200,)
    form: bool = False
    login: bool = False
    open: bool = False


def get(path: str, answer: Callable[[Call[Any, Any]], Awaitable[Any]], **more: Any) -> Route:
    """Return a route that only looks; its summary is the function's."""
    return Route(method="GET", path=path, answer=answer, summary=_summary(answer), **more)


def post(path: str, answer: Callable[[Call[Any, Any]], Awaitable[Any]], **more: Any) -> Route:
    """Return a route that changes something; its summary is the function's."""
    return Route(method="POST", path=path, answer=answer, summary=_summary(answer), **more)


def delete(path: str, answer: Callable[[Call[Any, Any]], Awaitable[Any]], **more: Any) -> Route:
    """Return a route that ends or removes something; its summary is the function's."""
    return Route(method="DELETE", path=path, answer=answer, summary=_summary(answer), **more)


def number_in(call: Call[Any, Any]) -> int | None:
    """Return the number in a path, or None if no record can have that one."""
    text = call.path["id"]
    possible = text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS
    return int(text) if possible else None


def _summary(answer: Callable[[Call[Any, Any]], Awaitable[Any]]) -> str:
    return (answer.__doc__ or "").partition("\n")[0]
