"""What is asked for one page, what comes, and what tells which page follows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from yarl import URL

from .bodies import Body, pairs


@dataclass(frozen=True, slots=True)
class Request:
    """What one page is asked for with.

    Attributes:
        url: The address.
        query: What is added to it: the texts of each name, one after the other.
        body: What is sent, if anything is.
        skipped: How many records come before those that are asked for.
    """

    url: URL
    query: Mapping[str, Sequence[str]]
    body: Body | None = None
    skipped: int = 0

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """The query as it stands in the address."""
        return tuple(pairs(self.query))

    @property
    def key(self) -> object:
        """What tells it from others."""
        return self.url, self.pairs, None if self.body is None else self.body.data


class Head(NamedTuple):
    """What stands above an answer.

    Attributes:
        link: The ``next`` link, or None.
        headers: All headers, whatever the case of their names.
    """

    link: URL | None = None
    headers: Mapping[str, str] = MappingProxyType({})


NO_HEAD: Final = Head()


@dataclass(frozen=True, slots=True)
class Page:
    """One answer.

    Attributes:
        request: What was asked.
        number: 1 for the first.
        document: The whole answer.
        records: The records in it.
        head: What stands above it.
        goes_on: Whether these are only some of its records, and more of them follow.
    """

    request: Request
    number: int
    document: Any
    records: Sequence[Any]
    head: Head = NO_HEAD
    goes_on: bool = False


Following = Callable[[Page], Request | None]
# Says whether a page is the last, with how many records there were up to its end.
IsLast = Callable[[Page, int], bool]
# Returns a request with something in one of its places.
Put = Callable[[Request, str, Any], Request]


@dataclass(frozen=True, slots=True)
class Paging:
    """How one source is paged.

    Attributes:
        first: Returns the request for the first page.
        following: Tells what to ask after a page, or None after the last.
        tried: Puts something where a request says which page is wanted; raises if it cannot.
        counted: Whether pages are counted, so that the source may have none of the next number.
        clamped: Whether it may give the last page instead of one of a higher number.
        single: Whether there is one page.
    """

    first: Callable[[Request], Request]
    following: Following
    tried: Callable[[Request], Request]
    counted: bool = False
    clamped: bool = False
    single: bool = False


def as_it_is(request: Request) -> Request:
    """Return the request for a first page that is asked for like any document."""
    return request
