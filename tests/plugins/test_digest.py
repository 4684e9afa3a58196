"""http_json opens servers by name and password; those that want Digest are lighttpd and Apache."""

import json
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp import web

from ingestd.plugins._answers import AnswerError
from ingestd.plugins._digest import challenge_of
from ingestd.plugins.http_json import run
from ingestd.testing import TestContext, collect, context
from tests.support.jsonsource import serving
from tests.support.servers import RealServer, apache, lighttpd

USER: Final = {"username": "user", "password": "secret"}


@pytest.fixture(params=["MD5", "SHA-256", "SHA-256|MD5"])
def server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[RealServer]:
    """Run a server that wants Digest with an algorithm, and has something to give."""
    with lighttpd(tmp_path / "server", algorithm=request.param) as server:
        give(server)
        yield server


def give(server: RealServer) -> None:
    """Put a document where it is served."""
    (server.folder / "www" / "status a.json").write_text(json.dumps({"v": 4}))


async def values(ctx: TestContext, url: str, auth: Any, **params: Any) -> list[Any]:
    """Return what a run reads."""
    found = await collect(run, ctx=ctx, url=url, auth=auth, values={"level": "v"}, **params)
    return [value for result in found for _, _, value, *_ in result["readings"]]


async def test_digest_opens_a_server(server: RealServer) -> None:
    """Whichever algorithm it wants, with letters in the address that are written as others."""
    url = f"{server.url}/status%20a.json"
    async with context() as ctx:
        for _ in range(3):
            found = await values(
                ctx, url, {**USER, "digest": True}, query={"of": "a b&c/ä", "at": "1,2"}
            )

            assert found == [4]


async def test_digest_is_taken_where_the_server_asks_for_it(server: RealServer) -> None:
    """From the first answer on, the password does not travel."""
    async with context() as ctx:
        for _ in range(2):
            assert await values(ctx, f"{server.url}/status%20a.json", USER) == [4]


async def test_wrong_password_is_told(server: RealServer) -> None:
    """And that the server wants Digest."""
    wrong = {"username": "user", "password": "wrong-one"}
    async with context() as ctx:
        for auth in (wrong, {**wrong, "digest": True}, {**wrong, "digest": False}, None):
            with pytest.raises(AnswerError, match=r"401 .*asks for Digest") as told:
                await values(ctx, f"{server.url}/status%20a.json", auth)

            assert "wrong-one" not in str(told.value)


@pytest.fixture
def readable() -> Iterator[Path]:
    """Give a folder that others may read, since Apache becomes another user."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


async def test_nonce_that_the_server_has_forgotten_is_replaced(readable: Path) -> None:
    """It says so with ``stale``, and the request is made again with a new one."""
    async with context() as ctx:
        with apache(readable) as server:
            give(server)
            url, auth = f"{server.url}/status%20a.json", {**USER, "digest": True}
            found = await values(ctx, url, auth) + await values(ctx, url, auth)
            server.restart()
            found += await values(ctx, url, auth) + await values(ctx, url, auth)

    assert found == [4] * 4


@asynccontextmanager
async def asking(*challenges: str) -> AsyncIterator[tuple[str, list[str]]]:
    """Run a server that asks for a password with some challenges; give what it gets."""
    got: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        got.append(request.headers.get("Authorization", ""))
        if got[-1].startswith("Digest"):
            return web.json_response({"v": 5})
        reply = web.json_response({}, status=401)
        reply.headers.extend([("WWW-Authenticate", each) for each in challenges])
        return reply

    async with serving(handler) as url:
        yield url, got


async def test_nonce_is_used_again_and_counted() -> None:
    """A second run asks once, and counts on."""
    challenge = 'Digest realm="x", nonce="n1", qop="auth", algorithm=SHA-256, opaque="o"'
    async with asking(challenge) as (url, got), context() as ctx:
        for _ in range(3):
            await values(ctx, url, {**USER, "digest": True})

    assert got[0] == ""
    assert [f"nc=0000000{number}" in each for number, each in enumerate(got[1:], 1)] == [True] * 3


async def test_password_travels_only_until_the_server_asks_for_digest() -> None:
    """Basic is tried first, once, unless it is said that the server wants Digest."""
    async with asking('Digest realm="x", nonce="n"') as (url, got), context() as ctx:
        await values(ctx, url, USER)
        await values(ctx, url, USER)

    assert [each.partition(" ")[0] for each in got] == ["Basic", "Digest", "Digest"]


@pytest.mark.parametrize(
    ("challenges", "expected"),
    [
        (['Basic realm="a, Digest b", charset="UTF-8"', 'Digest nonce="1", realm="x"'], "1"),
        (['Basic realm="x", Digest nonce="1", realm="x"'], "1"),
        (['Negotiate, Digest realm="x", nonce="1", algorithm=MD5'], "1"),
        (['Digest nonce="1", algorithm=MD5', 'Digest nonce="2", algorithm="SHA-256"'], "2"),
        (['Digest nonce="1", algorithm=SHA-512-256', 'Digest nonce="2", algorithm=MD5'], "2"),
    ],
)
async def test_best_challenge_is_met(challenges: list[str], expected: str) -> None:
    """A server may offer several, in one header or in some."""
    async with asking(*challenges) as (url, _), context() as ctx, ctx.http.get(url) as reply:
        assert f'nonce="{expected}"' in challenge_of(reply)


async def test_challenge_that_cannot_be_met_is_told() -> None:
    """With what the server wants."""
    challenge = 'Digest realm="x", nonce="1", algorithm=SHA-999'
    async with asking(challenge) as (url, got), context() as ctx:
        with pytest.raises(AnswerError, match=r"challenge: .*SHA-999"):
            await values(ctx, url, {**USER, "digest": True})

    assert got == [""]
