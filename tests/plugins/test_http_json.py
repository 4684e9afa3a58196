"""The http_json plugin against a server with the awkward habits of real ones."""

from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

from ingestd.plugins._answers import AnswerError
from ingestd.plugins.http_json import run
from ingestd.testing import collect, context
from tests.support.jsonsource import (
    PLAIN,
    answers,
    served,
)
from tests.support.ports import free_port


async def test_records_become_readings() -> None:
    """Time, series, value and tags are found where the options say."""
    document = {
        "meta": {"count": 1},
        "data": [{"at": "2026-07-01T10:00:00Z", "site": {"name": "roof"}, "kind": "pv", "w": 5.5}],
    }

    (result,) = await answers(
        document,
        records="data",
        time="at",
        series="{site.name}_{kind}_watts",
        value="w",
        tags={"site": "{site.name}", "floor": "{floor}", "source": "api"},
    )

    assert result == {
        "readings": [
            (
                datetime(2026, 7, 1, 10, tzinfo=UTC).timestamp(),
                "roof_pv_watts",
                5.5,
                {"site": "roof", "source": "api"},
            )
        ]
    }


async def test_one_record_can_make_several_readings() -> None:
    """An object is one record; without `time` its readings are of now."""
    document = {"main": {"temp": 21.5, "humidity": 40}, "name": "lab"}

    (result,) = await answers(
        document, values={"{name}_celsius": "main.temp", "{name}_percent": "main.humidity"}
    )

    assert result == {"readings": [(None, "lab_celsius", 21.5), (None, "lab_percent", 40)]}


async def test_jmespath_selects_and_computes() -> None:
    """Filters and functions of JMESPath work wherever a path does."""
    document = {"d": [{"k": "a", "v": ["3", "4"]}, {"k": "b", "v": ["5"]}]}

    found = await answers(document, records="d[?k=='a']", series="{k}", value="max(v)")

    assert found == [{"readings": [(None, "a", 4.0)]}]


async def test_bad_record_does_not_hurt_its_siblings() -> None:
    """What is unusable is passed on as it is, for the daemon to count by reason."""
    good = {"id": "a", "t": 1, "v": 1.5}
    bad = [{**good, "v": None}, {**good, "t": "soon"}, {**good, "id": None}, "nonsense"]

    (result,) = await answers({"data": [good, *bad]}, **PLAIN)

    assert result["readings"][0] == (1, "a", 1.5)
    assert result["readings"][1] == (1, "a", None)
    assert result["readings"][3] == (1, "", 1.5)
    soon, *rest = result["readings"][2]
    assert soon.startswith("expected an ISO 8601 time")
    assert rest == ["a", 1.5]
    time, series, value = result["readings"][4]
    assert time.endswith("got nothing")  # None would mean now
    assert (series, value) == ("", None)
    assert "script_error" not in result


async def test_value_missing_everywhere_marks_the_run() -> None:
    """A path that fits no record says so, with what is there instead."""
    (result,) = await answers({"data": [{"id": "a", "t": 1, "val": 3}]}, **PLAIN)

    assert "value: missing in all of 1 records" in result["script_error"]
    assert "id, t, val" in result["script_error"]


async def test_records_missing_is_an_error_that_names_what_is_there() -> None:
    """A document of another shape fails the run."""
    with pytest.raises(AnswerError, match=r"records: expected a list .* nothing; .* rows, total"):
        await answers({"rows": [], "total": 0}, **PLAIN)


async def test_no_records_is_a_quiet_success() -> None:
    """A source may have nothing to say."""
    assert await answers({"data": []}, **PLAIN) == [{"readings": []}]


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (
            web.Response(status=404, text="no such meter"),
            "expected 200, got 404 Not Found: text/plain: 'no",
        ),
        (
            web.Response(status=302, headers={"Location": "/login?next=secret"}),
            r"got 302 Found to http://127.0.0.1:\d+/login: ",
        ),
        (
            web.Response(text="<html>\n<h1>Please log in", content_type="text/html"),
            "expected JSON, got 200 OK: text/html: '<html> <h1>Please log in'",
        ),
        (web.Response(text='{"data": [', content_type="application/json"), "expected JSON, got"),
        (web.Response(text="[" * 100_000), "expected JSON, got"),
        (web.Response(body=b"\xff\xfe", content_type="application/json"), "expected JSON, got"),
    ],
)
async def test_answer_that_is_no_json_says_what_it_is(reply: web.Response, message: str) -> None:
    """The error names the request and shows the beginning of the answer, but no secret."""
    with pytest.raises(AnswerError, match=message) as caught:
        await answers(reply, query={"api_key": "hush"}, **PLAIN)

    assert "hush" not in str(caught.value)
    assert "secret" not in str(caught.value)


