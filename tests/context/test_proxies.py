"""ctx.http through a proxy that forwards, for http and https."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme
from aiohttp import web
from aiohttp.test_utils import TestServer
from yarl import URL

from ingestd.clock import SystemClock
from ingestd.config.model import HttpConfig
from ingestd.context.http import LazySession
from ingestd.context.proxies import proxy_for
from tests.support.forwardproxy import forwarding

BASIC = "Basic bWU6aHVzaA=="  # me:hush


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the proxies of whoever runs the tests."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@asynccontextmanager
async def source(folder: Path | None = None) -> AsyncIterator[str]:
    """Run a server that says ok, over https if there is a folder for its certificate."""
    app = web.Application()

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=f"ok {request.query.get('n', '')}")

    app.router.add_get("/x", answer)
    encryption = None
    if folder is not None:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        encryption = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("127.0.0.1").configure_cert(encryption)
    server = TestServer(app, scheme="http" if folder is None else "https", host="127.0.0.1")
    await server.start_server(ssl=encryption)
    try:
        yield str(server.make_url("/x"))
    finally:
        await server.close()


async def get(url: str, **options: Any) -> str:
    """Return what is said at an address."""
    session = LazySession(HttpConfig(retries=0, **options), clock=SystemClock())
    try:
        async with session().get(url, params={"n": "1"}) as reply:
            return await reply.text()
    finally:
        await session.close()


@pytest.mark.parametrize("encrypted", [False, True])
async def test_collector_asks_through_its_proxy(tmp_path: Path, encrypted: bool) -> None:  # noqa: FBT001 -- a case
    """What is encrypted stays so: the proxy sees only where it goes."""
    options: dict[str, Any] = {"proxy_username": "me", "proxy_password": "hush"}
    if encrypted:
        options["ca_file"] = tmp_path / "ca.pem"
    async with source(tmp_path if encrypted else None) as url, forwarding(BASIC) as proxy:
        assert await get(url, proxy=proxy.url, **options) == "ok 1"

    (first,) = proxy.asked
    host = url.split("/")[2]
    assert first == (f"CONNECT {host} HTTP/1.1" if encrypted else f"GET {url}?n=1 HTTP/1.1")


async def test_proxy_that_wants_a_password_says_so(tmp_path: Path) -> None:
    """Nothing is asked behind it."""
    async with source(tmp_path) as url, forwarding(BASIC) as proxy:
        with pytest.raises(aiohttp.ClientHttpProxyError, match="407"):
            await get(url, proxy=proxy.url, ca_file=tmp_path / "ca.pem")


async def test_proxy_that_is_away_is_an_error() -> None:
    """The server is not asked directly instead."""
    async with source() as url, forwarding() as proxy:
        pass
    async with source() as url:
        with pytest.raises(aiohttp.ClientProxyConnectionError):
            await get(url, proxy=proxy.url)


@pytest.mark.parametrize(
    ("environment", "url", "proxy"),
    [
        ({}, "http://h/", None),
        ({"HTTPS_PROXY": "http://p:3128"}, "https://h/", "http://p:3128"),
        ({"HTTPS_PROXY": "http://p:3128"}, "http://h/", None),
        ({"http_proxy": "p:3128"}, "http://h/", "http://p:3128"),
        ({"ALL_PROXY": "http://p:1"}, "https://h/", "http://p:1"),
        ({"ALL_PROXY": "socks5://p:1"}, "https://h/", None),
        ({"HTTP_PROXY": "http://p:1", "NO_PROXY": "h,.example.org"}, "http://h/", None),
        ({"HTTP_PROXY": "http://p:1", "NO_PROXY": ".example.org"}, "http://a.example.org/", None),
        ({"HTTP_PROXY": "http://p:1", "NO_PROXY": "*"}, "http://h/", None),
        ({"HTTP_PROXY": "http://p:1"}, "http://127.0.0.1:8080/", None),
        ({"HTTP_PROXY": "http://p:1"}, "http://[::1]/", None),
        ({"HTTP_PROXY": "http://p:1"}, "http://localhost/", None),
    ],
)
def test_environment_names_the_proxy(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], url: str, proxy: str | None
) -> None:
    """As it does for other programs; this machine is asked directly."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    found = proxy_for(URL(url), HttpConfig())

    assert (found and str(found.url)) == proxy
    assert proxy_for(URL(url), HttpConfig(proxy="none")) is None


def test_password_of_the_environments_proxy_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """It travels in a header of its own."""
    monkeypatch.setenv("HTTP_PROXY", "http://me:hush@p:3128")

    found = proxy_for(URL("http://h/"), HttpConfig())

    assert found is not None
    assert found.url == URL("http://p:3128")
    assert found.authorization == BASIC
    assert "hush" not in repr(found)
