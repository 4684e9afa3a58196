"""The push plugin: real requests at a real address."""

import asyncio
import bz2
import gzip
import io
import json
import re
import socket
import ssl
import stat
import threading
import time
import zlib
from base64 import b64encode
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest
import trustme
import yaml

from ingestd.plugins import http_push
from ingestd.plugins.http_push import bodies, connections
from ingestd.plugins.http_push.formats.message import FormatError, Found, Message
from ingestd.plugins.http_push.refusallog import MOST_KINDS, RefusalLog
from ingestd.plugins.http_push.routes import FORMATS, Route
from ingestd.testing import collect, context, mounted
from tests.support.ports import free_port
from tests.support.pushing import Push, closed, connected, pushing

PAGE: Final = Path(__file__).parents[2] / "docs" / "plugins" / "http_push.md"
NOW: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
STORE: Final = "/readingdb/reading/store/"
LINE: Final = "cpu value=1 1000000000"
BATCH: Final = {"readings": [[1, "a", 1]]}
UPLINK: Final = {
    "hardware_serial": "A8",
    "payload_fields": {"EVENT_TYPE": "09", "TEMPERATURE": 20},
    "metadata": {"time": "2026-01-01T00:00:00Z"},
}
AT: Final = 1767225600


@pytest.fixture
async def push() -> AsyncIterator[Push]:
    """Give a plugin that takes everything with the key ``k`` and answers honestly."""
    async with context(now=NOW) as ctx, pushing(ctx, store_keys=["old", "k"]) as running:
        yield running


@pytest.fixture
async def bmon() -> AsyncIterator[Push]:
    """Give a plugin that answers like BMON."""
    async with context(now=NOW) as ctx, pushing(ctx, store_keys="k", replies="bmon") as running:
        yield running


# -- formats, over the wire


@pytest.mark.parametrize(
    ("method", "path", "options", "expected"),
    [
        ("GET", "/readingdb/reading/a_1/store/?storeKey=k&val=2", {}, ("a_1", 2.0)),
        ("GET", "/readingdb/reading/28.F-1/store?storeKey=k&val=Open", {}, ("28.F-1", 0.0)),
        ("POST", "/readingdb/reading/a/store/", {"data": {"storeKey": "k", "val": "2"}}, ("a", 2)),
        ("GET", "/st8k/?id=a&val=2", {}, ("a", 2.0)),
        ("POST", "/st8k", {"data": {"id": "a", "val": "2", "ts": "1970-01-01"}}, ("a", 2.0)),
        ("POST", STORE, {"json": {"storeKey": "k", "readings": [[1, "a", 2]]}}, ("a", 2.0)),
        ("POST", f"{STORE}?storeKey=k", {"json": {"storeKey": "?", **BATCH}}, ("a", 1.0)),
        (
            "POST",
            f"{STORE}?format=monnit&storeKey=k",
            {
                "json": {
                    "sensorMessages": [
                        {"sensorID": 5, "messageDate": "2026-01-01", "plotValues": "3|4"}
                    ]
                }
            },
            ("5", 3.0),
        ),
        (
            "POST",
            f"{STORE}?format=particle",
            {
                "json": {
                    "storeKey": "k",
                    "coreid": "c",
                    "published_at": "2026-01-01",
                    "data": "T=1a a=60",
                }
            },
            ("c_T", 1.0),
        ),
        ("POST", "/readingdb/reading/store-rb/", {"json": UPLINK, "key": "k"}, ("A8_temp", 68.0)),
        (
            "POST",
            "/readingdb/reading/store-things/",
            {"json": {**UPLINK, "payload_fields": {"t": 20}}, "key": "k"},
            ("A8_t", 20.0),
        ),
        (
            "POST",
            "/readingdb/reading/store-beaded/?storeKey=k",
            {
                "data": b"junk\n<a><owd_DS18B20><SensorID>7</SensorID>"
                b"<TemperatureCalibrated>0</TemperatureCalibrated></owd_DS18B20></a>\njunk"
            },
            ("bs_7", 32.0),
        ),
        (
            "POST",
            "/readingdb/reading/store-notehub/",
            {
                "json": {
                    "reading_type": "ts_id_val_bz2",
                    "readings": b64encode(bz2.compress(b"[(1, 'n', 2)]")).decode(),
                },
                "key": "k",
            },
            ("n", 2.0),
        ),
        ("POST", "/reading/store/", {"json": {"storeKey": "k", **BATCH}}, ("a", 1.0)),
    ],
)
async def test_each_format_of_bmon_arrives(
    bmon: Push, method: str, path: str, options: dict[str, Any], expected: tuple[str, float]
) -> None:
    """At its address, with its key where its senders put it, and is answered in BMON's words."""
    reply = await bmon.send(method, path, **options)

    words = "OK" if "st8" in path else "1 readings stored successfully, 0 rejected."
    assert (reply.status, reply.text) == (200, words)
    assert reply.headers["Content-Type"].startswith("text/plain")
    assert [reading[1:3] for reading in bmon.readings] == [expected]


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/write?db=x&p=k&u=me", {}),
        ("/write?db=x", {"Authorization": "Basic " + b64encode(b"me:k").decode()}),
        ("/api/v2/write?org=o&bucket=b", {"Authorization": "Token k"}),
        ("/api/v2/write?org=o&bucket=b", {"Authorization": "Bearer k"}),
    ],
)
async def test_line_protocol_arrives(push: Push, path: str, headers: dict[str, str]) -> None:
    """As Telegraf and InfluxDB's clients of both versions send it, plain or compressed."""
    for encoding, body in (
        ("", LINE.encode()),
        ("gzip", gzip.compress(LINE.encode(), mtime=0)),
        ("deflate", zlib.compress(LINE.encode())),
    ):
        more = {"Content-Encoding": encoding} if encoding else {}
        reply = await push.post(path, data=body, headers={**headers, **more})
        assert (reply.status, reply.text) == (204, "")

    assert push.readings == [(1.0, "cpu", 1.0, {})] * 3
    assert (await push.get("/ping")).status == 204


