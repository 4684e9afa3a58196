"""Where the next page of an answer is, in the five ways that sources tell it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from yarl import URL

from ingestd.plugins._fields import Path, compile_path
from ingestd.plugins._params import whole
from ingestd.plugins._problems import Gathering
from ingestd.plugins._shapes import shown

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


@dataclass(frozen=True, slots=True)
class Page:
    """One answer.

    Attributes:
        request: What was asked.
        number: 1 for the first.
        document: The whole answer.
        records: The records in it.
        link: The ``next`` link in its header, or None.
        goes_on: Whether these are only some of its records, and more of them follow.
    """

    request: Request
    number: int
    document: Any
    records: Sequence[Any]
    link: URL | None
    goes_on: bool = False


Following = Callable[[Page], Request | None]
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
        single: Whether there is one page.
    """

    first: Callable[[Request], Request]
    following: Following
    tried: Callable[[Request], Request]
    counted: bool = False
    single: bool = False


def paging_of(options: Mapping[str, Any] | None) -> Paging:
    """Read the ``paging`` option.

    Raises:
        ValueError: Says what is wrong with it.
    """
    if options is None:
        return Paging(as_it_is, lambda _: None, as_it_is, single=True)
    kind = options.get("type") if isinstance(options, Mapping) else None
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"paging: expected a `type` of {', '.join(KINDS)}, got {options!r}")
    make, required, optional = KINDS[kind]
    given = {name: value for name, value in options.items() if name != "type"}
    if not required <= set(given) <= required | optional:
        raise ValueError(
            f"paging: expected {', '.join(sorted(required)) or 'nothing'} beside type {kind!r}"
            + (f", and perhaps {', '.join(sorted(optional))}" if optional else "")
            + f", got {', '.join(map(str, given)) or 'nothing'}"
        )
    with Gathering() as wrong:
        if "param" in given:
            wrong.read(lambda: check_param(given["param"]))
            given["put"] = wrong.read(lambda: put_of(given.pop("in", QUERY)))
        return wrong.read(lambda: make(**given))


def check_param(param: Any) -> None:
    """Refuse what is no name.

    Raises:
        ValueError: It is none.
    """
    if not isinstance(param, str) or not param:
        raise ValueError(f"paging.param: expected a name, got {param!r}")


def put_of(place: Any) -> Put:
    """Return what puts something into a part of a request.

    Raises:
        ValueError: There is no such part.
    """
    if not isinstance(place, str) or place not in PLACES:
        raise ValueError(f"paging.in: expected {' or '.join(PLACES)}, got {place!r}")
    return PLACES[place]


def in_query(request: Request, name: str, value: Any) -> Request:
    """Return a request with one text of its query changed."""
    return replace(request, query={**request.query, name: (str(value),)})


def in_body(request: Request, name: str, value: Any) -> Request:
    """Return a request with one place of its body changed.

    Raises:
        ValueError: There is no such place.
    """
    if request.body is None or isinstance(request.body.value, str):
        raise ValueError("paging.in: expected a body of names and values, got none")
    return replace(request, body=request.body.putting(name, value))


def as_it_is(request: Request) -> Request:
    """Return the request for a first page that is asked for like any document."""
    return request


def next_link(*, path: str) -> Paging:
    """Follow the address at a path, absolute or relative; none ends it."""
    find = compile_path(path, where="paging.path")

    def following(page: Page) -> Request | None:
        found = find(page.document)
        if found is None or found == "":
            return None
        if not isinstance(found, str):
            message = f"paging.path: expected an address there, got {shown(found)}"
            raise ValueError(message)  # noqa: TRY004 -- the document's value, not a caller's type
        return linked(page, page.request.url.join(URL(found)))

    return Paging(as_it_is, following, as_it_is)


def link_header() -> Paging:
    """Follow the ``Link: <…>; rel="next"`` header."""
    return Paging(as_it_is, lambda page: linked(page, page.link) if page.link else None, as_it_is)


def linked(page: Page, url: URL) -> Request:
    """Return the request for a link; one to elsewhere would be given our password.

    Raises:
        ValueError: It leads to another server.
    """
    asked_at = page.request.url
    if url.scheme == "http" and asked_at.scheme == "https":
        url = secured(url)
    if url.origin() != asked_at.origin():
        raise ValueError(
            f"paging: expected the next page at {asked_at.origin()}, got {url.origin()}"
        )
    return replace(page.request, url=url, query={})


def secured(url: URL) -> URL:
    """Return an address with https; a server behind a proxy may not know that it is asked so."""
    return url.with_scheme("https").with_port(None if url.is_default_port() else url.port)


def page_number(*, param: str, put: Put, first: int = 1, size: int | None = None) -> Paging:
    """Count pages until one is empty, or shorter than ``size``."""
    with Gathering() as wrong:
        wrong.read(lambda: whole(first, "paging.first", least=0))
        wrong.read(lambda: check_size(size))

    def following(page: Page) -> Request | None:
        return None if short(page, size) else put(page.request, param, first + page.number)

    def begin(request: Request) -> Request:
        return put(request, param, first)

    return Paging(begin, following, begin, counted=True)


def offset(
    *, param: str, put: Put, size: int | None = None, size_param: str | None = None
) -> Paging:
    """Skip as many records as were read, until a page is empty or shorter than ``size``."""
    check_size(size)
    if size_param is not None and size is None:
        raise ValueError("paging.size_param: expected `size` beside it")

    def first(request: Request) -> Request:
        sized = request if size_param is None else put(request, size_param, size)
        return put(sized, param, 0)

    def following(page: Page) -> Request | None:
        skipped = page.request.skipped + len(page.records)
        asked = replace(page.request, skipped=skipped)
        return None if short(page, size) else put(asked, param, skipped)

    return Paging(first, following, first, counted=True)


def token(*, path: str, param: str, put: Put) -> Paging:
    """Send back the token at a path; none ends it, and so does a page that is empty."""
    find: Path = compile_path(path, where="paging.path")

    def following(page: Page) -> Request | None:
        found = find(page.document) if page.records else None
        return None if found in (None, "", False) else put(page.request, param, found)

    return Paging(as_it_is, following, lambda request: put(request, param, ""))


def check_size(size: int | None) -> None:
    """Refuse a size of pages that is none.

    Raises:
        ValueError: It is no number of records.
    """
    if size is not None:
        whole(size, "paging.size", least=1)


def short(page: Page, size: int | None) -> bool:
    """Say whether a page is the last because it is not full."""
    return len(page.records) < (size or 1)


KINDS: Mapping[str, tuple[Callable[..., Paging], frozenset[str], frozenset[str]]] = {
    "next": (next_link, frozenset({"path"}), frozenset()),
    "link_header": (link_header, frozenset(), frozenset()),
    "page": (page_number, frozenset({"param"}), frozenset({"first", "size", "in"})),
    "offset": (offset, frozenset({"param"}), frozenset({"size", "size_param", "in"})),
    "token": (token, frozenset({"param", "path"}), frozenset({"in"})),
}
QUERY: Final = "query"
PLACES: Final[Mapping[str, Put]] = {QUERY: in_query, "body": in_body}
