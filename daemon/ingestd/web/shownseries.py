"""What the pages on series show: those that match, and the chart of one."""

from collections.abc import Iterator
from math import ceil
from typing import Annotated, Final

import msgspec

from ingestd.app import Daemon
from ingestd.config import duration
from ingestd.health import Overview, SeriesKey, State
from ingestd.model import MICROSECONDS
from ingestd.views import Bands
from ingestd.web.call import Call, Nothing
from ingestd.web.problems import Refusal
from ingestd.web.shown import ROWS, Shown

MOST_NEVER: Final = 20  # collectors
COLUMNS: Final = 360  # of a chart
SLICES: Final = 24  # in which a span is read, so that what is read is bounded
MOST_POINTS: Final = 100_000  # of a chart
LONGEST: Final = 50 * 365 * 86_400.0  # seconds

# What a datetime can say in every zone.
Until = Annotated[float, msgspec.Meta(ge=-62_000_000_000, le=253_000_000_000)]


class SeriesPage(msgspec.Struct):
    """Which series to show.

    Attributes:
        q: A part of the name, in any case.
        collector: Whose, or an empty string for all.
        late: Whether only late ones are wanted.
        page: Which hundred.
    """

    q: str = ""
    collector: str = ""
    late: bool = False
    page: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1


class ChartPage(msgspec.Struct):
    """What to draw.

    Attributes:
        series: The name of the series.
        tags: Its tags as a JSON object, or an empty string for none.
        collector: Whose it is, for a link; or an empty string.
        store: Where to look, or an empty string for the first store.
        span: How long the chart is, such as ``36h``.
        until: Its end in seconds since the Unix epoch, or None for now.
    """

    series: str
    tags: str = ""
    collector: str = ""
    store: str = ""
    span: str = "1d"
    until: Until | None = None


async def series(call: Call[SeriesPage, Nothing]) -> Shown:
    """Show series, those that are late first."""
    daemon, query, seen = call.daemon, call.query, call.daemon.overview()
    found = list(_found(daemon, query, seen))
    shown = found[(query.page - 1) * ROWS : query.page * ROWS]
    never = [each.name for each in seen.collectors.values() if each.state is State.NEVER]
    return {
        "series": [row for collector, key in shown for row in _rows(daemon, collector, key)],
        "found": len(found),
        "never": [name for name in never if query.collector in ("", name)][:MOST_NEVER],
        "query": {"q": query.q, "collector": query.collector, "late": query.late},
        "page": query.page,
        "pages": ceil(len(found) / ROWS),
    }


def _found(daemon: Daemon, query: SeriesPage, seen: Overview) -> Iterator[tuple[str, SeriesKey]]:
    """Yield what matches; only those on a page are looked at more closely, for there are many."""
    part = query.q.strip().lower()
    collectors = [each for each in daemon.collectors.by_name if query.collector in ("", each)]
    late = [
        (-each.silent, name, each.key)
        for name in collectors
        if name in seen.facts
        for each in seen.facts[name].late
        if part in each.key.name.lower()
    ]
    known = {(name, key) for _, name, key in late}
    yield from ((name, key) for _, name, key in sorted(late))
    if query.late:
        return
    for name in collectors:
        for key in daemon.collectors.by_name[name].series_keys():
            if part in key.name.lower() and (name, key) not in known:
                yield name, key


def _rows(daemon: Daemon, collector: str, key: SeriesKey) -> Iterator[Shown]:
    for each in daemon.collectors.by_name[collector].series([key]):
        yield {
            "series": key.name,
            "tags": dict(key.tags),
            "collector": collector,
            "state": each.state,
            "newest": each.newest,
            "every": each.every,
        }


async def chart(call: Call[ChartPage, Nothing]) -> Shown:
    """Show the chart of a series."""
    daemon, query = call.daemon, call.query
    end = daemon.clock.now() if query.until is None else query.until
    start = end - _seconds(query.span)
    stores = daemon.deliveries.by_store
    store = query.store or next(iter(stores), "")
    if store not in stores:
        raise Refusal(404, f"no store {store!r}, known: {', '.join(stores)}")
    bands = Bands(int(start * MICROSECONDS), int(end * MICROSECONDS), columns=COLUMNS)
    since_us = await _read(daemon, store, query.series, _tags(query.tags), bands)
    return {
        "series": query.series,
        "tags": _tags(query.tags),
        "collector": query.collector,
        "store": store,
        "start": start,
        "end": end,
        "since": max(start, since_us / MICROSECONDS),
        "until": query.until,
        "span": query.span,
        "columns": bands.as_json(),
    }


async def _read(daemon: Daemon, store: str, series: str, tags: dict[str, str], bands: Bands) -> int:
    """Read a span, the newest first, until it is all there or there are too many points."""
    sink, end_us = daemon.deliveries.by_store[store].sink, bands.end_us
    width_us = max(1, (bands.end_us - bands.start_us) // SLICES)
    while end_us > bands.start_us and bands.count < MOST_POINTS:
        start_us = max(bands.start_us, end_us - width_us)
        points = await sink.read(series, start_us=start_us, end_us=end_us, tags=tags)
        bands.add(each for each in points if each.tags == tags)
        end_us = start_us
    return end_us


def _seconds(text: str) -> float:
    try:
        found = duration(text)
    except ValueError as error:
        raise Refusal(400, f"query: span: {error}") from None
    if not 1 <= found <= LONGEST:
        raise Refusal(400, f"query: span: expected 1s to 50 years, got {text:.40}")
    return found


def _tags(text: str) -> dict[str, str]:
    try:
        return msgspec.json.decode(text or "{}", type=dict[str, str])
    except (msgspec.DecodeError, UnicodeEncodeError):
        raise Refusal(400, "query: tags: expected a JSON object of texts") from None
