"""Asks the DCS server of the tests, as a program would."""

import json
from datetime import UTC, datetime
from typing import Any

import aiohttp

from tests.support.dcs import FakeDcs

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
CREDENTIALS = {"username": "reader", "password": "s3cret"}


class Client:
    """Asks a server."""

    def __init__(self, dcs: FakeDcs, session: aiohttp.ClientSession) -> None:
        self.dcs, self.session = dcs, session

    async def get(self, url: str, **query: Any) -> tuple[int, Any]:
        """Return the status and the document that a question is answered with."""
        reply, text = await self.raw(url, **query)
        return reply.status, json.loads(text)

    async def raw(self, url: str, **query: Any) -> tuple[aiohttp.ClientResponse, str]:
        """Return what a question is answered with, as it comes."""
        asked = {name: str(value) for name, value in query.items()}
        async with self.session.get(url, params=asked, allow_redirects=False) as reply:
            return reply, await reply.text()

    async def readings(self, identity: str = "R733", **query: Any) -> tuple[int, Any]:
        """Ask the current API for readings, without signing in."""
        return await self.get(f"{self.dcs.current_url}/public/readings", id=identity, **query)

    async def post(self, path: str, **sent: Any) -> int:
        """Return the status that a POST is answered with."""
        async with self.session.post(f"{self.dcs.url}/{path}", json=sent) as reply:
            await reply.read()
            return reply.status

    async def sign_in(self) -> None:
        """Sign in to both APIs."""
        assert await self.post("DCSWebApi/authentication/signin", **CREDENTIALS) == 200
        assert await self.post("DCS/api/account/login", **CREDENTIALS) == 200


def iso(at: datetime) -> str:
    """Write a time as the current API wants it."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def span(start: datetime, end: datetime) -> dict[str, str]:
    """Return the parameters for a range in the current API."""
    return {"startTime": iso(start), "endTime": iso(end)}