async def test_plain_json_arrives(push: Push) -> None:
    """And the answer counts."""
    reply = await push.post("/readings", key="k", json=[[1, "a", 2, {"site": "b"}], [2, "a"]])

    assert push.readings == [(1, "a", 2.0, {"site": "b"})]
    assert reply.status == 200
    assert json.loads(reply.text) == {
        "stored": 1,
        "rejected": 1,
        "problems": ["expected [time, series, value], got [2, 'a']"],
    }


async def test_a_reading_without_a_time_is_of_now(push: Push) -> None:
    """That is when it came, not when it is safe."""
    await push.get("/readingdb/reading/a/store/?storeKey=k&val=2")

    assert push.readings == [(int(NOW.timestamp()), "a", 2.0)]


async def test_the_page_says_what_is_emitted() -> None:
    """The example's messages give the example's output."""
    example = PAGE.read_text().partition("## Example output")[2]
    batch, line = re.findall(r"`(\[\[.*?\]\]|weather.*?)`", example)
    async with pushing() as push:
        await push.post(STORE, json={"readings": json.loads(batch)})
        await push.post("/write?precision=s", data=line)

    words = [
        word
        for at, series, value, *tags in push.readings
        for word in (
            f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}",
            series,
            str(value),
            *(f"{name}={text}" for each in tags for name, text in each.items()),
        )
    ]
    assert example.partition("```text\n")[2].partition("```")[0].split() == words


def test_the_page_names_every_format() -> None:
    """In the table from which ``formats`` is filled."""
    table = PAGE.read_text().partition("| format |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| `(\w+)`", table, re.MULTILINE)

    assert set(rows) == set(FORMATS)


# -- safety


async def test_the_answer_waits_until_readings_are_safe(push: Push) -> None:
    """And goes out as soon as they are."""
    push.ctx.safe.clear()
    waiting = asyncio.create_task(push.post("/readings", key="k", json=[[1, "a", 1]]))
    await push.until(1)
    done, _ = await asyncio.wait({waiting}, timeout=0.05)
    assert not done

    push.ctx.safe.set()
    assert (await waiting).status == 200


async def test_the_next_checkpoint_does_not_wait_for_the_one_before(push: Push) -> None:
    """What comes meanwhile is given on at once."""
    push.ctx.safe.clear()
    waiting = []
    for number in range(3):
        sent = push.post("/readings", key="k", json=[[number, "a", 1]])
        waiting.append(asyncio.create_task(sent))
        await push.until(number + 1)

    push.ctx.safe.set()
    assert [reply.status for reply in await asyncio.gather(*waiting)] == [200] * 3


async def test_requests_that_come_together_are_given_on_together() -> None:
    """A hundred small requests are a few checkpoints, and each is answered."""
    async with pushing() as push:
        sent = (push.post("/readings", json=[[n, "a", n]]) for n in range(100))
        replies = await asyncio.gather(*sent)

    assert {reply.status for reply in replies} == {200}
    assert sorted(reading[0] for reading in push.readings) == list(range(100))
    assert len(push.results) < 60


