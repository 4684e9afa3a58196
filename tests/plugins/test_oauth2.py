"""http_json opens accounts by OAuth 2; the server is Authlib's."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest

from ingestd.plugins._answers import AnswerError
from ingestd.plugins.http_json import authorize, run
from ingestd.testing import TestContext, collect, context
from tests.support.oauth2server import SECRET, Client, OAuth2Server, oauth2_server

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)


class Site:
    """A collector with its server, and what it keeps from run to run."""

    def __init__(self, server: OAuth2Server, ctx: TestContext, **options: Any) -> None:
        self.server, self.ctx = server, ctx
        self.options = {
            "token_url": f"{server.url}/token",
            "client_id": "app",
            "client_secret": SECRET,
            **options,
        }
        self.tokens: Any = None

    @property
    def params(self) -> dict[str, Any]:
        """Its params."""
        options = {name: value for name, value in self.options.items() if value is not None}
        return {
            "url": f"{self.server.url}/data",
            "values": {"level": "v"},
            "auth": {"oauth2": options},
        }

    async def run(self) -> list[Any]:
        """Read the source once; return the values."""
        try:
            found = await collect(run, ctx=self.ctx, tokens=self.tokens, **self.params)
        finally:
            if self.ctx.kept:
                self.tokens = self.ctx.kept[-1]["hidden"]["tokens"]
        return [value for result in found for _, _, value, *_ in result["readings"]]


@asynccontextmanager
async def site(server: OAuth2Server, **options: Any) -> AsyncIterator[Site]:
    """Run a server, and make a collector for it."""
    with oauth2_server(server):
        async with context(now=NOW) as ctx:
            yield Site(server, ctx, **options)


def later(there: Site, **span: float) -> None:
    """Let time pass."""
    assert there.ctx.time is not None
    there.ctx.time += timedelta(**span)


@pytest.mark.parametrize(
    ("method", "options"),
    [("client_secret_basic", {}), ("client_secret_post", {"client_auth": "body"})],
)
async def test_client_credentials(method: str, options: dict[str, Any]) -> None:
    """One token is good for many runs; the secret travels where it is said."""
    async with site(OAuth2Server(Client(method=method)), **options) as there:
        found = await there.run() + await there.run()

        assert found == [1, 1]
        assert there.server.kinds == ["client_credentials"]
        assert ("client_secret" in there.server.asked[0]) is (method == "client_secret_post")
        assert there.ctx.kept == []


async def test_scope_audience_and_more_are_asked_for() -> None:
    """Scopes may be a list."""
    options = {"scope": ["read", "meters"], "audience": "https://api", "extra": {"tenant": 7}}
    async with site(OAuth2Server(), **options) as there:
        await there.run()

        (asked,) = there.server.asked
        assert asked["scope"] == "read meters"
        assert (asked["audience"], asked["tenant"]) == ("https://api", "7")


async def test_token_is_renewed_before_it_ends() -> None:
    """A token that ends within the next moment is not begun with."""
    async with site(OAuth2Server(lifetime=600)) as there:
        await there.run()
        later(there, seconds=530)
        await there.run()
        assert there.server.kinds == ["client_credentials"]

        later(there, seconds=20)
        await there.run()

        assert there.server.kinds == ["client_credentials"] * 2


async def test_token_that_lives_for_seconds_is_good_for_a_run() -> None:
    """It is not renewed for each request."""
    async with site(OAuth2Server(lifetime=20)) as there:
        await there.run()
        later(there, seconds=10)
        await there.run()

        assert there.server.kinds == ["client_credentials"]


async def test_token_that_is_refused_is_renewed_once() -> None:
    """The request is made again with a new one; one that is refused, too, is told."""
    async with site(OAuth2Server()) as there:
        await there.run()
        there.server.revoke()
        assert await there.run() == [1]
        assert there.server.kinds == ["client_credentials"] * 2

        there.server.opens_to_all = False
        with pytest.raises(AnswerError, match="also with a new token") as told:
            await there.run()

        assert there.server.kinds == ["client_credentials"] * 3
        assert "access-" not in str(told.value)
        assert "Bearer ***" in str(told.value)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"client_secret": "wrong"}, "invalid_client.*look at the client"),
        ({"client_id": "other"}, "invalid_client"),
        ({"client_auth": "body"}, "invalid_client"),
        ({"scope": "everything"}, "invalid_scope.*does not know this scope"),
        ({"refresh_token": "made-up-token"}, "invalid_grant.*authorized again"),
    ],
)
async def test_refusals_say_what_the_server_says(options: dict[str, Any], expected: str) -> None:
    """Never with a secret."""
    async with site(OAuth2Server(), **options) as there:
        with pytest.raises(AnswerError, match=expected) as told:
            await there.run()

        for secret in (SECRET, "wrong", "made-up-token"):
            assert secret not in str(told.value)
        assert there.server.read == 0


async def test_grant_that_is_not_for_this_client() -> None:
    """The server's word for it is explained."""
    async with site(OAuth2Server(Client(kinds=("refresh_token",)))) as there:
        with pytest.raises(AnswerError, match=r"unauthorized_client.*in this way"):
            await there.run()


