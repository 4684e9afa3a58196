"""A server that answers as TOM Toolkit 3.1.0 was seen to: its misbehaviour included."""

import json
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web
from aiohttp.test_utils import TestServer

USER: Final = {"username": "reader", "password": "s3cret-password"}
TOKEN: Final = "0123456789abcdef-token"
TYPED: Final = ("photometry", "spectroscopy", "astrometry")
SEEN: Final = web.RequestKey("seen", dict[int, str])
BASIC: Final = b64encode(f"{USER['username']}:{USER['password']}".encode()).decode()


@dataclass
class FakeTom:
    """A TOM with private targets.

    Attributes:
        targets: The names of those that the account sees, by their ids.
        public: Likewise, of those that everyone sees.
        legacy: Rows in the old table; as the API shows them.
        typed: Rows in the new tables, likewise.
        observations: Observation records, likewise.
        schemes: What it looks at in `Authorization`.
        faults: What to answer instead, for a target's rows by its id, or for `observations`.
        asked: The path and the query of each request that was let in.
    """

    targets: dict[int, str] = field(default_factory=dict)
    public: dict[int, str] = field(default_factory=dict)
    legacy: list[dict[str, Any]] = field(default_factory=list)
    typed: list[dict[str, Any]] = field(default_factory=list)
    observations: list[dict[str, Any]] = field(default_factory=list)
    schemes: tuple[str, ...] = ("Token", "Basic")
    faults: dict[str, web.Response] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    url: str = ""

    @web.middleware
    async def let_in(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """Refuse what is wrong in a way that it knows, and take all else for anonymous."""
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme in self.schemes:
            if not given:
                text = f"Invalid {scheme.lower()} header. No credentials provided."
                return refusal(401, text)
            if given != (TOKEN if scheme == "Token" else BASIC):
                return refusal(401, f"Invalid {scheme}: {given}")
            request[SEEN] = {**self.public, **self.targets}
        else:
            request[SEEN] = self.public
        self.asked.append((request.path, dict(request.query)))
        answered: web.StreamResponse = await handler(request)
        return answered

    async def list_targets(self, request: web.Request) -> web.Response:
        """List what the account sees."""
        rows = [{"id": number, "name": name} for number, name in request[SEEN].items()]
        return paged(request, rows)

    async def list_rows(self, request: web.Request) -> web.Response:
        """List rows, the newest first; those of one time as the tables have them."""
        wanted = request.query.get("target__id")
        if wanted in self.faults:
            return copy_of(self.faults[wanted])
        only = request.query.get("data_type")
        tables = self.typed if only in TYPED else [*self.legacy, *self.typed]
        rows = [
            row
            for row in tables
            if row["target"] in request[SEEN]
            and wanted in (None, str(row["target"]))
            and only in (None, row["data_type"])
        ]
        return paged(request, sorted(rows, key=lambda row: str(row["timestamp"]), reverse=True))

    async def list_observations(self, request: web.Request) -> web.Response:
        """List observation records, the newest first."""
        if "observations" in self.faults:
            return copy_of(self.faults["observations"])
        rows = [row for row in self.observations if row["target"] in request[SEEN]]
        return paged(request, sorted(rows, key=lambda row: -int(row["id"])))

    def rows_asked(self) -> list[str]:
        """Return the targets whose rows were asked for."""
        return [query["target__id"] for path, query in self.asked if "reduceddatums" in path]


def refusal(status: int, detail: str) -> web.Response:
    """Refuse a request as the framework does."""
    return web.json_response({"detail": detail}, status=status)


def copy_of(answer: web.Response) -> web.Response:
    """Return an answer anew, since each can be sent once."""
    return web.Response(status=answer.status, body=answer.body, headers=answer.headers)


def paged(request: web.Request, rows: list[Any]) -> web.Response:
    """Answer with a page of rows; the address of the next one is that behind a proxy."""
    limit = int(request.query.get("limit", 100))
    offset = int(request.query.get("offset", 0))
    more = offset + limit < len(rows)
    found = {
        "count": len(rows),
        "next": f"http://tom.internal:8000{request.path}?limit={limit}" if more else None,
        "previous": None,
        "results": rows[offset : offset + limit],
    }
    return web.json_response(found, dumps=json.dumps)


def photometry(target: int, time: str, brightness: float | None, **more: Any) -> dict[str, Any]:
    """Return a row of the new table."""
    value = {"brightness": brightness, "brightness_error": None, "bandpass": "r", "unit": ""}
    return row(target, time, {**value, "telescope": "", "instrument": "", **more})


def row(target: int, time: Any, value: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a row."""
    return {
        "data_product": None,
        "data_type": "photometry",
        "source_name": "",
        "source_location": "",
        "timestamp": time,
        "value": value,
        "target": target,
        **more,
    }


@asynccontextmanager
async def serving_tom(tom: FakeTom) -> AsyncIterator[FakeTom]:
    """Let a TOM answer on a free port."""
    app = web.Application(middlewares=[tom.let_in])
    app.router.add_get("/api/targets/", tom.list_targets)
    app.router.add_get("/api/reduceddatums/", tom.list_rows)
    app.router.add_get("/api/observations/", tom.list_observations)
    async with TestServer(app) as server:
        tom.url = str(server.make_url("")).rstrip("/")
        yield tom
