"""What a run is made of: its params, read and checked before anything is asked.

The functions take all params as attributes of one object, so that a run and ``check`` read them
alike.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from ingestd.plugins._auth import auth_of
from ingestd.plugins._documents import OPTIONS as OF_DOCUMENTS
from ingestd.plugins._documents import format_of
from ingestd.plugins._params import duration, time_zone, whole, zone_of
from ingestd.plugins._places import SINCE, Place
from ingestd.plugins._shapes import OPTIONS as OF_SHAPES
from ingestd.plugins._shapes import Reader, description_of
from ingestd.plugins._windows import ENDS, Windows

from .cursor import Cursor
from .pages import Paging
from .paging import paging_of
from .refusals import Refusal, refusal_of
from .source import Source, source_of, statuses_of
from .template import Template, template_of

# Makes the source of a run from its context and the tokens that the runs before have left.
Opened = Callable[[Any, Any], Source]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Setup:
    """What the params say; never shown, because secrets travel in it.

    Attributes:
        opened: Makes the source.
        refusal: Finds what says in a document that the source has failed.
        shape: Reads the documents.
        template: What is asked.
        cursor: Where to begin, and how far a run may move.
        pages: How the source is paged.
        max_pages: How many pages of a window a run reads.
    """

    opened: Opened
    refusal: Refusal | None
    shape: Reader
    template: Template
    cursor: Cursor
    pages: Paging
    max_pages: int


def setup_of(params: Any, around: str | None = None) -> Setup:
    """Read all params.

    Args:
        params: All of them.
        around: The name of the collector's zone, or None.

    Raises:
        ValueError: Says which is wrong.
    """
    return Setup(
        max_pages=whole(params.max_pages, "max_pages", least=1),
        opened=opened_by(params, around),
        refusal=refusal_of(params.error),
        shape=shape_of(params, around),
        template=template_in(params),
        cursor=cursor_of(params, around),
        pages=pages_of(params),
    )


def pages_of(params: Any) -> Paging:
    """Return how params say that the source is paged.

    Raises:
        ValueError: They do not, or what is sent has no place for that.
    """
    pages = paging_of(params.paging)
    pages.tried(template_in(params).request(lambda _: 0))
    return pages


def opened_by(params: Any, around: str | None = None) -> Opened:
    """Return what makes the source that params describe.

    Raises:
        ValueError: Says which is wrong.
    """
    asked = partial(
        source_of,
        method=params.method,
        headers=params.headers,
        body=params.body,
        max_bytes=whole(params.max_bytes, "max_bytes", least=1),
        form=format_of(**some(params, *OF_DOCUMENTS), zone=zone_of(params.timezone, around)),
        no_data=statuses_of(params.no_data),
    )
    entered = auth_of(params.auth)
    return lambda ctx, tokens: asked(entry=entered(ctx, tokens))


def shape_of(params: Any, around: str | None = None) -> Reader:
    """Return what reads the documents that params describe.

    Raises:
        ValueError: Says which is wrong.
    """
    return description_of(some(params, *OF_SHAPES), zone=zone_of(params.timezone, around)).reader()


def template_in(params: Any) -> Template:
    """Return what params say is to be asked.

    Raises:
        ValueError: Says which is wrong.
    """
    names = ("url", "query", "body", "headers", "since_param", "until_param")
    return template_of(**some(params, *names))


def cursor_of(params: Any, around: str | None = None) -> Cursor:
    """Return how params say that runs go on.

    Raises:
        ValueError: Says which is wrong.
    """
    revisit = params.revisit
    windows = windows_of(params, zone=asked_zone_of(params))
    said = params.since_timezone or params.timezone
    if said is None and around not in (None, "UTC") and windows.without_zone:
        raise ValueError(
            f"since_timezone: expected UTC or {around} for {{{windows.without_zone}}}, "
            "which says no zone"
        )
    return Cursor(
        windows=windows,
        overlap=duration(params.overlap, "overlap"),
        lookback=None if params.lookback is None else duration(params.lookback, "lookback"),
        ahead=duration(params.ahead, "ahead"),
        patience=duration(params.patience, "patience"),
        hold=duration(params.hold, "hold"),
        revisit=0.0 if revisit is None else revisit.total_seconds(),
        in_order=params.order is not None,
    )


def windows_of(params: Any, *, zone: ZoneInfo | None) -> Windows:
    """Return the windows that params describe, checked against what else goes on by them.

    Args:
        params: All of them.
        zone: Of the times that the source takes.

    Raises:
        ValueError: Says which is wrong.
    """
    places, order = template_in(params).places(), params.order
    span = None if params.span is None else duration(params.span, "span")
    ahead = duration(params.ahead, "ahead")
    if order not in (None, "oldest_first"):
        raise ValueError(f"order: expected 'oldest_first' or nothing, got {order!r}")
    windows = Windows.of(places, pattern=params.since_format, zone=zone, span=span)
    if windows.has(SINCE) and params.time is None:
        raise ValueError("since_param: expected `time` beside it or {since}, to know what was read")
    if ahead and not windows.has(*ENDS):
        raise ValueError("ahead: expected {until} or {last} in url, query or body")
    if params.lookback is None and (span is not None or any(is_firm(*each) for each in places)):
        raise ValueError("lookback: expected, to know where the first run begins to ask")
    return windows


def is_firm(where: str, place: Place) -> bool:
    """Say whether a place cannot be left out of a request, as a param of the query can."""
    return place.name == SINCE and not where.startswith("query.")


def asked_zone_of(params: Any) -> ZoneInfo | None:
    """Return the zone of the times that a source takes: that of those it gives, if none is said.

    Raises:
        ValueError: There is none of this name.
    """
    if params.since_timezone is not None:
        return time_zone(params.since_timezone, "since_timezone")
    return zone_of(params.timezone)


def look_at(name: str, params: Any) -> None:
    """Look at one of the params that say what is to be asked, so that each tells its own faults.

    Raises:
        ValueError: Says what is wrong with it.
    """
    nothing = {"url": "http://h/", "query": None, "body": None}
    one = {**nothing, name: getattr(params, name)}
    template_of(**one, headers=params.headers, since_param=None, until_param=None)


def some(params: Any, *names: str) -> dict[str, Any]:
    """Return some of the params by their names."""
    return {name: getattr(params, name) for name in names}