async def test_rotated_refresh_tokens_are_kept() -> None:
    """The token of the configuration is spent once, also after a restart."""
    server = OAuth2Server(lifetime=600)
    async with site(server, refresh_token=server.refresh_token()) as there:
        for _ in range(4):
            assert await there.run() == [1]
            later(there, hours=1)
        async with context(now=there.ctx.now()) as restarted:
            there.ctx = restarted
            assert await there.run() == [1]

        assert server.kinds == ["refresh_token"] * 5
        assert there.tokens["refresh"].startswith("refresh-")


class Disk(asyncio.Event):
    """What is set when all is on disk; tells that a plugin waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.awaited = asyncio.Event()

    async def wait(self) -> Literal[True]:
        """Return when all is on disk."""
        self.awaited.set()
        return await super().wait()


async def test_rotated_refresh_tokens_are_on_disk_before_they_are_used() -> None:
    """Servers may let the one before work until then, for a client that is killed meanwhile."""
    server = OAuth2Server()
    async with site(server, refresh_token=server.refresh_token()) as there:
        there.ctx.on_disk = disk = Disk()
        running = asyncio.create_task(there.run())
        await disk.awaited.wait()
        assert (server.read, len(there.ctx.kept)) == (0, 1)

        disk.set()

        assert await running == [1]


async def test_another_refresh_token_in_the_configuration_is_taken() -> None:
    """It replaces an account that opens no more."""
    server = OAuth2Server()
    async with site(server, refresh_token=server.refresh_token()) as there:
        await there.run()
        server.issuer.tokens.clear()
        there.options["refresh_token"] = server.refresh_token("second")
        later(there, hours=2)

        assert await there.run() == [1]


async def test_tokens_of_another_client_are_not_used() -> None:
    """Nor those for other scopes."""
    server = OAuth2Server()
    async with site(server, refresh_token=server.refresh_token()) as there:
        await there.run()
        server.issuer.tokens.clear()
        there.options["scope"] = "read"

        with pytest.raises(AnswerError, match="invalid_grant"):
            await there.run()
        assert [each["refresh_token"] for each in server.asked] == ["first-refresh"] * 2


async def test_device_is_allowed_once() -> None:
    """A person sees the address and the code; runs go on with what that brings."""
    server = OAuth2Server(Client(method="none"), lifetime=600)
    async with site(server, client_secret=None, device_url=f"{server.url}/x") as there:
        there.options["device_url"] = f"{server.url}/device_authorization"
        with pytest.raises(AnswerError, match="ingestd authorize test"):
            await there.run()
        told: list[str] = []

        def tell(text: str) -> None:
            told.append(text)
            server.allowed = True

        hidden = await authorize(ctx=there.ctx, tell=tell, **there.params)
        there.tokens = hidden["tokens"]
        values = await there.run()
        later(there, hours=1)
        values += await there.run()

        assert values == [1, 1]
        assert f"{server.url}/device" in told[0]
        assert server.kinds[-1] == "refresh_token"


async def test_device_waits_for_a_server_that_is_away() -> None:
    """A hiccup while the person is at it does not end it."""
    server = OAuth2Server(allowed=True, away=[0, 503])
    async with site(server) as there:
        there.options["device_url"] = f"{server.url}/device_authorization"

        hidden = await authorize(ctx=there.ctx, tell=lambda _: None, **there.params)

        assert hidden["tokens"]["access"]
        assert server.away == []


async def test_device_that_is_not_allowed() -> None:
    """The command says so, and keeps nothing."""
    server = OAuth2Server(allowed=False)
    async with site(server) as there:
        there.options["device_url"] = f"{server.url}/device_authorization"
        with pytest.raises(AnswerError, match=r"access_denied.*did not allow"):
            await authorize(ctx=there.ctx, tell=lambda _: None, **there.params)


async def test_only_devices_are_authorized_by_hand() -> None:
    """Client credentials need no person."""
    async with site(OAuth2Server()) as there:
        with pytest.raises(AnswerError, match="device_url"):
            await authorize(ctx=there.ctx, tell=lambda _: None, **there.params)