@pytest.mark.parametrize("replies", ["honest", "bmon"])
async def test_what_is_not_safe_in_time_is_never_called_stored(replies: str) -> None:
    """The sender is told to come again, in BMON's words, too."""
    async with pushing(replies=replies, answer_within="50ms") as push:
        push.ctx.safe.clear()
        for path, body in (
            (STORE, json.dumps(BATCH)),
            ("/write", LINE),
            ("/readings", '[[1, "a", 3]]'),
        ):
            reply = await push.post(path, data=body)
            assert (reply.status, reply.headers["Retry-After"]) == (503, "5")


async def test_too_many_that_wait_are_told_to_come_again() -> None:
    """By number or by size; those that wait already are still answered."""
    async with pushing(max_waiting=2, max_body=250, max_waiting_bytes=250) as push:
        push.ctx.safe.clear()
        first = asyncio.create_task(push.post("/readings", json=[[1, "a", 1]]))
        await push.until(1)
        large = await push.post("/readings", json=[[1, "a" * 90, 1]])
        second = asyncio.create_task(push.post("/readings", json=[[2, "a", 1]]))
        await push.until(2)
        third = await push.post("/readings", json=[[3, "a", 1]])
        push.ctx.safe.set()
        waited = await asyncio.gather(first, second)
        after = await push.post("/readings", json=[[3, "a", 1]])

    assert (large.status, third.status) == (503, 503)
    assert [reply.status for reply in (*waited, after)] == [200, 200, 200]


async def test_what_is_safe_makes_room() -> None:
    """More than may wait can come one after the other."""
    async with pushing(max_body=250, max_waiting_bytes=250) as push:
        replies = [await push.post("/readings", json=[[n, "a", 1]]) for n in range(6)]

    assert [reply.status for reply in replies] == [200] * 6


async def test_readings_wait_by_what_they_take_not_by_how_small_they_came() -> None:
    """A compressed body of many readings is a large one."""
    many = json.dumps([[n, "a", 1] for n in range(100)]).encode()
    async with pushing(max_body=10_000, max_waiting_bytes=15_000) as push:
        push.ctx.safe.clear()
        headers = {"Content-Encoding": "gzip"}
        first = asyncio.create_task(
            push.post("/readings", data=gzip.compress(many), headers=headers)
        )
        await push.until(1)
        second = await push.post("/readings", data=gzip.compress(many), headers=headers)
        push.ctx.safe.set()
        replies = [await first, await push.post("/readings", data=many)]
        too_many = await push.post("/readings", json=[[n, "a", 1] for n in range(150)])

    assert (second.status, [reply.status for reply in replies]) == (503, [200, 200])
    assert (too_many.status, "send fewer" in too_many.text) == (413, True)


