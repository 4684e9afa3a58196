"""Ways in which sites give a token at a login, and say that a login is over."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from ingestd.plugins._answers import AnswerError
from ingestd.plugins.http_json import run
from ingestd.testing import collect, context
from tests.support.jsonsource import NOW, serving

FORM = {"user": "me", "password": "right-one"}
HTML = "<!DOCTYPE html>\n<html><form action='/login'></form></html>"


@dataclass
class Portal:
    """A site that takes what its last login gave.

    Attributes:
        gives: What a login answers, with a token.
        over: What else it answers to one that is over.
        header: In which a token travels; none: as a cookie.
        logins: What came at each login.
    """

    gives: Callable[[str], web.StreamResponse]
    over: Callable[[], web.StreamResponse] = lambda: web.Response(status=401)
    header: str = "Authorization"
    scheme: str = "Bearer "
    valid: str = ""
    logins: list[Any] = field(default_factory=list)
    opens: bool = True

    async def handler(self, request: web.Request) -> web.StreamResponse:
        """Answer a request."""
        if request.path == "/login":
            self.logins.append((request.method, dict(request.query), await request.text()))
            self.valid = f"session-{len(self.logins)}"
            return self.gives(self.valid)
        sent = request.headers.get(self.header, "") if self.header else request.cookies.get("sid")
        if self.opens and sent == f"{self.scheme}{self.valid}":
            return web.json_response({"v": len(self.logins)})
        return self.over()


async def read(portal: Portal, *, ends: bool = False, **options: Any) -> list[float]:
    """Return the values of two runs, between which the login may come to its end."""
    found: list[float] = []
    async with serving(portal.handler) as url, context(now=NOW) as ctx:
        login = {"url": url.replace("/api", "/login"), "form": FORM, **options}
        for _ in range(2):
            results = await collect(
                run, ctx=ctx, url=url, auth={"login": login}, values={"level": "v"}
            )
            found += [value for each in results for _, _, value, *_ in each["readings"]]
            portal.valid = "none" if ends else portal.valid
    return found


@pytest.mark.parametrize(
    ("gives", "options"),
    [
        (lambda token: web.json_response([{"token": token}]), {"token": "[0].token"}),
        (web.json_response, {"token": "@"}),
        (lambda token: web.Response(text=f"{token}\n"), {"token": "@"}),
        (lambda token: web.Response(headers={"X-Auth": token}), {"token_header": "x-auth"}),
        (
            lambda token: web.Response(status=201, headers={"Authorization": f"Bearer {token}"}),
            {"token_header": "Authorization"},
        ),
    ],
)
async def test_token_comes_in_many_ways(gives: Any, options: dict[str, Any]) -> None:
    """In a list, as the whole answer, or in a header; and travels once as a bearer token."""
    portal = Portal(gives)

    assert await read(portal, **options) == [1, 1]
    assert len(portal.logins) == 1


async def test_token_of_a_header_goes_back_beside_the_cookie() -> None:
    """As FusionSolar has it."""
    portal = Portal(
        lambda token: web.Response(headers={"XSRF-TOKEN": token, "Set-Cookie": "sid=a; Path=/"}),
        header="XSRF-TOKEN",
        scheme="",
    )

    found = await read(portal, token_header="XSRF-TOKEN", header="XSRF-TOKEN: {token}")

    assert found == [1, 1]


async def test_login_by_get_has_its_form_in_the_query() -> None:
    """There is no other place for it."""
    portal = Portal(lambda token: web.json_response({"token": token}))

    assert await read(portal, method="GET", token="token") == [1, 1]
    assert portal.logins == [("GET", FORM, "")]


@pytest.mark.parametrize(
    ("over", "options"),
    [
        (lambda: web.Response(status=419), {}),
        (lambda: web.Response(status=440), {}),
        (lambda: web.Response(text=HTML, content_type="text/html"), {}),
        (lambda: web.Response(text=f"\n{HTML[16:]}", content_type="text/html"), {}),
        (
            lambda: web.json_response({"failCode": 305, "v": 9}),
            {"expired": "failCode == `305`"},
        ),
        (lambda: web.Response(text="session expired"), {"expired": "@ == 'session expired'"}),
    ],
)
async def test_login_is_over_in_many_words(over: Any, options: dict[str, Any]) -> None:
    """A page for people, a status of its own, or data that say so: then there is one more login."""
    portal = Portal(lambda token: web.json_response({"token": token}), over)

    assert await read(portal, ends=True, token="token", **options) == [1, 2]
    assert len(portal.logins) == 2


async def test_data_that_claim_to_be_a_page_are_data() -> None:
    """Some servers call all that they send HTML."""
    portal = Portal(lambda token: web.json_response({"token": token}), header="X-None", scheme="")
    portal.over = lambda: web.Response(text='{"v": 7}', content_type="text/html")

    assert await read(portal, token="token") == [7, 7]
    assert len(portal.logins) == 1


async def test_page_that_comes_after_a_login_is_no_reason_for_a_third() -> None:
    """Sites lock accounts by that; the token is not told."""
    portal = Portal(
        lambda token: web.json_response({"token": token}),
        lambda: web.Response(text=HTML, content_type="text/html"),
    )
    portal.opens = False

    with pytest.raises(AnswerError, match="also after a new login") as told:
        await read(portal, token="token")

    assert len(portal.logins) == 1
    assert "session-1" not in str(told.value)
