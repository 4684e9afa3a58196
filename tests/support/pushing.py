"""The push plugin at a free port, and the daemon's side of it in the hands of a test.

async def test_...() -> None:
    async with pushing(store_keys=["k"]) as push:
        reply = await push.post("/readings", json=[[1, "level", 2.5]], key="k")

    assert push.readings == [(1, "level", 2.5, {})]
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import trustme

from ingestd.plugins import http_push
from ingestd.testing import TestContext, context, results
from tests.support.deadline import WITHIN
from tests.support.ports import free_port

NOON: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
STORE: Final = "/readingdb/reading/store/"
LINE: Final = "cpu value=1 1000000000"
BATCH: Final = {"readings": [[1, "a", 1]]}


@dataclass
class Reply:
    """What a sender was answered."""

    status: int
    text: str
    headers: Mapping[str, str]


@dataclass
class Push:
    """A plugin that listens.

    Attributes:
        url: Where.
        ctx: What it was given.
        results: What it has yielded.
        task: Takes its results; ends with it.
    """

    url: str
    ctx: TestContext
    results: list[list[tuple[Any, ...]]] = field(default_factory=list)
    task: "asyncio.Task[None] | None" = None

    @property
    def readings(self) -> list[tuple[Any, ...]]:
        """All readings so far."""
        return [reading for each in self.results for reading in each]

    async def get(self, path: str, **options: Any) -> Reply:
        """Send a GET."""
        return await self.send("GET", path, **options)

    async def post(self, path: str, **options: Any) -> Reply:
        """Send a POST."""
        return await self.send("POST", path, **options)

    async def send(self, method: str, path: str, *, key: str = "", **options: Any) -> Reply:
        """Send a request; return the answer of any status."""
        headers = {**options.pop("headers", {}), **({"store-key": key} if key else {})}
        async with self.ctx.http.request(
            method, f"{self.url}{path}", headers=headers, **options
        ) as reply:
            return Reply(reply.status, await reply.text(), reply.headers)

    async def logged(self, event: str) -> None:
        """Return once the plugin has logged something."""
        async with asyncio.timeout(WITHIN):
            while not any(line["event"] == event for line in self.ctx.logs):  # noqa: ASYNC110 -- a list has no event
                await asyncio.sleep(0.005)

    async def until(self, count: int) -> None:
        """Return once so many results have come."""
        async with asyncio.timeout(WITHIN):
            while len(self.results) < count:  # noqa: ASYNC110 -- a list has no event
                await asyncio.sleep(0.005)


@asynccontextmanager
async def pushing(ctx: TestContext | None = None, **params: Any) -> AsyncIterator[Push]:
    """Run the plugin until the block ends."""
    if ctx is None:
        async with context() as made, pushing(made, **params) as push:
            yield push
        return
    listen = params.get("listen") or f"127.0.0.1:{free_port()}"
    scheme = "https" if "tls" in params else "http"
    if "path" not in params:
        params["listen"] = listen
    push = Push(f"{scheme}://{listen}", ctx)

    async def take() -> None:
        async with aclosing(results(http_push.run, ctx=ctx, **params)) as found:
            async for each in found:
                push.results.append(each["readings"])

    push.task = asyncio.create_task(take())
    try:
        await listening(push)
        yield push
    finally:
        ctx.stop()
        push.task.cancel()
        await asyncio.wait({push.task})


async def listening(push: Push) -> None:
    """Return once it listens; fail as it fails."""
    assert push.task is not None
    async with asyncio.timeout(WITHIN):
        while not any(line["event"] == "listening" for line in push.ctx.logs):
            if push.task.done():
                await push.task
            await asyncio.sleep(0.005)


async def connected(
    push: Push, tls: ssl.SSLContext | None = None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Return a bare connection, for what no well-behaved client would do."""
    host, _, port = push.url.partition("://")[2].rpartition(":")
    return await asyncio.open_connection(host, int(port), ssl=tls)


async def closed(reader: asyncio.StreamReader) -> bool:
    """Say whether the other side closes the connection soon."""
    try:
        async with asyncio.timeout(WITHIN):
            return await reader.read() == b""
    except ConnectionError:
        return True


def write_certificate(ca: trustme.CA, files: dict[str, str]) -> None:
    """Write a certificate for this machine to ``cert_file`` and ``key_file``."""
    made = ca.issue_cert("127.0.0.1")
    Path(files["key_file"]).write_bytes(made.private_key_pem.bytes())
    Path(files["cert_file"]).write_bytes(b"".join(each.bytes() for each in made.cert_chain_pems))


def trusting(ca: trustme.CA) -> ssl.SSLContext:
    """Return what trusts one authority alone."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ca.configure_trust(tls)
    return tls
