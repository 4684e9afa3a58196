"""What a page on another origin may try in order to act here, and why none of it does.

Each way is sent as a browser would send it at the behest of such a page, or with even more than it
could: where the CSRF token is not what is tried, the form carries the right one.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp
import pytest

from tests.support.daemon import DaemonFolder, RunningDaemon
from tests.support.pageforms import form, send

METER: Final = "def run(**_): return {'readings': [(60, 'level', 1)]}"
ONE: Final = "collectors: {m: {plugin: meter, every: 876000h}}\n"
PATH: Final = "/ui/act/run"
ASKING: Final = f"{PATH}?collector=m"
FORM: Final = "application/x-www-form-urlencoded"
EVIL: Final = "http://evil.example.org"


@dataclass(frozen=True)
class Way:
    """A request that is to act, and must not.

    Attributes:
        status: How it is refused; 200 where a page is shown that only asks.
        body: Fields of a form or a text; None for the form as it should be.
        csrf_token: In place of the right one.
        headers: Beside those of the form; ``{host}`` stands for ours.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"
    path: str = PATH
    body: Any = None
    csrf_token: str | None = None


OURS: Final = {"Origin": "http://{host}"}
QUERY: Final = urlencode({"collector": "m", "commit": "true", "csrf_token": "CSRF_TOKEN"})
WAYS: Final = {
    # From where a form comes.
    "a form of another origin": Way(403, {"Origin": EVIL}),
    "one that says how far away it is": Way(403, {"Origin": EVIL, "Sec-Fetch-Site": "cross-site"}),
    "from a frame without an origin": Way(403, {"Origin": "null"}),
    "from a frame, as browsers say": Way(403, {"Origin": "null", "Sec-Fetch-Site": "cross-site"}),
    "behind a redirect": Way(403, {"Origin": "null", "Sec-Fetch-Mode": "navigate"}),
    "without any origin": Way(403),
    "with only a referrer of ours": Way(403, {"Referer": "http://{host}/"}),
    "with an empty origin": Way(403, {"Origin": ""}),
    "another port of this machine": Way(403, {"Origin": "http://127.0.0.1:1"}),
    "that, as browsers say": Way(403, {"Sec-Fetch-Site": "same-site"}),
    "another port with our origin": Way(403, {**OURS, "Sec-Fetch-Site": "same-site"}),
    "no port of this machine": Way(403, {"Origin": "http://127.0.0.1"}),
    "another name of this machine": Way(403, {"Origin": "http://localhost:1"}),
    "another address of this machine": Way(403, {"Origin": "http://[::1]:1"}),
    "our address in a name": Way(403, {"Origin": "http://{host}.evil.example.org"}),
    "our address as a user": Way(403, {"Origin": "http://{host}@evil.example.org"}),
    "a user at our address": Way(403, {"Origin": "http://evil@{host}"}),
    "our address in a path": Way(403, {"Origin": "http://evil.example.org/{host}"}),
    "our address without a scheme": Way(403, {"Origin": "{host}"}),
    "a scheme of other programs": Way(403, {"Origin": "chrome-extension://{host}"}),
    "a file": Way(403, {"Origin": "file://"}),
    "two origins in one": Way(403, {"Origin": "http://{host} http://evil.example.org"}),
    "an origin that is no address": Way(403, {"Origin": "http://[::1"}),
    "a word that means nothing": Way(403, {"Sec-Fetch-Site": "same-origin, cross-site"}),
    "opened by hand, as browsers say": Way(403, {"Sec-Fetch-Site": "none"}),
    "words in another case": Way(403, {"Sec-Fetch-Site": "Same-Origin"}),
    # Under which name.
    "a name that points here": Way(421, {"Host": "evil.example.org", "Origin": EVIL}),
    "such a name with a port": Way(
        421, {"Host": "evil.example.org:8470", "Origin": "http://evil.example.org:8470"}
    ),
    "such a name, as browsers say": Way(
        421, {"Host": "evil.example.org", "Sec-Fetch-Site": "same-origin"}
    ),
    "a name that begins like ours": Way(
        421, {"Host": "127.0.0.1.evil.org", "Origin": "http://127.0.0.1.evil.org"}
    ),
    # In which form.
    "a form of files": Way(415, {**OURS, "Content-Type": "multipart/form-data; boundary=x"}),
    "a form of text": Way(415, {**OURS, "Content-Type": "text/plain"}),
    "a form without a kind": Way(415, {**OURS, "Content-Type": ""}),
    "json": Way(415, {**OURS, "Content-Type": "application/json"}, body='{"collector": "m"}'),
    "a form that is packed": Way(415, {**OURS, "Content-Encoding": "gzip"}),
    "a form for the api": Way(415, OURS, path="/api/v1/collectors/m/run"),
    "a form of text for the api": Way(
        415, {"Content-Type": "text/plain"}, path="/api/v1/runs", body='{"collector": "m"}'
    ),
    "json for the api from elsewhere": Way(
        403,
        {"Origin": EVIL, "Content-Type": "application/json"},
        path="/api/v1/runs",
        body='{"collector": "m"}',
    ),
    # By which method.
    "a link": Way(200, method="GET", path=f"{PATH}?{QUERY}"),
    "a look": Way(200, method="HEAD", path=f"{PATH}?{QUERY}"),
    "a link that means another method": Way(
        200, {"X-HTTP-Method-Override": "POST"}, method="GET", path=f"{PATH}?{QUERY}&_method=POST"
    ),
    "a form that means another method": Way(
        415, OURS, path="/api/v1/runs/r-1?_method=DELETE", body="_method=DELETE"
    ),
    "put": Way(403, {"Origin": EVIL}, method="PUT"),
    "leave to ask": Way(403, {"Origin": EVIL}, method="OPTIONS"),
    "delete": Way(403, {"Origin": EVIL}, method="DELETE", path="/api/v1/runs/r-1"),
    # With which CSRF token.
    "no CSRF token": Way(403, OURS, csrf_token=""),
    "a CSRF token in the query": Way(400, OURS, path=f"{PATH}?{QUERY}", csrf_token=""),
    "a CSRF token in a header": Way(403, {**OURS, "X-CSRF-Token": "CSRF_TOKEN"}, csrf_token=""),
    "a CSRF token of letters": Way(403, OURS, csrf_token="\u00e9" * 64),
    "a guess": Way(403, OURS, csrf_token="0" * 64),
    "the CSRF token of the daemon before": Way(403, OURS, csrf_token="BEFORE"),
    "two CSRF tokens": Way(400, OURS, body="collector=m&csrf_token=x&csrf_token=CSRF_TOKEN"),
    "what is no text": Way(400, OURS, body=b"collector=m&csrf_token=\xff"),
}


