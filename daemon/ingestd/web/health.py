"""Whether the daemon lives, and whether it is ready for work.

A store that is away is neither: readings are safe in the spool, and nothing
would be better after a restart.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from ingestd.app import Daemon
from ingestd.web.call import Call, Nothing, Route, Text, get


class HealthQuery(msgspec.Struct):
    """How much to tell; probes add what they like.

    Attributes:
        verbose: Whatever its value, each check is listed.
    """

    verbose: str | None = None


async def live(call: Call[HealthQuery, Nothing]) -> Text:
    """Answer 200 while the event loop turns and every schedule and delivery moves."""
    stuck = dict.fromkeys(call.daemon.stuck, "does not move")
    return _told({"event loop": "", **stuck}, call.query)


async def ready(call: Call[HealthQuery, Nothing]) -> Text:
    """Answer 200 between start and stop while readings of every kind are taken in."""
    return _told(_readiness(call.daemon), call.query, _notes(call.daemon))


def _readiness(daemon: Daemon) -> dict[str, str]:
    """Return what readiness depends on: name -> what is wrong with it."""
    checks = {
        "started": "" if daemon.ready.is_set() else "is starting",
        "running": "is stopping" if daemon.stopping.is_set() else "",
    }
    for name, delivery in daemon.deliveries.by_store.items():
        checks[f"spool of {name}"] = ""
        if name in daemon.buffer.paused:
            wrong = "cannot be written" if delivery.space.failure else "full"
            checks[f"spool of {name}"] = f"{wrong}, collectors with a cursor wait"
    return checks


def _notes(daemon: Daemon) -> list[str]:
    """Return what does not make the daemon less ready, without texts of others: all may ask."""
    if not daemon.ready.is_set():
        return []
    overview = daemon.overview()
    troubled = [each for each in overview.collectors.values() if each.state.is_trouble]
    down = [each.name for each in overview.stores if each.down_for is not None]
    lines = [f"store {name}: down" for name in down]
    lines += [f"collector {each.name}: {each.state}" for each in troubled]
    counted = f"{len(troubled)} of {len(overview.collectors)} collectors need attention"
    return [*lines, counted if troubled else "all collectors are well"]


def _told(checks: dict[str, str], query: HealthQuery, notes: Sequence[str] = ()) -> Text:
    wrong = {name: why for name, why in checks.items() if why}
    lines = [f"{name}: {why or 'ok'}" for name, why in checks.items()] + [*notes]
    if query.verbose is None:
        lines = [f"{name}: {why}" for name, why in wrong.items()] or ["ok"]
    return Text("".join(f"{line}\n" for line in lines), status=503 if wrong else 200)


_OPEN: Final[dict[str, Any]] = {"query": HealthQuery, "open": True, "statuses": (200, 503)}
ROUTES: Final[tuple[Route, ...]] = (
    get("/livez", live, **_OPEN),
    get("/healthz", live, **_OPEN),
    get("/readyz", ready, **_OPEN),
)
