"""A source that answers with JSON, and what the http_json plugin reads of it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from ingestd.plugins.http_json import run
from ingestd.testing import collect, context

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
NOON = NOW.timestamp()
PLAIN: dict[str, Any] = {"records": "data", "time": "t", "series": "{id}", "value": "v"}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """Run a server that gives every request to a handler; give its address."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    async with TestServer(app) as server:
        yield str(server.make_url("/api"))


async def answers(reply: Any, **params: Any) -> list[dict[str, Any]]:
    """Return the plugin's results where every request gets the same answer."""

    async def handler(_: web.Request) -> web.StreamResponse:
        return reply if isinstance(reply, web.Response) else web.json_response(reply)

    return await served(handler, **params)


async def served(handler: Handler, **params: Any) -> list[dict[str, Any]]:
    """Return the plugin's results from a server, at noon."""
    async with serving(handler) as url, context(now=NOW) as ctx:
        return await collect(run, ctx=ctx, url=url, **params)


def rows(*ages: float) -> list[dict[str, Any]]:
    """Return records that are so many seconds old at noon."""
    return [{"id": "a", "t": NOON - age, "v": age} for age in ages]


def values_of(found: list[dict[str, Any]]) -> list[float]:
    """Return the values of all results."""
    return [value for result in found for _, _, value, *_ in result["readings"]]
