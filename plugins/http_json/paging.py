"""Where the next page of an answer is, in the five ways that sources tell it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from ingestd.plugins._fields import Path, compile_path
from ingestd.plugins._params import whole
from ingestd.plugins._problems import Gathering
from ingestd.plugins._shapes import shown

from .links import link_header, next_link
from .pages import IsLast, Page, Paging, Put, Request, as_it_is


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


def page_number(
    *,
    param: str,
    put: Put,
    first: int = 1,
    size: int | None = None,
    more: Any = None,
    total: Any = None,
) -> Paging:
    """Count pages until the last: one that says so, is empty, or shorter than ``size``."""
    with Gathering() as wrong:
        wrong.read(lambda: whole(first, "paging.first", least=0))
        is_last = wrong.read(lambda: last_of(size, more, total))

    def following(page: Page) -> Request | None:
        read = page.request.skipped + len(page.records)
        asked = replace(page.request, skipped=read)
        return None if is_last(page, read) else put(asked, param, first + page.number)

    def begin(request: Request) -> Request:
        return put(request, param, first)

    return Paging(begin, following, begin, counted=True, clamped=True)


def offset(
    *,
    param: str,
    put: Put,
    size: int | None = None,
    size_param: str | None = None,
    more: Any = None,
    total: Any = None,
) -> Paging:
    """Skip as many records as were read, until the last page, as of pages that are counted."""
    with Gathering() as wrong:
        is_last = wrong.read(lambda: last_of(size, more, total))
        if size_param is not None and size is None:
            wrong.problems.append("paging.size_param: expected `size` beside it")

    def first(request: Request) -> Request:
        sized = request if size_param is None else put(request, size_param, size)
        return put(sized, param, 0)

    def following(page: Page) -> Request | None:
        skipped = page.request.skipped + len(page.records)
        asked = replace(page.request, skipped=skipped)
        return None if is_last(page, skipped) else put(asked, param, skipped)

    return Paging(first, following, first, counted=True)


def token(*, param: str, put: Put, path: Any = None, header: Any = None) -> Paging:
    """Send back the token at a path or in a header; none ends it, and so does an empty page."""
    find = token_finder(path, header)

    def following(page: Page) -> Request | None:
        found = find(page) if page.records else None
        return None if found in (None, "", False) else put(page.request, param, found)

    return Paging(as_it_is, following, lambda request: put(request, param, ""))


def token_finder(path: Any, header: Any) -> Callable[[Page], Any]:
    """Return what finds the token of a page.

    Raises:
        ValueError: It is not said where that is, or it is said twice.
    """
    if (path is None) == (header is None):
        raise ValueError("paging: expected `path` or `header` beside type 'token', and one of them")
    if header is None:
        find = compile_path(path, where="paging.path")
        return lambda page: find(page.document)
    if not isinstance(header, str) or not header:
        raise ValueError(f"paging.header: expected the name of a header, got {header!r:.80}")
    return lambda page: page.head.headers.get(header)


def last_of(size: int | None, more: Any, total: Any) -> IsLast:
    """Return what tells the last page of those that are counted.

    Args:
        size: How many records a full one has.
        more: Path to whether there are further ones.
        total: Path to how many records all of them have.

    Raises:
        ValueError: One of these is none.
    """
    with Gathering() as wrong:
        wrong.read(lambda: check_size(size))
        if more is not None and total is not None:
            wrong.problems.append("paging: expected `more` or `total`, got both")
        going_on = (
            None if more is None else wrong.read(lambda: compile_path(more, where="paging.more"))
        )
        whole_of = (
            None if total is None else wrong.read(lambda: compile_path(total, where="paging.total"))
        )
    if going_on is not None:
        return lambda page, _: not truth(going_on(page.document))
    if whole_of is not None:
        return lambda page, read: not page.records or read >= number_at(whole_of, page)
    return lambda page, _: short(page, size)


def truth(found: Any) -> bool:
    """Say whether something means yes, also as a text."""
    return found.strip().lower() not in NO if isinstance(found, str) else bool(found)


def number_at(find: Path, page: Page) -> float:
    """Return how many records there are.

    Raises:
        ValueError: The page does not say.
    """
    found = find(page.document)
    try:
        return float(found)
    except (TypeError, ValueError):
        raise ValueError(f"paging.total: expected a number there, got {shown(found)}") from None


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


NO: Final = frozenset({"", "0", "false", "no", "n"})
ENDS: Final = ("more", "total")  # what tells of the last page besides its size
KINDS: Mapping[str, tuple[Callable[..., Paging], frozenset[str], frozenset[str]]] = {
    "next": (next_link, frozenset({"path"}), frozenset({"keep", "same_server"})),
    "link_header": (link_header, frozenset(), frozenset({"keep", "same_server"})),
    "page": (page_number, frozenset({"param"}), frozenset({"first", "size", "in", *ENDS})),
    "offset": (offset, frozenset({"param"}), frozenset({"size", "size_param", "in", *ENDS})),
    "token": (token, frozenset({"param"}), frozenset({"path", "header", "in"})),
}
QUERY: Final = "query"
PLACES: Final[Mapping[str, Put]] = {QUERY: in_query, "body": in_body}