@pytest.mark.parametrize(
    ("path", "body", "encoding"),
    [
        ("/readings", gzip.compress(b"[]", mtime=0), "gzip"),
        ("/readings", b"[" + b" " * 20_000 + b"]", ""),
        ("/readingdb/reading/store-notehub/", b'{"reading_type": "standalone"}', ""),
    ],
)
async def test_what_may_be_large_is_read_in_a_thread(
    path: str, body: bytes, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compressed ones however small they come, so that nobody else waits for them."""
    threads = []
    parse = Route.readings

    def noting(route: Route, message: Message) -> Found:
        threads.append(threading.current_thread().name)
        return parse(route, message)

    monkeypatch.setattr(Route, "readings", noting)
    async with pushing() as push:
        await push.post(path, data=body, headers={"Content-Encoding": encoding} if encoding else {})

    assert [name.partition("_")[0] for name in threads] == ["ingestd-push"]


async def test_a_request_for_which_there_is_no_room_is_told_before_its_body() -> None:
    """A body that could not be kept is not even read."""
    async with pushing(max_waiting=1) as push:
        push.ctx.safe.clear()
        first = asyncio.create_task(push.post("/readings", json=[[1, "a", 1]]))
        await push.until(1)
        reader, writer = await connected(push)
        writer.write(b"POST /write HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n")
        async with asyncio.timeout(5):
            assert b"503" in await reader.readline()
        writer.close()
        push.ctx.safe.set()

        assert (await first).status == 200


async def test_the_stop_tells_those_who_wait_to_come_again() -> None:
    """They are not left without an answer, nor told that their readings are safe."""
    async with pushing(store_keys="k") as push:
        push.ctx.safe.clear()
        waiting = asyncio.create_task(push.post("/readings", key="k", json=[[1, "a", 1]]))
        await push.until(1)
        push.ctx.stop()
        assert push.task is not None
        push.task.cancel()
        reply = await waiting

    assert (reply.status, reply.headers["Retry-After"]) == (503, "5")


async def test_more_than_the_rate_is_refused() -> None:
    """With 429, in BMON's words, too, since its loggers come again for that."""
    async with pushing(rate=2, replies="bmon") as push:
        replies = [await push.post(STORE, json=BATCH) for _ in range(3)]

    assert [reply.status for reply in replies] == [200, 200, 429]
    assert replies[2].headers["Retry-After"] == "1"


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


# -- who may send


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
    """Whatever the format, and whatever stands in the place of the key."""
    reply = await push.send(method, path, **options)

    assert (reply.status, push.readings) == (401, [])
    assert "key" in reply.text


async def test_bmon_says_invalid_key_with_200(bmon: Push) -> None:
    """So that a logger with a wrong key does not send the same thing for ever."""
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

    async with asyncio.timeout(5):
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
    """Neither right ones nor wrong ones."""
    await push.get("/st8wrong-one/?id=a&val=1")
    await push.get("/readingdb/reading/a/store/?storeKey=other-one&val=1")
    await push.post(STORE, json={"storeKey": "third-one"})

    logged = str(push.ctx.logs)
    assert "request refused" in logged
    assert not re.search("wrong-one|other-one|third-one", logged)


# -- what is no good


@pytest.mark.parametrize(
    ("path", "body", "status", "text"),
    [
        (STORE, b"{", 400, "expected JSON"),
        (STORE, b"[]", 400, "the body: expected an object"),
        (STORE, b'{"readings": 7}', 400, "readings: expected"),
        (
            STORE,
            b'{"readings": [[1, "a", "??"]]}',
            400,
            "0 readings stored successfully, 1 rejected.",
        ),
        (f"{STORE}?format=morse", b"{}", 400, "expected monnit, particle or none, got 'morse'"),
        ("/readingdb/reading/a/store/", b"ts=1", 400, "expected val="),
        ("/readingdb/reading/a/store/", b"a=1&" * 200, 400, "expected a form"),
        ("/write", b"cpu", 400, "partial write: line 1: expected tags and a space"),
        ("/write?precision=w", b"", 400, "precision: expected"),
        ("/readings", b"[[1]]", 400, "expected [time, series, value]"),
        ("/readings", b"7", 400, "expected a list"),
    ],
)
async def test_what_is_no_good_is_told(
    push: Push, path: str, body: bytes, status: int, text: str
) -> None:
    """With a status that says so, and what was expected."""
    reply = await push.post(path, data=body, key="k")

    assert reply.status == status
    assert text in reply.text
    assert push.readings == []


async def test_bmon_calls_everything_final_200(bmon: Push) -> None:
    """The text says what is wrong; a sender that comes again for ever helps nobody."""
    for body, text in (
        (b"{", "expected JSON"),
        (b'{"readings": [[1, "a", "??"]]}', "0 readings stored successfully, 1 rejected."),
        (b'{"readings": []}', "0 readings stored successfully, 0 rejected."),
    ):
        reply = await bmon.post(STORE, data=body, key="k")
        assert reply.status == 200
        assert text in reply.text


async def test_names_that_are_no_unicode_are_told(push: Push) -> None:
    """A reply can be sent whatever it repeats, and so can a line of the log."""
    body = b'{"readings": [[1, "\\ud800", "??"], [1, "\\ud800", 1]]}'
    reply = await push.post(STORE, data=body, key="k")

    assert (reply.status, "\\ud800: expected a number" in reply.text) == (400, True)
    assert not any(line["log_level"] == "error" for line in push.ctx.logs)


async def test_good_lines_are_safe_before_bad_ones_are_told(push: Push) -> None:
    """As InfluxDB does it: what can be stored is stored."""
    reply = await push.post("/write", key="k", data=f"{LINE}\nnonsense\n")

    said = json.loads(reply.text)
    assert reply.status == 400
    assert said["code"] == "invalid"
    assert said["message"] == said["error"]
    assert "line 2" in said["message"]
    assert said["message"].endswith("dropped=1")
    assert len(push.readings) == 1


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", STORE, 405), ("PUT", "/write", 405), ("GET", "/", 404), ("POST", "/query", 404)],
)
async def test_other_addresses_and_methods(push: Push, method: str, path: str, status: int) -> None:
    """They say what there is."""
    reply = await push.send(method, path, key="k")

    assert reply.status == status
    assert reply.headers.get("Allow") == ("POST" if status == 405 else None)


