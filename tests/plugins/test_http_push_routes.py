"""Paths of the operator's own, where documents of any shape and format are sent."""

import gzip
import json
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

from ingestd.plugins.http_push.ownroutes import own_routes
from tests.plugins.test_docs import PAGES
from tests.support.pushing import NOON, pushing

NOW = NOON.timestamp()
SAMPLES: dict[str, Any] = {
    "path": "/samples/{site}",
    "records": "samples",
    "time": "t",
    "series": "{site}_{parent.device}_{query.kind}",
    "value": "v",
    "tags": {"site": "{site}"},
    "nothing": -999,
}


async def test_documents_are_read_as_described() -> None:
    """Levels of the path, the query, and what is around a record stand in names."""
    document = {
        "device": 7,
        "samples": [{"t": 1, "v": 2.5}, {"t": 2, "v": -999}, {"t": 3, "v": "x"}],
    }
    async with pushing(routes=[SAMPLES], store_keys=["k"]) as push:
        refused = await push.post("/samples/roof?kind=flow", json=document)
        reply = await push.post("/samples/roof?kind=flow", json=document, key="k")

    assert refused.status == 401
    assert reply.status == 200
    assert json.loads(reply.text) == {
        "stored": 1,
        "rejected": 1,
        "problems": ["roof_7_flow: expected a finite number, got 'x'"],
    }
    assert push.readings == [(1.0, "roof_7_flow", 2.5, {"site": "roof"})]


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"t;v\n2026-03-01 10:00:00;2,5\n", {"Content-Type": "text/csv"}),
        (gzip.compress(b"t;v\n2026-03-01 10:00:00;2,5\n"), {"Content-Type": "text/csv"}),
        (
            gzip.compress(b"t;v\n2026-03-01 10:00:00;2,5\n"),
            {"Content-Type": "text/csv", "Content-Encoding": "gzip"},
        ),
        (b'{"t": "2026-03-01 10:00:00", "v": "2,5"}', {"Content-Type": "application/json"}),
        (b"<r><t>2026-03-01 10:00:00</t><v>2,5</v></r>", {"Content-Type": "text/xml"}),
    ],
    ids=["csv", "a file in gzip", "gzip on the way", "json", "xml"],
)
async def test_format_is_what_the_sender_says(body: bytes, headers: dict[str, str]) -> None:
    """Where the route says nothing of it; times are in the zone of the collector."""
    route = {"path": "/d", "time": "t", "series": "s", "value": "v", "decimal": ","}
    async with pushing(routes=[route], timezone="Europe/Berlin") as push:
        reply = await push.send("PUT", "/d", data=body, headers=headers)

    assert reply.status == 200, reply.text
    time = datetime(2026, 3, 1, 9, tzinfo=UTC).timestamp()
    assert push.readings == [(time, "s", 2.5, {})]


async def test_a_form_or_a_query_is_a_record() -> None:
    """Some loggers can do no more than a GET."""
    route = {"path": "/w", "format": "form", "values": {"{id}_c": "c", "{id}_p": "p"}}
    async with pushing(routes=[route], formats=[]) as push:
        got = await push.get("/w?id=7&c=-3.5&p=40")
        posted = await push.post("/w", data={"id": "8", "c": "1", "p": "2"})
        other = await push.post("/readings", json=[[1, "a", 1]])

    assert (got.status, posted.status, other.status) == (200, 200, 404)
    assert other.text == "nothing is taken here; try /w"
    assert [(series, value) for _, series, value, _ in push.readings] == [
        ("7_c", -3.5),
        ("7_p", 40),
        ("8_c", 1),
        ("8_p", 2),
    ]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"{", 400, "expected JSON"),
        (b"[1]", 400, "expected another message: records: expected a list or an object there"),
        (b'{"device": 1, "samples": [{"t": 1, "w": 2}]}', 400, "expected a value, got nothing; "),
        (b'{"device": 1, "samples": [{"t": 1, "v": null}]}', 200, '"stored": 0, "rejected": 0'),
        (b'{"device": 1, "samples": []}', 200, '"stored": 0'),
        (b'{"device": 1, "samples": [{"v": 1}]}', 400, "expected a time, with an offset"),
        (b'{"device": 1, "samples": [{"t": "2026-03-01T10:00", "v": 1}]}', 400, "by `timezone`"),
        (b'{"samples": [{"t": 1, "v": 1}]}', 400, "expected a printable name"),
        (gzip.compress(b" " * 2_000_000), 400, "at most 1048576 bytes when unpacked"),
    ],
)
async def test_what_cannot_be_stored_is_told(body: bytes, status: int, said: str) -> None:
    """Each fault in words that help whoever set the sender up."""
    async with pushing(routes=[SAMPLES]) as push:
        reply = await push.post("/samples/roof?kind=flow", data=body)

    assert (reply.status, push.readings) == (status, [])
    assert said in reply.text


async def test_the_page_shows_routes_that_work() -> None:
    """What it says is sent becomes what it says it becomes."""
    page = (PAGES / "http_push.md").read_text()
    (routes,) = yaml.safe_load(
        next(each for each in page.split("```") if each.startswith("yaml\n      routes:"))[5:]
    ).values()
    lines = b"Time;Flow\n2026-03-01T10:00:00Z;1,5\n2026-03-01T10:15:00Z;2,5\n"
    async with pushing(routes=routes) as push:
        await push.post("/loggers/north", data=lines)
        await push.get("/weather?station=7&celsius=-3.5")

    assert [(series, value) for _, series, value, _ in push.readings] == [
        ("north_flow", 1.5),
        ("north_flow", 2.5),
        ("weather_7_celsius", -3.5),
    ]


@pytest.mark.parametrize(
    ("routes", "message"),
    [
        ({"path": "/a"}, "^routes: expected a list of paths with options"),
        (["/a"], r"^routes\[0\]: expected `path` and what is sent there, got '/a'"),
        ([{"path": "/a", "serie": "s"}], r"^routes\[0\]: expected only .*, got 'serie'"),
        ([{**SAMPLES, "path": "a"}], r"^routes\[0\].path: expected one such as /loggers"),
        ([{**SAMPLES, "path": "/a{x}"}], r"^routes\[0\].path: expected one such as"),
        ([{**SAMPLES, "path": "/{x}/{x}"}], r"^routes\[0\].path: expected one such as"),
        ([{**SAMPLES, "path": "/{key}"}], r"^routes\[0\].path: .* other names than key"),
        ([SAMPLES, {"path": "/a"}], r"^routes\[1\].value, values: expected one of them"),
        ([{**SAMPLES, "format": "morse"}], r"^routes\[0\].format: expected one of"),
        ([{**SAMPLES, "time": "a["}], r"^routes\[0\].time: expected JMESPath"),
    ],
)
def test_routes_that_are_wrong_are_told(routes: Any, message: str) -> None:
    """With the number of the route and the name of the option."""
    with pytest.raises(ValueError, match=message):
        own_routes(routes, zone=None)
