"""http_json logs in as people do, and goes on with a cookie or a token."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from aiohttp import web

from ingestd.plugins._answers import AnswerError
from ingestd.plugins.http_json import run
from ingestd.testing import TestContext, collect, context
from tests.support.jsonsource import serving

NOW: Final = datetime(2026, 7, 1, 12, tzinfo=UTC)
RIGHT: Final = {"user": "me", "password": "right-one"}
WRONG: Final = {"user": "me", "password": "wrong-one"}


@dataclass
class Portal:
    """A site with a login.

    Attributes:
        closed: How it refuses what comes without a login.
        wrong: How it refuses a login.
        bearer: Whether a login gives a token, in a header of this name; else it gives a cookie.
        logins: The fields that were sent.
        read: How often its data was read.
        valid: What opens it.
    """

    closed: Any = 401
    wrong: Any = 401
    bearer: str = ""
    logins: list[dict[str, Any]] = field(default_factory=list)
    read: int = 0
    valid: str = "none"

    async def handler(self, request: web.Request) -> web.Response:
        """Answer a request."""
        if request.path == "/login":
            return await self.login(request)
        sent = request.headers.get(self.bearer or "none", "") or request.cookies.get("sid", "")
        if sent != self.valid:
            return refusal(self.closed, sent)
        self.read += 1
        following = "/api?page=2" if "page" not in request.query else None
        return web.json_response({"v": self.read, "next": following})

    async def login(self, request: web.Request) -> web.Response:
        """Let a user in."""
        is_json = request.content_type == "application/json"
        fields = await request.json() if is_json else dict(await request.post())
        self.logins.append(fields)
        if fields != RIGHT:
            return refusal(self.wrong, str(fields["password"]))
        self.valid = f"session-{len(self.logins)}"
        if self.bearer:
            return web.json_response({"data": {"jwt": self.valid}})
        reply = web.Response(status=302, headers={"Location": "/home"})
        reply.set_cookie("sid", self.valid)
        return reply


def refusal(how: Any, sent: str) -> web.Response:
    """Return a refusal: a status, or an address to go to; with what was sent, as some sites do."""
    if isinstance(how, str):
        return web.Response(status=302, headers={"Location": how})
    return web.json_response({"refused": sent}, status=how)


@dataclass
class Site:
    """A portal, and a collector that reads it."""

    portal: Portal
    ctx: TestContext
    url: str

    async def run(self, fields: Any = None, **options: Any) -> list[Any]:
        """Read it once; return the values."""
        login = {"url": self.url.replace("/api", "/login"), "form": fields or RIGHT, **options}
        login = {name: value for name, value in login.items() if value is not None}
        found = await collect(
            run, ctx=self.ctx, url=self.url, auth={"login": login}, values={"level": "v"}
        )
        return [value for result in found for _, _, value, *_ in result["readings"]]


@asynccontextmanager
async def site(portal: Portal) -> AsyncIterator[Site]:
    """Run a portal, and make a collector for it."""
    async with serving(portal.handler) as url, context(now=NOW) as ctx:
        yield Site(portal, ctx, url)


@pytest.mark.parametrize("closed", [401, 403, "/login", "/login?next=/api"])
async def test_cookie_of_a_form(closed: Any) -> None:
    """A login is good for many runs, and made again when the site has forgotten it."""
    async with site(Portal(closed=closed)) as there:
        found = await there.run() + await there.run()
        there.portal.valid = "another"
        found += await there.run()

        assert found == [1, 2, 3]
        assert there.portal.logins == [RIGHT, RIGHT]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("Authorization", {"header": "Authorization: {token}"}),
        ("X-Session", {"header": "X-Session: {token}"}),
    ],
)
async def test_token_at_a_path(name: str, options: dict[str, Any]) -> None:
    """It travels in the header that is said."""
    async with site(Portal(bearer=name)) as there:
        found = [
            await there.run(form=None, json=RIGHT, token="data.jwt", **options) for _ in range(2)
        ]

        assert found == [[1], [2]]
        assert there.portal.logins == [RIGHT]


async def test_token_is_a_bearer_token_if_nothing_else_is_said() -> None:
    """The usual header."""
    portal = Portal(bearer="Authorization")
    async with site(portal) as there:
        with pytest.raises(AnswerError, match="also after a new login"):  # it wants it bare
            await there.run(token="data.jwt")


@pytest.mark.parametrize("wrong", [401, 403, 200, "/login?error=1"])
async def test_wrong_password_is_told_and_not_repeated_soon(wrong: Any) -> None:
    """Accounts are locked by that; the pause grows, and ends with another password."""
    async with site(Portal(wrong=wrong)) as there:
        for minutes in (0, 0, 0.5, 0.6, 1, 1.1):
            there.ctx.time = NOW + timedelta(minutes=minutes)
            with pytest.raises(AnswerError, match=r"login") as told:
                await there.run(WRONG)
            assert "wrong-one" not in str(told.value)
        assert len(there.portal.logins) == 2

        assert "not tried again before 2026-07-01 12:03:00Z" in str(told.value)
        assert await there.run() == [1]


async def test_login_that_opens_nothing_is_not_repeated() -> None:
    """Not for the same request, nor soon."""
    portal = Portal()
    async with serving(locked(portal)) as url, context(now=NOW) as ctx:
        there = Site(portal, ctx, url)
        for _ in range(3):
            with pytest.raises(AnswerError, match="also after a new login"):
                await there.run()

        assert len(portal.logins) == 1


def locked(portal: Portal) -> Any:
    """Return a handler of a portal that lets nobody read."""

    async def handler(request: web.Request) -> web.Response:
        reply = await portal.handler(request)
        return reply if request.path == "/login" else refusal(401, "")

    return handler


async def test_what_is_forbidden_is_no_wrong_login() -> None:
    """A source that answers 403 for ever gets one login for each run, and is told as it is."""
    portal = Portal()

    async def handler(request: web.Request) -> web.Response:
        if request.path == "/login":
            return await portal.login(request)
        return refusal(403, request.cookies.get("sid", ""))

    async with serving(handler) as url, context(now=NOW) as ctx:
        with pytest.raises(AnswerError, match=r"got 403 .*\*\*\*") as told:
            await Site(portal, ctx, url).run()

        assert "session-1" not in str(told.value)
        assert len(portal.logins) == 1


async def test_server_that_is_down_is_no_wrong_password() -> None:
    """The next run tries again."""
    async with site(Portal(wrong=503)) as there:
        for _ in range(2):
            with pytest.raises(AnswerError, match="503"):
                await there.run(WRONG)

        assert len(there.portal.logins) == 2


async def test_token_that_is_not_where_it_should_be() -> None:
    """The answer is not shown: it may hold the token in another place."""
    async with site(Portal(bearer="X-T")) as there:
        with pytest.raises(AnswerError, match=r"login\.token: expected one there") as told:
            await there.run(token="jwt")

        assert "session-1" not in str(told.value)


async def test_sessions_beside_each_other_share_a_login() -> None:
    """A backfill has a session of its own, and goes on with the same cookie."""
    async with site(Portal()) as there:
        found = await there.run()
        async with context(now=NOW, beside=there.ctx) as other:
            found += await Site(there.portal, other, there.url).run()

        assert found == [1, 2]
        assert len(there.portal.logins) == 1
