"""Connections that say nothing, or nonsense, keep no sender out."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import trustme

from ingestd.plugins.http_push import connections
from tests.support.deadline import WITHIN
from tests.support.pushing import (
    LINE,
    Push,
    closed,
    connected,
    pushing,
    trusting,
    write_certificate,
)


async def test_a_crowd_of_silent_connections_keeps_no_other_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The oldest of them is closed for the next one, but none that has sent a request."""
    monkeypatch.setattr(connections, "MOST_SILENT", 3)
    async with pushing() as push:
        assert (await push.post("/write", data=LINE)).status == 204
        crowd = [await connected(push) for _ in range(6)]
        ended = [await closed(reader) for reader, _ in crowd[:2]]
        assert (await push.post("/write", data=LINE)).status == 204
        for _, writer in crowd:
            writer.close()

    assert ended == [True, True]


async def test_a_crowd_that_never_ends_its_greeting_keeps_no_other_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before TLS stands a connection is silent, too: bounded in number, and in time."""
    monkeypatch.setattr(connections, "MOST_SILENT", 3)
    ca = trustme.CA()
    files = {"cert_file": str(tmp_path / "push.crt"), "key_file": str(tmp_path / "push.key")}
    write_certificate(ca, files)
    async with pushing(tls=files, store_keys="k") as push:
        crowd = [await connected(push) for _ in range(6)]
        ended = [await closed(reader) for reader, _ in crowd[:3]]
        assert (await push.post("/write", data=LINE, key="k", ssl=trusting(ca))).status == 204
        monkeypatch.setattr(connections, "FIRST_REQUEST", 0.05)
        reader, late = await connected(push)
        ended.append(await closed(reader))
        for _, writer in (*crowd, (reader, late)):
            writer.close()

    assert ended == [True] * 4


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_crowd_of_idle_connections_keeps_no_other_out(
    scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of those that have sent something the one is closed that has been idle the longest."""
    monkeypatch.setattr(connections, "MOST_IDLE", 2)
    ca = trustme.CA()
    files = {"cert_file": str(tmp_path / "push.crt"), "key_file": str(tmp_path / "push.key")}
    write_certificate(ca, files)
    params: dict[str, Any] = {"tls": files} if scheme == "https" else {}
    async with pushing(store_keys="k", **params) as push:
        crowd = [await connected(push, trusting(ca) if params else None) for _ in range(4)]
        for number in (0, 1, 0, 2, 3):
            await asked(*crowd[number])
        ended = [await closed(crowd[number][0]) for number in (1, 0)]
        again = [await asked(*crowd[number]) for number in (2, 3)]
        for _, writer in crowd:
            writer.close()

    assert (ended, again) == ([True, True], [b"HTTP/1.1 204 No Content\r\n"] * 2)


async def asked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """Send a line of readings, and return the first line of the answer, having read it all."""
    head = f"POST /write?p=k HTTP/1.1\r\nHost: x\r\nContent-Length: {len(LINE)}\r\n\r\n"
    writer.write(f"{head}{LINE}".encode())
    async with asyncio.timeout(WITHIN):
        return (await reader.readuntil(b"\r\n\r\n")).splitlines(keepends=True)[0]


@pytest.mark.parametrize(
    "path", ["/ping", "/nowhere", "/write", "/write?p=x", "/readingdb/reading/a/store/"]
)
async def test_strangers_keep_no_connection(push: Push, path: str) -> None:
    """A sender that has shown no key is answered, and its connection closed."""
    reader, writer = await connected(push)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())

    async with asyncio.timeout(WITHIN):
        assert (await reader.read()).startswith(b"HTTP/1.1 ")
    writer.close()


async def test_a_silent_connection_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """So is one that never comes to the end of its headers."""
    monkeypatch.setattr(connections, "FIRST_REQUEST", 0.05)
    async with pushing() as push:
        reader, writer = await connected(push)
        writer.write(b"POST /write HTTP/1.1\r\nX-Slow: ")

        assert await closed(reader)
        writer.close()


async def test_nonsense_is_answered_and_not_logged(
    push: Push, caplog: pytest.LogCaptureFixture
) -> None:
    """A stranger that speaks no HTTP costs neither a traceback nor another's request."""
    reader, writer = await connected(push)
    writer.write(b"\x16\x03\x01 hello?\r\n\r\n")

    assert b"400" in await reader.readline()
    assert caplog.records == []
    writer.close()
