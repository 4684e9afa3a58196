"""Recorded exchanges with an API: what it is asked, and what it answers."""

import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web
from aiohttp.test_utils import TestServer

from ingestd.plugins.http_json import run
from ingestd.testing import collect, context

SERVER = re.compile(r"^https?://[^/]+(?=/)")


@dataclass
class Recorded:
    """A server that gives its answers one after the other, and notes what it is asked.

    Attributes:
        exchanges: Each has what is asked (``ask``, and perhaps ``headers`` and ``sent``), and the
            ``answer``, perhaps of a ``type`` that is not JSON, with a ``status``.
        asked: What was asked, in the words of ``wanted``.
        url: Its address.
    """

    exchanges: Sequence[Mapping[str, Any]] = ()
    url: str = ""
    asked: list[Any] = field(default_factory=list)

    async def handler(self, request: web.Request) -> web.Response:
        """Answer the next request."""
        at = len(self.asked)
        exchange = self.exchanges[at] if at < len(self.exchanges) else {"headers": {}}
        headers = {name: request.headers.get(name) for name in exchange.get("headers", {})}
        sent = body_of(request, await request.text())
        query = sorted(parse_qsl(request.url.raw_query_string, keep_blank_values=True))
        self.asked.append((request.method, request.path, query, headers, sent))
        if "answer" not in exchange:
            return web.Response(status=404)
        return web.Response(
            text=exchange["answer"],
            content_type=exchange.get("type", "application/json"),
            status=exchange.get("status", 200),
        )

    def wanted(self) -> list[Any]:
        """Return what should be asked."""
        return [wanted(exchange) for exchange in self.exchanges]


def wanted(exchange: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return method, path, query, headers and body of a request as it was recorded."""
    method, _, address = exchange["ask"].partition(" ")
    parts = urlsplit(address.replace(" ", "%20"))
    query = sorted(parse_qsl(parts.query, keep_blank_values=True))
    return method, parts.path, query, exchange.get("headers", {}), exchange.get("sent")


def body_of(request: web.Request, text: str) -> Any:
    """Return what was sent: JSON, the fields of a form, or None."""
    if request.content_type == "application/x-www-form-urlencoded":
        return dict(parse_qsl(text))
    return json.loads(text) if text else None


def moved(value: Any, server: str) -> Any:
    """Return params whose addresses all lead to a server."""
    if isinstance(value, Mapping):
        return {name: moved(each, server) for name, each in value.items()}
    return SERVER.sub(server, value) if isinstance(value, str) else value


@asynccontextmanager
async def recorded() -> AsyncIterator[Recorded]:
    """Run a server."""
    server = Recorded()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handler)
    async with TestServer(app) as running:
        server.url = str(running.make_url("")).rstrip("/")
        yield server


@dataclass(frozen=True)
class Run:
    """What came of a run: its results, its notes, and the secrets that it had kept."""

    results: list[dict[str, Any]]
    notes: list[str]
    hidden: dict[str, Any]

    def newest(self, before: float | None) -> float | None:
        """Return the position behind the run, given the one before it."""
        return next((r["newest"] for r in reversed(self.results) if "newest" in r), before)


async def run_of(
    server: Recorded, each: Mapping[str, Any], params: Mapping[str, Any], *, zone: str | None = None
) -> Run:
    """Return a recorded run of the plugin, at its time, with all addresses leading to a server."""
    server.exchanges, server.asked = each["exchanges"], []
    ends = dict(zip(("start", "end"), each.get("backfill", ()), strict=False))
    async with context(now=each["at"], timezone=zone) as ctx:
        results = await collect(run, ctx=ctx, **moved({**params, **ends}, server.url))
        hidden = {name: value for kept in ctx.kept for name, value in kept["hidden"].items()}
        return Run(results, ctx.notes, hidden)


def line(reading: tuple[Any, ...]) -> str:
    """Return a reading as the pages show them."""
    time, series, value, *_ = reading
    return f"{shown(time)}  {series}  {'none' if value is None else value}"


def shown(time: Any) -> str:
    """Return a time as the pages show them."""
    if time is None:
        return "now"
    if isinstance(time, int | float):
        time = datetime.fromtimestamp(time, UTC)
    return f"{time:%Y-%m-%dT%H:%M:%SZ}" if isinstance(time, datetime) else repr(time)
