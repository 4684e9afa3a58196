"""Logging in where there is a token, in a real daemon, as a browser does."""

from collections.abc import AsyncIterator
from http.cookies import SimpleCookie

import aiohttp
import pytest
from structlog.testing import capture_logs

from tests.support.daemon import Answer, DaemonFolder, RunningDaemon
from tests.support.html import ReadHtml
from tests.support.pageforms import AS_BROWSERS, act, fields, form, send

TOKEN = "open-sesame"
METER = "def run(**_): return {'readings': [(60, 'level', 1)]}"
ONE = "collectors: {m: {plugin: meter, every: 876000h}}\n"


@pytest.fixture
async def it(daemon_folder: DaemonFolder) -> AsyncIterator[RunningDaemon]:
    """Run a daemon with a token; its session keeps cookies as a browser does."""
    daemon_folder.plugin("meter", METER)
    async with daemon_folder.daemon(ONE, token=TOKEN) as running:
        jar = aiohttp.CookieJar(unsafe=True)  # addresses have cookies, too
        async with aiohttp.ClientSession(running.address, cookie_jar=jar) as browser:
            running.http, ours = browser, running.http
            yield running
            running.http = ours


async def look(it: RunningDaemon, path: str = "/") -> Answer:
    """Open a page."""
    return await it.ask("GET", path, headers=AS_BROWSERS)


async def log_in(it: RunningDaemon, path: str = "/", **headers: str) -> Answer:
    """Open a page that asks for the token, and show it."""
    asked = await look(it, path)
    assert asked.status == 401
    return await send(it, "/ui/login", {**fields(asked.body), "token": TOKEN}, **headers)


def cookie(answer: Answer) -> SimpleCookie:
    """Return the cookie that an answer sets."""
    return SimpleCookie(answer.headers["Set-Cookie"])


async def test_the_token_is_shown_once(it: RunningDaemon) -> None:
    """Whoever wanted a page gets it then, and all others, and what is linked there."""
    answer = await log_in(it, "/ui/collectors?q=m")

    assert (answer.status, answer.headers["Location"]) == (303, "/ui/collectors?q=m")
    for path in ("/", "/ui/collectors/m", "/api/v1/status", "/metrics"):
        assert (await look(it, path)).status == 200


async def test_the_cookie_is_for_this_daemon_alone(it: RunningDaemon) -> None:
    """No script sees it, no other site sends it, and it is not the token."""
    (morsel,) = cookie(await log_in(it)).values()

    assert morsel["httponly"] is True
    assert (morsel["samesite"], morsel["path"], morsel["domain"]) == ("Strict", "/", "")
    assert morsel["secure"] == ""
    assert TOKEN not in morsel.value
    assert len(morsel.value) >= 43


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-Proto": "https"},
        {"Origin": "https://meters.example.org", "Sec-Fetch-Site": "same-origin"},
    ],
)
async def test_behind_tls_the_cookie_stays_there(
    it: RunningDaemon, headers: dict[str, str]
) -> None:
    """The browser never sends it in the clear."""
    (morsel,) = cookie(await log_in(it, "/", **headers)).values()

    assert morsel["secure"] is True


async def test_with_a_session_people_act(it: RunningDaemon) -> None:
    """By forms of pages that they see."""
    await log_in(it)
    answer = await act(it, "/ui/act/run?collector=m")

    assert (answer.status, answer.headers["Location"]) == (303, "/ui/runs/r-1")


async def test_a_session_alone_does_not_act(it: RunningDaemon) -> None:
    """Not by JSON, where programs show the token; from elsewhere, or without its CSRF token."""
    before = fields((await look(it)).body)["csrf_token"]
    await log_in(it)
    given = await form(it, "/ui/act/run?collector=m")
    json = await it.ask("POST", "/api/v1/collectors/m/run", json={})
    elsewhere = await send(it, "/ui/act/run", given, Origin="http://127.0.0.1:1")
    without_token = await send(it, "/ui/act/run", {**given, "csrf_token": before})

    assert [each.status for each in (json, elsewhere, without_token)] == [401, 403, 403]
    assert await it.get("runs", requested="true") == []


async def test_nobody_is_logged_in_from_elsewhere(it: RunningDaemon) -> None:
    """A page that knows the token cannot make this browser use a session of its."""
    given = {**fields((await look(it)).body), "token": TOKEN}
    answers = [
        await send(it, "/ui/login", given, Origin="http://127.0.0.1:1"),
        await send(it, "/ui/login", {**given, "csrf_token": ""}),
        await it.ask("GET", "/ui/login", params={"token": TOKEN}, headers=AS_BROWSERS),
    ]

    assert [each.status for each in answers] == [403, 403, 200]
    assert [each for each in answers if "Set-Cookie" in each.headers] == []
    assert (await look(it)).status == 401


async def test_a_session_ends_when_it_is_left(it: RunningDaemon) -> None:
    """Also for whoever has kept the cookie."""
    (morsel,) = cookie(await log_in(it)).values()
    page = await look(it)
    out = await send(it, "/ui/logout", fields(page.body))
    kept = await it.ask("GET", "/", headers={"Cookie": f"{morsel.key}={morsel.value}"})

    assert (out.status, out.headers["Location"]) == (303, "/ui/login")
    assert "Log out" in ReadHtml(page.body).text
    assert (await look(it)).status == 401
    assert kept.status == 401


@pytest.mark.slow  # a wrong token takes a second
async def test_a_wrong_token_is_told_and_noted_without_it(it: RunningDaemon) -> None:
    """The page asks again; the log says from where it came, and not what it was."""
    asked = fields((await look(it)).body)
    with capture_logs() as logs:
        answer = await send(it, "/ui/login", {**asked, "token": "open-simsim"})

    assert answer.status == 401
    assert "that is not the token" in ReadHtml(answer.body).text
    assert "Set-Cookie" not in answer.headers
    assert [each["sender"] for each in logs if "wrong token" in each["event"]] == ["127.0.0.1"]
    assert "simsim" not in f"{logs} {answer.body}"


async def test_programs_show_the_token_with_every_request(it: RunningDaemon) -> None:
    """As before; and a proxy that adds it for people acts for them by forms, too."""
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    run = await it.ask("POST", "/api/v1/collectors/m/run", json={}, headers=bearer)
    given = await form(it, "/ui/act/run?collector=m", **bearer)
    answer = await send(it, "/ui/act/run", given, **bearer)

    assert (run.status, answer.status) == (200, 303)
    assert (await look(it)).status == 401


async def test_a_cookie_that_nobody_was_given_is_worth_nothing(it: RunningDaemon) -> None:
    """Of any value, also an empty one."""
    (morsel,) = cookie(await log_in(it)).values()
    it.http.cookie_jar.clear()

    for value in ("", "x", morsel.value[:-1], f"{morsel.value}x", TOKEN):
        answer = await it.ask("GET", "/", headers={"Cookie": f"{morsel.key}={value}"})
        assert answer.status == 401
