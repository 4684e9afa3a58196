"""Who may send to the push plugin, and that keys stay secret."""

import asyncio
import re
from typing import Any

import pytest

from ingestd.plugins import http_push
from ingestd.testing import collect, context
from tests.support.deadline import WITHIN
from tests.support.pushing import BATCH, LINE, STORE, Push, connected, pushing


async def test_wrong_keys_do_not_use_up_the_rate() -> None:
    """They have one of their own, in the head or in the body, and past it 429."""
    async with pushing(rate=2, store_keys="k") as push:
        wrong = [await push.post("/write", data=LINE, key="x") for _ in range(2)]
        wrong.append(await push.post(STORE, json={**BATCH, "storeKey": "x"}))
        right = [await push.post("/write", data=LINE, key="k")]
        right.append(await push.post(STORE, json={**BATCH, "storeKey": "k"}))
        right.append(await push.post(STORE, json={**BATCH, "storeKey": "k"}))

    assert [reply.status for reply in wrong] == [401, 401, 429]
    assert [reply.status for reply in right] == [204, 200, 429]


@pytest.mark.parametrize(
    ("method", "path", "options"),
    [
        ("GET", "/readingdb/reading/a/store/?val=2", {}),
        ("GET", "/readingdb/reading/a/store/?val=2&storeKey=K", {}),
        ("POST", STORE, {"json": {**BATCH, "storeKey": None}}),
        ("POST", STORE, {"json": {**BATCH, "storeKey": ["k"]}}),
        ("POST", STORE, {"json": {**BATCH, "storeKey": "ключ"}}),
        ("POST", "/st8x", {"data": {"id": "a", "val": "2"}}),
        ("POST", "/write", {"data": LINE, "headers": {"Authorization": "Token kk"}}),
        ("POST", "/write", {"data": LINE, "headers": {"Authorization": "Basic ?"}}),
        ("POST", "/readings", {"json": [[1, "a", 1]]}),
    ],
)
async def test_without_a_key_nothing_is_taken(
    push: Push, method: str, path: str, options: dict[str, Any]
) -> None:
    """This holds for each format, and for anything in the place of the key."""
    reply = await push.send(method, path, **options)

    assert (reply.status, push.readings) == (401, [])
    assert "key" in reply.text


async def test_bmon_says_invalid_key_with_200(bmon: Push) -> None:
    """A logger with a wrong key would send the same thing for ever otherwise."""
    reply = await bmon.post(STORE, json={**BATCH, "storeKey": "?"})
    other = await bmon.post("/readings", json=[[1, "a", 1]])

    assert (reply.status, reply.text, other.status) == (200, "Invalid Key", 401)


@pytest.mark.parametrize(
    "path", ["/write?p=x", "/write", "/readings", "/readingdb/reading/store-beaded/"]
)
async def test_a_wrong_key_in_front_spares_reading_the_body(push: Push, path: str) -> None:
    """The answer is there while the body has yet to come, in which no key can stand."""
    reader, writer = await connected(push)
    writer.write(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n".encode())

    async with asyncio.timeout(WITHIN):
        assert b"401" in await reader.readline()
    writer.close()


async def test_without_keys_foreign_pages_are_kept_out() -> None:
    """A browser on this machine is no logger; a program is."""
    async with pushing() as push:
        for headers in (
            {"Origin": "http://evil.example.org"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Host": "rebound.example.org"},
        ):
            reply = await push.post("/readings", json=[[1, "a", 1]], headers=headers)
            assert reply.status == 403
        assert (await push.post("/readings", json=[[1, "a", 1]])).status == 200


async def test_keys_are_not_logged(push: Push) -> None:
    """A wrong one may be a right one with a slip."""
    await push.get("/st8wrong-one/?id=a&val=1")
    await push.get("/readingdb/reading/a/store/?storeKey=other-one&val=1")
    await push.post(STORE, json={"storeKey": "third-one"})

    logged = str(push.ctx.logs)
    assert "request refused" in logged
    assert not re.search("wrong-one|other-one|third-one", logged)


async def test_keys_are_needed_where_others_reach_the_daemon() -> None:
    """A prefix of the daemon's own address is reached by all who reach the daemon."""
    async with context() as ctx:
        ctx._shared.mounts.address = "http://192.0.2.7:8470"
        with pytest.raises(ValueError, match="store_keys: expected some"):
            await collect(http_push.run, ctx=ctx, path="/push")
