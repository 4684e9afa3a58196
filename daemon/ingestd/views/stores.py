"""Stores, what waits on disk for them, and what they refused, as JSON."""

import sqlite3
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from ingestd.config import StoreConfig
from ingestd.delivery import Contents, deadletters, said_of_former, spool


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What only the daemon that delivers to a store knows of it; the numbers are of points.

    Attributes:
        health: How the store is: ``up``, ``down`` or ``probing``; None if that is not known.
        error: Why it is not up, or an empty string.
        since: Since when it has been so, in seconds since the Unix epoch, or None.
        retry_in: When it is tried again, in seconds from now, or None.
        accepted: Taken in for the store.
        inherited: Found on disk at the start.
        stored: Taken by the store.
        dropped: Given up.
        in_memory: On their way.
        suspect: Those that wait on disk because the store fails over them, while it takes others.
        identity: Who answers, product and version; an empty string if that is not known.
    """

    health: str | None = None
    error: str = ""
    since: float | None = None
    retry_in: float | None = None
    accepted: int | None = None
    inherited: int | None = None
    stored: int | None = None
    dropped: int | None = None
    in_memory: int | None = None
    suspect: int | None = None
    identity: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnDisk:
    """What the state directory holds for a store.

    Attributes:
        waiting: The spool.
        dead: The number of dead letters.
    """

    waiting: Contents
    dead: int


UNKNOWN: Final = Traffic()


def store_json(
    name: str,
    config: StoreConfig | None,
    disk: OnDisk,
    *,
    limit_bytes: int,
    traffic: Traffic | None = None,
) -> dict[str, Any]:
    """Return a store with its accounts.

    Args:
        name: What it is, or was, called in the configuration.
        config: What the operator wrote, or None if it is no longer there.
        disk: What the state directory holds for it.
        limit_bytes: The most that its spool may hold.
        traffic: What a daemon knows of it, or None if none delivers there.
    """
    if traffic is None:
        traffic = UNKNOWN if config else Traffic(error=said_of_former(name, disk.waiting.points))
    return {
        "name": name,
        "type": config.type if config else None,
        **asdict(traffic),
        "spool": {
            "bodies": disk.waiting.bodies,
            "points": disk.waiting.points,
            "bytes": disk.waiting.size_bytes,
            "limit_bytes": limit_bytes,
            "oldest_at": disk.waiting.oldest_at,
        },
        "dead_letters": disk.dead,
    }


def spool_json(stores: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what waits on disk for each store, of what ``store_json`` has returned."""
    return [{"store": each["name"], **each["spool"], "health": each["health"]} for each in stores]


def held_for(db: sqlite3.Connection, store: str) -> OnDisk:
    """Return what a state database holds for a store."""
    return OnDisk(waiting=spool.contents(db, store), dead=deadletters.count(db, store))


def held_for_others(db: sqlite3.Connection, known: Collection[str]) -> dict[str, OnDisk]:
    """Return what it holds for stores that are no longer configured, by their former names."""
    former = sorted({*spool.stores(db), *deadletters.stores(db)} - {*known})
    return {name: held_for(db, name) for name in former}
