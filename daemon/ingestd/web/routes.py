"""Every path of the API, in one table; those of pages are in ``pages``."""

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
from ingestd.web.call import Call, Route, get


async def _describe(_call: Call[object, object]) -> dict[str, Any]:
    """Describe this API in OpenAPI 3.1."""
    return openapi.document(ROUTES, version=ingestd.__version__)


ROUTES: Final[tuple[Route, ...]] = (
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