async def test_formats_that_are_not_enabled_are_not_there() -> None:
    """Only what was chosen is answered."""
    async with pushing(formats=["influx"]) as push:
        assert (await push.post(STORE, json=BATCH)).status == 404
        assert (await push.post("/write", data=LINE)).status == 204


async def test_refusals_are_counted_not_repeated(push: Push) -> None:
    """A logger that sends nonsense every second does not fill the log."""
    for _ in range(20):
        await push.post(STORE, data=b"{", key="k")
        await push.post(STORE, json={"readings": [[1, "a", "??"]]}, key="k")

    told = [line["event"] for line in push.ctx.logs if line["log_level"] == "warning"]
    assert told == ["request refused", "readings rejected"]


async def test_refusals_forget_the_oldest_alone(push: Push) -> None:
    """A crowd of kinds does not have everybody's told again."""
    refusal_log = RefusalLog(push.ctx.log)
    for number in range(MOST_KINDS + 1):
        refusal_log.note("influx", f"sender {number}", FormatError("odd"))
    for number in (MOST_KINDS - 1, 0):
        refusal_log.note("influx", f"sender {number}", FormatError("odd"))

    told = [line["sender"] for line in push.ctx.logs if line["event"] == "request refused"]
    assert told == [*(f"sender {number}" for number in range(MOST_KINDS + 1)), "sender 0"]


# -- what would hurt us or others


def test_a_bomb_is_inflated_no_further_than_wanted() -> None:
    """Not all of it in memory, to be measured then."""
    assert len(bodies.Inflate(31).more(gzip.compress(b"0" * 1_000_000), 1000)) == 1000


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_bomb_is_refused(encoding: str) -> None:
    """It is not inflated further than what is allowed."""
    zeros = b"\x00" * 20_000_000
    body = gzip.compress(zeros) if encoding == "gzip" else zlib.compress(zeros)
    async with pushing(max_body=100_000) as push:
        reply = await push.post("/write", data=body, headers={"Content-Encoding": encoding})

    assert (reply.status, json.loads(reply.text)["code"]) == (413, "request too large")


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (b"no gzip", "gzip", 400),
        (gzip.compress(b"cpu value=1", mtime=0)[:-6], "gzip", 400),
        (gzip.compress(b"cpu value=1", mtime=0) + b"more", "gzip", 400),
        (b"cpu value=1", "br", 415),
    ],
)
async def test_bodies_that_cannot_be_inflated(body: bytes, encoding: str, status: int) -> None:
    """They are refused, and none of it is stored."""
    async with pushing() as push:
        reply = await push.post("/write", data=body, headers={"Content-Encoding": encoding})

    assert (reply.status, push.readings) == (status, [])


@pytest.mark.slow
async def test_a_body_that_is_too_large_is_refused() -> None:
    """Whether it says beforehand how large it is or not."""

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 10_000

    async with pushing(max_body=50_000) as push:
        announced = await push.post("/write", data=b"x" * 50_001)
        try:
            chunked = (await push.post("/write", data=endless())).status
        except aiohttp.ClientError:  # it is hung up on while it still sends
            chunked = 413

    assert (announced.status, chunked) == (413, 413)


@pytest.mark.slow
async def test_a_slow_body_is_given_up(push: Push) -> None:
    """After the time that is allowed, and others are answered meanwhile."""
    async with pushing(read_within="100ms") as slow:
        reader, writer = await connected(slow)
        writer.write(b"POST /write HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\ncpu")

        assert (await slow.post("/write", data=LINE)).status == 204
        async with asyncio.timeout(5):
            assert b"408" in await reader.readline()
        writer.close()


@pytest.mark.parametrize(
    "rest", [b"Content-Length: 9\r\n\r\ncpu", b"Transfer-Encoding: chunked\r\n\r\nwhat?\r\ncpu\r\n"]
)
async def test_a_body_that_comes_to_no_end_is_no_bug(push: Push, rest: bytes) -> None:
    """The sender goes away in the middle of it, or writes it wrong."""
    reader, writer = await connected(push)
    writer.write(b"POST /write?p=k HTTP/1.1\r\nHost: 127.0.0.1\r\n" + rest)
    writer.write_eof()
    async with asyncio.timeout(5):
        await reader.read()
    writer.close()
    await push.post("/write", data=LINE, key="k")

    assert not any(line["log_level"] == "error" for line in push.ctx.logs)
    assert len(push.readings) == 1


