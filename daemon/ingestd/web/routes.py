"""Every path of the API, in one table."""

from typing import Final

from ingestd.web import (
    backfills,
    collectors,
    health,
    meterruns,
    metrics,
    requests,
    runs,
    state,
    status,
    stores,
)
from ingestd.web.call import Call, Route, Text, get


async def _greet(_call: Call[object, object]) -> Text:
    """Say what this is, for people who open the address in a browser."""
    return Text("This is ingestd. See /api/v1/status, /metrics, /livez?verbose, /readyz?verbose\n")


ROUTES: Final[tuple[Route, ...]] = (
    get("/", _greet),
    *health.ROUTES,
    *metrics.ROUTES,
    *status.ROUTES,
    *collectors.ROUTES,
    *requests.ROUTES,
    *runs.ROUTES,
    *meterruns.ROUTES,
    *backfills.ROUTES,
    *state.ROUTES,
    *stores.ROUTES,
)
