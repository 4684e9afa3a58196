"""Large answers are read by http_json while they arrive."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from ingestd.plugins._answers import AnswerError
from ingestd.plugins.http_json import run
from ingestd.testing import context, results
from tests.support.jsonsource import NOON, PLAIN, served, serving, values_of

COUNT = 30_000


def records() -> list[dict[str, Any]]:
    """Return more records than one part has, the newest first."""
    return [{"id": "a", "t": NOON - at, "v": at} for at in range(COUNT)]


def elements() -> bytes:
    """Return them as XML."""
    rows = (f'<data id="a"><t>{r["t"]}</t><v>{r["v"]}</v></data>' for r in records())
    return f"<d>{''.join(rows)}</d>".encode()


BODIES: dict[str, tuple[Callable[[], bytes], str, dict[str, Any]]] = {
    "json": (lambda: json.dumps({"data": records(), "n": 1}).encode(), "application/json", {}),
    "ndjson": (
        lambda: "\n".join(map(json.dumps, records())).encode(),
        "application/x-ndjson",
        {"records": None},
    ),
    "csv": (
        lambda: "\n".join(["id,t,v", *(f"a,{r['t']},{r['v']}" for r in records())]).encode(),
        "text/csv",
        {"records": None, "time_format": "unix"},
    ),
    "xml": (elements, "text/xml", {"time_format": "unix"}),
}


@pytest.mark.slow  # it waits for tens of thousands of records to be read
@pytest.mark.parametrize("name", BODIES)
async def test_a_large_answer_comes_in_parts(name: str) -> None:
    """Each is a result; the position moves with the last, since the rest may still fail."""
    body, content_type, options = BODIES[name]

    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(body=body(), content_type=content_type)

    found = await served(handler, **{**PLAIN, **options}, since_param="from")

    assert len(found) > 3
    assert max(len(each["readings"]) for each in found) < COUNT / 2
    assert values_of(found) == list(range(COUNT))
    assert [each.get("newest") for each in found] == [None] * (len(found) - 1) + [NOON]


@pytest.mark.slow  # it waits for tens of thousands of records to be read
@pytest.mark.parametrize("name", BODIES)
async def test_an_answer_that_breaks_off_moves_no_position(name: str) -> None:
    """What came is stored, and comes again."""
    body, content_type, options = BODIES[name]
    data = body()

    async def handler(request: web.Request) -> web.StreamResponse:
        reply = web.StreamResponse(headers={"Content-Type": content_type})
        reply.content_length = len(data)
        await reply.prepare(request)
        await reply.write(data[: -len(data) // 3])
        assert request.transport is not None
        request.transport.close()
        return reply

    found: list[dict[str, Any]] = []

    async def take(url: str, ctx: Any) -> None:
        params = {**PLAIN, **options, "since_param": "from"}
        async for each in results(run, ctx=ctx, url=url, **params):
            found.append(each)  # noqa: PERF401 -- what came before the error counts

    async with serving(handler) as url, context() as ctx:
        with pytest.raises(AnswerError, match="the answer broke off: ClientPayloadError"):
            await take(url, ctx)

    assert 0 < len(values_of(found)) < COUNT
    assert not any("newest" in each for each in found)


@pytest.mark.slow  # it waits for tens of thousands of records to be read
async def test_a_path_that_fits_no_record_is_told_of_all() -> None:
    """Not only of those in the last part."""

    async def handler(_: web.Request) -> web.StreamResponse:
        return web.json_response({"data": records()})

    found = await served(handler, **{**PLAIN, "value": "w"})
    half = await served(handler, **{**PLAIN, "value": f"v && (t > `{NOON - 9}` && v) || null"})

    assert "script_error" not in found[0]
    assert found[-1]["script_error"].startswith(
        f"page 1: value: missing in all of {COUNT} records: nothing; the keys beside it are id, t"
    )
    assert not any("script_error" in each for each in half)
