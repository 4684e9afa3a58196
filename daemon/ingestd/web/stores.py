"""The stores: their queues, their dead letters, and the newest points in them."""

import dataclasses
from functools import partial
from typing import Annotated, Any, Final

import msgspec

from ingestd.app import Daemon
from ingestd.delivery import Delivery, deadletters
from ingestd.model import MICROSECONDS
from ingestd.views import (
    OnDisk,
    Traffic,
    held_for_others,
    known_json,
    latest_json,
    spool_json,
    store_json,
)
from ingestd.web.call import Call, Nothing, Route, get, post
from ingestd.web.problems import Refusal

DAY: Final = 86_400.0  # seconds


class DeadLettersQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Which dead letters to list.

    Attributes:
        store: Whose, or every store's.
        after: Only those with a higher number, for the next page.
        limit: How many at most.
    """

    store: str | None = None
    after: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] = 0
    limit: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 100


class DeadLettersBody(msgspec.Struct, forbid_unknown_fields=True):
    """What to retry or to purge.

    Attributes:
        store: Whose dead letters.
        ids: Their numbers, or None for all that are there now.
    """

    store: str
    ids: list[Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]] | None = None


class Moved(msgspec.Struct, forbid_unknown_fields=True):
    """What waits for a former store, and which store is to have it.

    Attributes:
        store: The former store.
        to: A configured one.
        overwrite: Whether to take also what may be older than what is stored.
    """

    store: str
    to: str
    overwrite: bool = False


class Dropped(msgspec.Struct, forbid_unknown_fields=True):
    """What waits for a former store.

    Attributes:
        store: Its name.
    """

    store: str


class LatestQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Which points to list.

    Attributes:
        within: How far back to look, in seconds.
        series: A glob, or None for every series.
        store: Where to look, or None for the first store.
    """

    within: Annotated[float, msgspec.Meta(gt=0, le=1e10)] = DAY
    series: str | None = None
    store: str | None = None


async def spools(call: Call[Nothing, Nothing]) -> list[dict[str, Any]]:
    """List what waits on disk for each store."""
    return spool_json(await all_stores(call.daemon))


async def move(call: Call[Nothing, Moved]) -> dict[str, Any]:
    """Give a store what waits for one that is not configured any more."""
    asked = call.body
    found = await call.daemon.deliveries.move(asked.store, asked.to, overwrite=asked.overwrite)
    return {
        "points": found.spooled.points,
        "dead_letters": found.dead,
        "kept_back": found.kept_back,
    }


async def drop(call: Call[Nothing, Dropped]) -> dict[str, Any]:
    """Delete what waits for a store that is not configured any more."""
    return {"points": await call.daemon.deliveries.drop(call.body.store)}


async def dead_letters(call: Call[DeadLettersQuery, Nothing]) -> list[dict[str, Any]]:
    """List dead letters in the order of their numbers."""
    query = call.query
    found = await call.daemon.database.read(
        partial(deadletters.listed, store=query.store, after=query.after, limit=query.limit)
    )
    return [each.as_dict() for each in found]


async def retry(call: Call[Nothing, DeadLettersBody]) -> dict[str, Any]:
    """Put dead letters back into the queue of their store."""
    store = _delivery(call.daemon, call.body.store).name
    return {"points": await call.daemon.deliveries.retry(store, call.body.ids)}


async def purge(call: Call[Nothing, DeadLettersBody]) -> dict[str, Any]:
    """Forget dead letters for ever."""
    return {"points": await call.daemon.deliveries.purge(call.body.store, call.body.ids)}


async def latest(call: Call[LatestQuery, Nothing]) -> list[dict[str, Any]]:
    """List the newest point of each series, as the store has it."""
    daemon, query = call.daemon, call.query
    delivery = _delivery(daemon, query.store or next(iter(daemon.deliveries.by_store), ""))
    since_us = int((daemon.clock.now() - query.within) * MICROSECONDS)
    points = await delivery.sink.latest(since_us=since_us)
    rows = latest_json(points, daemon.config.catalogue, query.series)
    known = [
        (each.config, series)
        for each in daemon.collectors.by_name.values()
        for series in each.series()
    ]
    return known_json(rows, known, query.series)


async def all_stores(daemon: Daemon) -> list[dict[str, Any]]:
    """Return how every store is, those among them that are only left on disk."""
    by_store = daemon.deliveries.by_store
    left = await daemon.database.read(partial(held_for_others, known=frozenset(by_store)))
    limit_bytes = daemon.config.buffer.spool_bytes
    return [
        *(_configured(daemon, each) for each in by_store.values()),
        *(store_json(name, None, held, limit_bytes=limit_bytes) for name, held in left.items()),
    ]


def _delivery(daemon: Daemon, store: str) -> Delivery:
    if store not in daemon.deliveries.by_store:
        known = ", ".join(daemon.deliveries.by_store) or "none"
        raise Refusal(404, f"no store {store!r}, known: {known}")
    return daemon.deliveries.by_store[store]


def _configured(daemon: Daemon, delivery: Delivery) -> dict[str, Any]:
    outage, account = delivery.outage, delivery.account
    waiting = dataclasses.replace(delivery.spool.holds, points=delivery.spooled)
    return store_json(
        delivery.name,
        daemon.config.stores.get(delivery.name),
        OnDisk(waiting=waiting, dead=delivery.dead.count),
        limit_bytes=delivery.spool.limit_bytes,
        traffic=Traffic(
            health=outage.health.value,
            error=outage.message,
            since=outage.since,
            retry_in=None if outage.up else max(0.0, outage.retry_in),
            accepted=delivery.lane.accepted,
            inherited=account.inherited,
            stored=account.stored,
            dropped=account.dropped,
            in_memory=delivery.in_memory,
            suspect=delivery.sender.suspects.points,
            identity=str(delivery.sender.identity),
        ),
    )


ROUTES: Final[tuple[Route, ...]] = (
    get("/api/v1/spool", spools),
    post("/api/v1/spool/move", move, body=Moved),
    post("/api/v1/spool/drop", drop, body=Dropped),
    get("/api/v1/dead-letters", dead_letters, query=DeadLettersQuery),
    post("/api/v1/dead-letters/retry", retry, body=DeadLettersBody),
    post("/api/v1/dead-letters/purge", purge, body=DeadLettersBody),
    get("/api/v1/latest", latest, query=LatestQuery),
)