@pytest.fixture
async def before(daemon_folder: DaemonFolder) -> str:
    """Return the CSRF token of an earlier life of the daemon."""
    daemon_folder.plugin("meter", METER)
    async with daemon_folder.daemon(ONE) as it:
        return (await form(it, ASKING))["csrf_token"]


@pytest.fixture
async def it(daemon_folder: DaemonFolder, before: str) -> AsyncIterator[RunningDaemon]:
    """Run a daemon after that."""
    assert before
    async with daemon_folder.daemon(ONE) as running:
        yield running


async def attempt(it: RunningDaemon, way: Way, given: Mapping[str, str], before: str) -> int:
    """Try a way to act; return how it is answered."""
    real = {"CSRF_TOKEN": given["csrf_token"], "BEFORE": before}
    csrf_token = (
        given["csrf_token"] if way.csrf_token is None else real.get(way.csrf_token, way.csrf_token)
    )
    body = urlencode({**given, "csrf_token": csrf_token}) if way.body is None else way.body
    path = way.path.replace("CSRF_TOKEN", given["csrf_token"])
    if isinstance(body, str):
        body = body.replace("CSRF_TOKEN", given["csrf_token"]).encode()
    host = it.address.removeprefix("http://")
    headers = {"Content-Type": FORM, "Accept": "text/html"}
    headers |= {
        name: text.replace("{host}", host).replace("CSRF_TOKEN", given["csrf_token"])
        for name, text in way.headers.items()
    }
    if way.method in {"GET", "HEAD"}:
        body = None
    async with aiohttp.request(
        way.method, it.address + path, data=body, headers=headers, allow_redirects=False
    ) as reply:
        await reply.read()
        assert "Access-Control-Allow-Origin" not in reply.headers
        return reply.status


@pytest.mark.slow  # asks a hundred times
async def test_no_page_of_another_origin_can_act(it: RunningDaemon, before: str) -> None:
    """Forty ways and more: each is refused, or only asks, and nothing is done."""
    assert len(WAYS) > 40
    given = await form(it, ASKING)
    for name, way in WAYS.items():
        status = await attempt(it, way, given, before)

        assert (status, name) == (way.status, name)
        assert await it.get("runs", requested="true") == [], name
        assert await it.get("runs") == [], name

    answer = await send(it, PATH, given)
    assert answer.status == 303


async def test_a_browser_that_says_it_is_a_page_of_ours_is_believed(it: RunningDaemon) -> None:
    """No page can say so by itself; behind a proxy the origin is that of the proxy."""
    given = await form(it, ASKING)
    headers = {"Origin": "https://meters.example.org", "Sec-Fetch-Site": "same-origin"}
    answer = await send(it, PATH, given, **headers)

    assert answer.status == 303


async def test_no_page_of_an_action_is_shown_in_a_frame(it: RunningDaemon) -> None:
    """So that nobody can be made to press its button unseen."""
    answer = await it.ask("GET", ASKING)

    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert "form-action 'self'" in answer.headers["Content-Security-Policy"]