@pytest.mark.slow
async def test_a_crowd_of_slow_bodies_keeps_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest of them is given up for the next one."""
    monkeypatch.setattr(bodies, "MOST_ON_THEIR_WAY", 3)
    async with pushing() as push:
        crowd = [await connected(push) for _ in range(5)]
        for _, writer in crowd:
            writer.write(b"POST /write HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\ncpu")
            await asyncio.sleep(0.01)  # so that their order is known
        answers = []
        async with asyncio.timeout(5):
            for reader, _ in crowd[:2]:
                answers.append(await reader.readline())
        good = await push.post("/write", data=LINE)
        for _, writer in crowd:
            writer.close()

    assert all(b"408" in answer for answer in answers)
    assert good.status == 204


async def test_a_crowd_of_silent_connections_keeps_nobody_out(
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


async def test_a_crowd_that_never_ends_its_greeting_keeps_nobody_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before TLS stands a connection is silent, too: bounded in number, and in time."""
    monkeypatch.setattr(connections, "MOST_SILENT", 3)
    ca = trustme.CA()
    files = {"cert_file": str(tmp_path / "push.crt"), "key_file": str(tmp_path / "push.key")}
    write(ca, files)
    async with pushing(tls=files, store_keys="k") as push:
        crowd = [await connected(push) for _ in range(6)]
        ended = [await closed(reader) for reader, _ in crowd[:3]]
        assert (await push.post("/write", data=LINE, key="k", ssl=trust(ca))).status == 204
        monkeypatch.setattr(connections, "FIRST_REQUEST", 0.05)
        reader, late = await connected(push)
        ended.append(await closed(reader))
        for _, writer in (*crowd, (reader, late)):
            writer.close()

    assert ended == [True] * 4


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_crowd_of_idle_connections_keeps_nobody_out(
    scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of those that have sent something the one is closed that has been idle the longest."""
    monkeypatch.setattr(connections, "MOST_IDLE", 2)
    ca = trustme.CA()
    files = {"cert_file": str(tmp_path / "push.crt"), "key_file": str(tmp_path / "push.key")}
    write(ca, files)
    params: dict[str, Any] = {"tls": files} if scheme == "https" else {}
    async with pushing(store_keys="k", **params) as push:
        crowd = [await connected(push, trust(ca) if params else None) for _ in range(4)]
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
    async with asyncio.timeout(5):
        return (await reader.readuntil(b"\r\n\r\n")).splitlines(keepends=True)[0]


@pytest.mark.parametrize(
    "path", ["/ping", "/nowhere", "/write", "/write?p=x", "/readingdb/reading/a/store/"]
)
async def test_strangers_keep_no_connection(push: Push, path: str) -> None:
    """Who has shown no key is answered, and that was it."""
    reader, writer = await connected(push)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())

    async with asyncio.timeout(5):
        assert (await reader.read()).startswith(b"HTTP/1.1 ")
    writer.close()


async def test_a_silent_connection_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that never comes to the end of its headers."""
    monkeypatch.setattr(connections, "FIRST_REQUEST", 0.05)
    async with pushing() as push:
        reader, writer = await connected(push)
        writer.write(b"POST /write HTTP/1.1\r\nX-Slow: ")

        assert await closed(reader)
        writer.close()


async def test_nonsense_is_answered_and_not_logged(
    push: Push, caplog: pytest.LogCaptureFixture
) -> None:
    """A stranger that speaks no HTTP costs neither a traceback nor anybody's request."""
    reader, writer = await connected(push)
    writer.write(b"\x16\x03\x01 hello?\r\n\r\n")

    assert b"400" in await reader.readline()
    assert caplog.records == []
    writer.close()


@pytest.mark.slow
async def test_a_large_body_does_not_stop_the_loop() -> None:
    """It is read in a thread, and small ones overtake it."""
    rows = ",".join(f'[{n}, "series_{n % 50}", {n}.5]' for n in range(150_000))
    async with pushing(max_body=16 * 1024 * 1024) as push:
        large = asyncio.create_task(push.post("/readings", data=io.BytesIO(f"[{rows}]".encode())))
        longest = 0.0
        while not large.done():
            began = time.monotonic()
            assert (await push.post("/write", data=LINE)).status == 204
            longest = max(longest, time.monotonic() - began)

    assert json.loads((await large).text)["stored"] == 150_000
    assert longest < 2


# -- where it listens


async def test_tls_with_a_certificate_that_is_renewed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sender that checks certificates is served; a renewed one is taken without a restart."""
    monkeypatch.setattr(http_push, "LOOK_AT_FILES", 0.0)
    monkeypatch.setattr(http_push, "GLANCE", 0.01)
    first, second = trustme.CA(), trustme.CA()
    files = {"cert_file": str(tmp_path / "push.crt"), "key_file": str(tmp_path / "push.key")}
    write(first, files)
    async with pushing(tls=files, store_keys="k") as push:
        assert (await push.post("/write", data=LINE, key="k", ssl=trust(first))).status == 204

        write(second, files)
        await push.logged("certificate renewed")
        async with aiohttp.ClientSession() as http:  # a connection of its own
            reply = await http.post(
                f"{push.url}/write", data=LINE, headers={"store-key": "k"}, ssl=trust(second)
            )
            assert reply.status == 204

        Path(files["cert_file"]).write_text("nonsense")
        await push.logged("renewed certificate is no good, the old one stays")
        assert (await push.post("/write", data=LINE, key="k", ssl=trust(second))).status == 204
    assert sum("no good" in line["event"] for line in push.ctx.logs) == 1


async def test_a_certificate_renewed_before_its_key_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """New connections get the old pair until the new one is whole."""
    monkeypatch.setattr(http_push, "LOOK_AT_FILES", 0.0)
    monkeypatch.setattr(http_push, "GLANCE", 0.01)
    ca = trustme.CA()
    files = {"cert_file": str(tmp_path / "push.crt"), "key_file": str(tmp_path / "push.key")}
    write(ca, files)
    old_key = Path(files["key_file"]).read_bytes()
    async with pushing(tls=files, store_keys="k") as push:
        for key_file, event in (
            (old_key, "renewed certificate is no good, the old one stays"),
            (None, "certificate renewed"),
        ):
            write(ca, files)
            if key_file is not None:
                Path(files["key_file"]).write_bytes(key_file)
            await push.logged(event)
            async with aiohttp.ClientSession(headers={"store-key": "k"}) as http:
                reply = await http.post(f"{push.url}/write", data=LINE, ssl=trust(ca))
                assert reply.status == 204


def write(ca: trustme.CA, files: dict[str, str]) -> None:
    """Write a certificate for this machine."""
    made = ca.issue_cert("127.0.0.1")
    Path(files["key_file"]).write_bytes(made.private_key_pem.bytes())
    Path(files["cert_file"]).write_bytes(b"".join(each.bytes() for each in made.cert_chain_pems))


def trust(ca: trustme.CA) -> ssl.SSLContext:
    """Return what trusts one authority alone."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ca.configure_trust(tls)
    return tls


async def test_a_socket_file_for_a_web_server_in_front(tmp_path: Path) -> None:
    """Our group may use it, no key is needed, and it is gone afterwards."""
    path = tmp_path / "push.sock"
    for _ in range(2):
        async with pushing(listen=f"unix:{path}"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o660
            connector = aiohttp.UnixConnector(str(path))
            async with aiohttp.ClientSession("http://any", connector=connector) as http:
                assert (await http.post("/write", data=LINE)).status == 204

        assert not path.exists()


async def test_a_socket_file_that_is_in_use_is_left_alone(tmp_path: Path) -> None:
    """Whoever has it keeps it; a stale one is replaced; one that others made meanwhile stays."""
    path = tmp_path / "push.sock"
    async with pushing(listen=f"unix:{path}"):
        with pytest.raises(OSError, match="another program listens there already; choose another"):
            await collect(http_push.run, listen=f"unix:{path}")
        connector = aiohttp.UnixConnector(str(path))
        async with aiohttp.ClientSession("http://any", connector=connector) as http:
            assert (await http.post("/write", data=LINE)).status == 204
        path.unlink()
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(path))
    assert path.exists()

    async with pushing(listen=f"unix:{path}"):
        assert path.exists()
    assert not path.exists()


async def test_an_ipv6_address() -> None:
    """It is told as it is written in addresses, and is this machine without a key, too."""
    async with pushing(listen=f"[::1]:{free_port()}") as push:
        assert (await push.post("/write", data=LINE)).status == 204

    assert push.ctx.logs[0]["address"] == push.url.removeprefix("http://")


async def test_below_a_prefix_of_the_daemons_address() -> None:
    """The same formats, with the prefix in front of them."""
    async with context() as ctx, mounted(ctx) as address, pushing(ctx, path="/push") as push:
        push.url = address
        assert (await push.post("/push/api/v2/write", data=LINE)).status == 204
        assert (await push.post(f"/push{STORE}", json=BATCH)).status == 200
        assert (await push.post(STORE, json=BATCH)).status == 404
        bomb = gzip.compress(b"\x00" * 20_000_000)
        headers = {"Content-Encoding": "gzip"}
        assert (await push.post("/push/write", data=bomb, headers=headers)).status == 413


async def test_bmons_own_prefix_at_the_daemons_address() -> None:
    """With ``path: /readingdb`` a logger needs another host in its address, and nothing else."""
    async with context() as ctx, mounted(ctx) as address, pushing(ctx, path="/readingdb") as push:
        push.url = address
        assert (await push.post(STORE, json=BATCH)).status == 200


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({}, "expected either listen: or path:"),
        ({"listen": "127.0.0.1:1", "path": "/push"}, "expected either listen: or path:"),
        ({"listen": "127.0.0.1"}, "listen: expected host:port"),
        ({"listen": ":8480"}, "listen: expected host:port"),
        ({"listen": "127.0.0.1:99999"}, "listen: expected host:port"),
        ({"listen": 8480}, "listen: expected host:port"),
        ({"listen": "unix:here"}, "listen: expected host:port"),
        ({"listen": "0.0.0.0:0"}, "store_keys: expected some, since others can reach 0.0.0.0:0"),
        ({"listen": "[::]:0"}, "store_keys: expected some"),
        ({"listen": "localhost.example.org:0"}, "store_keys: expected some"),
        ({"listen": "127.0.0.1:0", "store_keys": [""]}, "store_keys: expected texts"),
        ({"listen": "127.0.0.1:0", "store_keys": {"a": "k"}}, "expected texts, got a dict"),
        ({"listen": "127.0.0.1:0", "store_keys": [["k"]]}, "expected texts, got a list"),
        ({"listen": "127.0.0.1:0", "replies": "kind"}, "replies: expected 'honest' or 'bmon'"),
        ({"listen": "127.0.0.1:0", "formats": ["morse"]}, "formats: expected some of batch"),
        ({"listen": "127.0.0.1:0", "tls": {}}, "tls: expected cert_file: and key_file:"),
        (
            {"listen": "127.0.0.1:0", "tls": {"cert_file": "/nowhere"}},
            "tls: expected a certificate",
        ),
        ({"path": "/push", "tls": {"cert_file": "/nowhere"}}, "tls: expected listen: beside it"),
        ({"listen": "127.0.0.1:0", "rate": 0}, "rate: expected requests a second above 0"),
        ({"listen": "127.0.0.1:0", "max_body": 10**9}, "max_waiting_bytes: expected at least"),
        ({"listen": "127.0.0.1:0", "max_body": "1MiB"}, "max_body: expected a whole number"),
        ({"listen": "127.0.0.1:0", "answer_within": 5}, "answer_within: expected a duration"),
    ],
)
async def test_options_that_do_not_fit_are_told(params: dict[str, Any], problem: str) -> None:
    """The run fails before anybody is answered."""
    with pytest.raises(ValueError, match=r".") as caught:
        await collect(http_push.run, **params)

    assert problem in str(caught.value)


async def test_a_port_in_use_is_told() -> None:
    """With the address and what to do."""
    async with pushing(listen=f"127.0.0.1:{free_port()}") as push:
        address = push.url.removeprefix("http://")
        with pytest.raises(OSError, match=f"listen: {address}: address already in use; choose"):
            await collect(http_push.run, listen=address)


async def test_keys_are_needed_where_others_reach_the_daemon() -> None:
    """Below the daemon's own address, too."""
    async with context() as ctx:
        ctx._shared.mounts.address = "http://192.0.2.7:8470"
        with pytest.raises(ValueError, match="store_keys: expected some"):
            await collect(http_push.run, ctx=ctx, path="/push")


def test_the_configuration_of_the_page_is_understood() -> None:
    """Its params are those of the plugin."""
    example = PAGE.read_text().partition("```yaml\n")[2].partition("```")[0]
    params = yaml.safe_load(example)["collectors"]["loggers"]["params"]

    assert set(params) == {"listen", "tls", "store_keys", "replies"}