async def test_server_that_is_not_there_is_named() -> None:
    """The error says what was asked for, and shows no secret of the query."""
    url = f"http://127.0.0.1:{free_port()}/api"
    async with context() as ctx:
        with pytest.raises(AnswerError) as caught:
            await collect(run, ctx=ctx, url=url, query={"api_key": "hush"}, **PLAIN)

    assert str(caught.value).startswith(f"GET {url}: expected an answer, got none: Client")
    assert "hush" not in str(caught.value)


async def test_json_may_come_as_plain_text_with_a_byte_order_mark() -> None:
    """What counts is what is in it."""
    text = web.Response(body=b'\xef\xbb\xbf{"data": [{"id": "a", "t": 1, "v": NaN}]}')

    (result,) = await answers(text, **PLAIN)

    assert result["readings"][0][:2] == (1, "a")


async def test_answer_larger_than_allowed_is_refused_while_it_comes() -> None:
    """An endless answer cannot fill the memory."""
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        reply = web.StreamResponse()
        await reply.prepare(request)
        while sent < 50_000_000:
            await reply.write(b" " * 50_000)
            sent += 50_000
        return reply

    with pytest.raises(AnswerError, match=r"expected at most 100000 bytes \(max_bytes\), got more"):
        await served(endless, max_bytes=100_000, **PLAIN)

    assert sent < 50_000_000


@pytest.mark.parametrize(
    ("auth", "header"),
    [
        ({"username": "me", "password": "pä"}, "Basic " + b64encode("me:pä".encode()).decode()),
        ({"token": "t0"}, "Bearer t0"),
        (None, None),
    ],
)
async def test_request_carries_what_was_asked(auth: Any, header: str | None) -> None:
    """Method, headers, query, body and authorization reach the server."""
    seen: list[Any] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        seen.extend([request.method, dict(request.query), await request.json(), request.headers])
        return web.json_response([])

    await served(
        handler,
        method="post",
        headers={"X-Site": 7},
        query={"all": True, "n": 5},
        body={"from": "x"},
        auth=auth,
        series="a",
        value="v",
    )

    method, query, body, headers = seen
    assert (method, query, body) == ("POST", {"all": "true", "n": "5"}, {"from": "x"})
    assert headers["X-Site"] == "7"
    assert headers["Content-Type"] == "application/json"
    assert headers.get("Authorization") == header


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"series": "a"}, "value, values: expected one of them"),
        ({"value": "v"}, "series: expected beside `value`"),
        ({"series": "a", "value": "v["}, r"^value: expected JMESPath, got 'v\['"),
        (
            {"series": "a", "value": "v", "paging": {"type": "pages"}},
            "paging: expected a `type`",
        ),
        ({"series": "a", "value": "v", "paging": {"type": "next"}}, "paging: expected path beside"),
        ({"series": "a", "value": "v", "auth": {"token": "x", "username": "y"}}, "auth: expected"),
        ({"series": "a", "value": "v", "since_param": "from"}, "since_param: expected `time`"),
        ({"series": "a", "value": "v", "max_pages": 0}, "max_pages: expected a whole number"),
        ({"series": "a", "value": "v", "overlap": "5"}, "overlap: expected a duration"),
    ],
)
async def test_wrong_option_says_what_is_right(params: dict[str, Any], message: str) -> None:
    """Options are checked before anything is asked."""
    with pytest.raises(ValueError, match=message):
        await collect(run, url="http://127.0.0.1:9/", **params)


async def test_url_must_be_http() -> None:
    """An address of another kind is refused, without showing what is secret in it."""
    with pytest.raises(ValueError, match=r"url: expected http://… or https://…, got 'ftp://h/x'"):
        await collect(run, url="ftp://me:secret@h/x?key=secret", series="a", value="v")


@pytest.mark.parametrize("path", ["power", "site.power"])
async def test_a_source_that_has_nothing_to_tell_is_well(path: str) -> None:
    """At night an inverter says null for everything, and that is as it should be."""
    record = {"power": None, "site": {"power": None}}

    (result,) = await answers([record, record], values={"power": path})

    assert result == {"readings": [(None, "power", None)] * 2}


async def test_no_content_is_no_record() -> None:
    """The status 204 says so in its own words."""

    async def nothing(_request: web.Request) -> web.Response:
        return web.Response(status=204)

    (result,) = await served(nothing, records="data", values={"power": "power"})

    assert result["readings"] == []
