"""Every path of the API, in one table."""

from typing import Any, Final

import ingestd
from ingestd.web import (
    backfills,
    collectors,
    health,
    meterruns,
    metrics,
    openapi,
    requests,
    runs,
    state,
    status,
    stores,
)
from ingestd.web.call import Call, Route, Text, get


async def _describe(_call: Call[object, object]) -> dict[str, Any]:
    """Describe this API in OpenAPI 3.1."""
    return openapi.document(ROUTES, version=ingestd.__version__)


async def _greet(_call: Call[object, object]) -> Text:
    """Say what this is, for people who open the address in a browser."""
    paths = "/api/v1/status, /openapi.json, /metrics, /livez?verbose, /readyz?verbose"
    return Text(f"This is ingestd. See {paths}\n")


ROUTES: Final[tuple[Route, ...]] = (
    get("/", _greet),
    get("/openapi.json", _describe),
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
