"""Pages whose address stands in the page before."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from yarl import URL

from ingestd.plugins._fields import compile_path
from ingestd.plugins._problems import Gathering
from ingestd.plugins._shapes import shown

from .pages import Page, Paging, Request, as_it_is


def next_link(*, path: str, keep: Any = (), same_server: Any = False) -> Paging:
    """Follow the address at a path, absolute or relative; none ends it."""
    with Gathering() as wrong:
        find = wrong.read(lambda: compile_path(path, where="paging.path"))
        how = wrong.read(lambda: following_of(keep, same_server))

    def following(page: Page) -> Request | None:
        found = find(page.document)
        if found in (None, "", False):
            return None
        if not isinstance(found, str):
            message = f"paging.path: expected an address there, got {shown(found)}"
            raise ValueError(message)  # noqa: TRY004 -- the document's value, not a caller's type
        return linked(page, page.request.url.join(URL(found)), how)

    return Paging(as_it_is, following, as_it_is)


def link_header(*, keep: Any = (), same_server: Any = False) -> Paging:
    """Follow the ``Link: <…>; rel="next"`` header."""
    how = following_of(keep, same_server)

    def following(page: Page) -> Request | None:
        return linked(page, page.head.link, how) if page.head.link else None

    return Paging(as_it_is, following, as_it_is)


class Manner(NamedTuple):
    """How links are followed.

    Attributes:
        kept: What of the query stays as it is, unless a link has it, too.
        same_server: Whether all lead to the server that gives them, whatever they name.
    """

    kept: Sequence[str] = ()
    same_server: bool = False


def following_of(keep: Any, same_server: Any) -> Manner:
    """Read the options that say how links are followed.

    Raises:
        ValueError: Says which is wrong.
    """
    with Gathering() as wrong:
        kept = wrong.read(lambda: names_in(keep))
        if not isinstance(same_server, bool):
            wrong.problems.append(
                f"paging.same_server: expected true or false, got {same_server!r:.80}"
            )
    return Manner(kept, same_server)


def names_in(keep: Any) -> Sequence[str]:
    """Return the names of what stays in the query of linked pages.

    Raises:
        ValueError: They are none.
    """
    listed = [keep] if isinstance(keep, str) else keep
    if not isinstance(listed, list | tuple) or not all(isinstance(e, str) and e for e in listed):
        raise ValueError(f"paging.keep: expected a name in the query, or several, got {keep!r:.80}")
    return listed


AS_IT_STANDS: Final = Manner()


def linked(page: Page, url: URL, how: Manner = AS_IT_STANDS) -> Request:
    """Return the request for a link; one to elsewhere would be given our password.

    Args:
        page: Where it stands.
        url: Where it leads.
        how: How it is followed.

    Raises:
        ValueError: It leads to another server.
    """
    asked_at, query = page.request.url, page.request.query
    if how.same_server:
        url = asked_at.join(URL(url.raw_path_qs, encoded=True))
    if url.scheme == "http" and asked_at.scheme == "https":
        url = secured(url)
    if url.origin() != asked_at.origin():
        raise ValueError(
            f"paging: expected the next page at {asked_at.origin()}, or `same_server: true` to ask "
            f"there for it, got {url.origin()}"
        )
    left = {name: query[name] for name in how.kept if name in query and name not in url.query}
    return replace(page.request, url=url, query=left)


def secured(url: URL) -> URL:
    """Return an address with https; a server behind a proxy may not know that it is asked so."""
    return url.with_scheme("https").with_port(None if url.is_default_port() else url.port)
