"""The push plugin: what each format's senders send over the wire, and are answered."""

import bz2
import gzip
import json
import re
import zlib
from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from ingestd.plugins.http_push.formats.message import FormatError
from ingestd.plugins.http_push.refusallog import MOST_KINDS, RefusalLog
from ingestd.plugins.http_push.routes import FORMATS
from tests.support.pushing import BATCH, LINE, NOON, STORE, Push, pushing

PAGE: Final = Path(__file__).parents[2] / "docs" / "plugins" / "http_push.md"
UPLINK: Final = {
    "hardware_serial": "A8",
    "payload_fields": {"EVENT_TYPE": "09", "TEMPERATURE": 20},
    "metadata": {"time": "2026-01-01T00:00:00Z"},
}


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
    """Each has its address, its key where its senders put it, and an answer in BMON's words."""
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
    """Telegraf and InfluxDB's clients of both versions send it so, plain or compressed."""
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
    """The answer counts what was stored and what was rejected."""
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

    assert push.readings == [(int(NOON.timestamp()), "a", 2.0)]


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
    """An operator fills ``formats`` from its table."""
    table = PAGE.read_text().partition("| format |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| `(\w+)`", table, re.MULTILINE)

    assert set(rows) == set(FORMATS)


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
    """The status says so, and the text what was expected."""
    reply = await push.post(path, data=body, key="k")

    assert reply.status == status
    assert text in reply.text
    assert push.readings == []


async def test_bmon_calls_everything_final_200(bmon: Push) -> None:
    """The text says what is wrong; a sender that comes again for ever is of no use."""
    for body, text in (
        (b"{", "expected JSON"),
        (b'{"readings": [[1, "a", "??"]]}', "0 readings stored successfully, 1 rejected."),
        (b'{"readings": []}', "0 readings stored successfully, 0 rejected."),
    ):
        reply = await bmon.post(STORE, data=body, key="k")
        assert reply.status == 200
        assert text in reply.text


@pytest.mark.parametrize(
    ("path", "form", "status"),
    [
        ("/readings", '{"readings": [%s]}', 200),
        (STORE, '{"readings": [%s]}', 200),
        ("/own", "[%s]", 200),
    ],
)
async def test_times_that_the_collector_does_not_believe_are_told(
    path: str, form: str, status: int
) -> None:
    """A sender that is told that a reading is stored does not send it again with the right time."""
    own = {"path": "/own", "layout": "rows", "fields": ["t", "v"], "time": "t", "series": "a"}
    async with pushing(store_keys=["k"], routes=[{**own, "value": "v"}]) as push:
        push.ctx.not_before = datetime(2000, 1, 1, tzinfo=UTC)
        told = [[19, 1], [1e9, 2]] if path == "/own" else [[19, "a", 1], [1e9, "a", 2]]
        reply = await push.post(path, data=form % json.dumps(told)[1:-1], key="k")
        line = await push.post("/write", data="a value=1 19000000000", key="k")

    assert [value for _, _, value, *_ in push.readings] == [2]
    assert (reply.status, line.status) == (status, 400)
    assert "expected a time from 2000-01-01T00:00:00Z on, got 19" in reply.text
    assert "partial write: a: expected a time from 2000" in line.text


async def test_names_that_are_no_unicode_are_told(push: Push) -> None:
    """A reply can be sent with anything that it repeats, and so can a line of the log."""
    body = b'{"readings": [[1, "\\ud800", "??"], [1, "\\ud800", 1]]}'
    reply = await push.post(STORE, data=body, key="k")

    assert (reply.status, "\\ud800: expected a number" in reply.text) == (400, True)
    assert not any(line["log_level"] == "error" for line in push.ctx.logs)


async def test_good_lines_are_safe_before_bad_ones_are_told(push: Push) -> None:
    """InfluxDB does the same: what can be stored is stored."""
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
    [
        ("GET", STORE, 405),
        ("PUT", "/write", 405),
        ("GET", "/", 404),
        ("POST", "/api/v2/query", 404),
    ],
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
    """A crowd of kinds does not have those of all others told again."""
    refusal_log = RefusalLog(push.ctx.log)
    for number in range(MOST_KINDS + 1):
        refusal_log.note("influx", f"sender {number}", FormatError("odd"))
    for number in (MOST_KINDS - 1, 0):
        refusal_log.note("influx", f"sender {number}", FormatError("odd"))

    told = [line["sender"] for line in push.ctx.logs if line["event"] == "request refused"]
    assert told == [*(f"sender {number}" for number in range(MOST_KINDS + 1)), "sender 0"]


def test_the_configuration_of_the_page_is_understood() -> None:
    """Its params are those of the plugin."""
    example = PAGE.read_text().partition("```yaml\n")[2].partition("```")[0]
    params = yaml.safe_load(example)["collectors"]["loggers"]["params"]

    assert set(params) == {"listen", "tls", "store_keys", "replies"}
