"""The stores: their queues, their dead letters, and the newest points in them."""

import sqlite3
from functools import partial
from typing import Annotated, Any, Final

import msgspec

from ingestd.app import Daemon
from ingestd.delivery import Contents, Delivery, deadletters, spool
from ingestd.model import MICROSECONDS
from ingestd.web.call import Call, Nothing, Route, get, post
from ingestd.web.problems import Refusal
from ingestd.web.shapes import latest_json

DAY: Final = 86_400.0
FORMER: Final = "no longer in the configuration"


class DeadLettersQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Which dead letters.

    Attributes:
        store: Whose, or every store's.
        after: Only those with a higher number, for the next page.
        limit: How many at most.
    """

    store: str | None = None
    after: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] = 0
    limit: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 100


class Chosen(msgspec.Struct, forbid_unknown_fields=True):
    """What to retry or to purge.

    Attributes:
        store: Whose dead letters.
        ids: Their numbers, or None for all that are there now.
    """

    store: str
    ids: list[Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]] | None = None


class LatestQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Which points.

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
    return [
        {"store": each["name"], **each["spool"], "health": each["health"]}
        for each in await all_stores(call.daemon)
    ]


async def dead_letters(call: Call[DeadLettersQuery, Nothing]) -> list[dict[str, Any]]:
    """List dead letters in the order of their numbers."""
    query = call.query
    found = await call.daemon.database.read(
        partial(deadletters.listed, store=query.store, after=query.after, limit=query.limit)
    )
    return [each.as_dict() for each in found]


async def retry(call: Call[Nothing, Chosen]) -> dict[str, Any]:
    """Put dead letters back into the queue of their store."""
    store = _delivery(call.daemon, call.body.store).name
    return {"points": await call.daemon.deliveries.retry(store, call.body.ids)}


async def purge(call: Call[Nothing, Chosen]) -> dict[str, Any]:
    """Forget dead letters for ever."""
    return {"points": await call.daemon.deliveries.purge(call.body.store, call.body.ids)}


async def latest(call: Call[LatestQuery, Nothing]) -> list[dict[str, Any]]:
    """List the newest point of each series, as the store has it."""
    daemon, query = call.daemon, call.query
    delivery = _delivery(daemon, query.store or next(iter(daemon.deliveries.by_store), ""))
    since_us = int((daemon.clock.now() - query.within) * MICROSECONDS)
    points = await delivery.sink.latest(since_us=since_us)
    return latest_json(points, daemon.config.catalogue, query.series)


async def all_stores(daemon: Daemon) -> list[dict[str, Any]]:
    """Return how every store is, those among them that are only left on disk."""
    by_store = daemon.deliveries.by_store
    left = await daemon.database.read(partial(_left, known=frozenset(by_store)))
    former = [_former(name, *what, daemon) for name, what in left.items()]
    return [_configured(daemon, each) for each in by_store.values()] + former


def _left(db: sqlite3.Connection, *, known: frozenset[str]) -> dict[str, tuple[Contents, int]]:
    """Return what is on disk for stores that are not known: spool and number of dead letters."""
    names = {*spool.stores(db), *deadletters.stores(db)} - known
    return {name: (spool.contents(db, name), deadletters.count(db, name)) for name in sorted(names)}


def _delivery(daemon: Daemon, store: str) -> Delivery:
    if store not in daemon.deliveries.by_store:
        known = ", ".join(daemon.deliveries.by_store) or "none"
        raise Refusal(404, f"no store {store!r}, known: {known}")
    return daemon.deliveries.by_store[store]


def _configured(daemon: Daemon, delivery: Delivery) -> dict[str, Any]:
    outage, account = delivery.outage, delivery.account
    config = daemon.config.stores.get(delivery.name)
    holds, limit_bytes = delivery.spool.holds, delivery.spool.limit_bytes
    return {
        "name": delivery.name,
        "type": config.type if config else None,
        "health": outage.health.value,
        "error": outage.message,
        "since": outage.since,
        "retry_in": None if outage.up else max(0.0, outage.retry_in),
        "accepted": delivery.lane.accepted,
        "inherited": account.inherited,
        "stored": account.stored,
        "dropped": account.dropped,
        "in_memory": delivery.in_memory,
        "spool": {**_spool(holds, limit_bytes), "points": delivery.spooled},
        "dead_letters": delivery.dead.count,
    }


def _former(name: str, holds: Contents, dead: int, daemon: Daemon) -> dict[str, Any]:
    unknown = ("since", "retry_in", "accepted", "inherited", "stored", "dropped", "in_memory")
    return {
        "name": name,
        "type": None,
        "health": None,
        "error": FORMER,
        **dict.fromkeys(unknown),
        "spool": _spool(holds, daemon.config.buffer.spool_bytes),
        "dead_letters": dead,
    }


def _spool(holds: Contents, limit_bytes: int) -> dict[str, Any]:
    return {
        "bodies": holds.bodies,
        "points": holds.points,
        "bytes": holds.size_bytes,
        "limit_bytes": limit_bytes,
        "oldest_at": holds.oldest_at,
    }


ROUTES: Final[tuple[Route, ...]] = (
    get("/api/v1/spool", spools),
    get("/api/v1/dead-letters", dead_letters, query=DeadLettersQuery),
    post("/api/v1/dead-letters/retry", retry, body=Chosen),
    post("/api/v1/dead-letters/purge", purge, body=Chosen),
    get("/api/v1/latest", latest, query=LatestQuery),
)
