"""Sources of each kind, read by runs that end anywhere: nothing is skipped, nothing is wrong."""

import random
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from aiohttp import web

from ingestd.plugins._answers import AnswerError
from ingestd.plugins.http_json import run
from ingestd.testing import context, results
from tests.support.jsonsource import PLAIN, serving

QUARTER = 900
HOUR = 3600.0
DAY = 86_400.0
ZONE = ZoneInfo("America/St_Johns")
LOCAL = "%Y-%m-%d %H:%M:%S"
BEGIN = datetime(2026, 10, 29, 12, tzinfo=ZONE).timestamp()  # the clocks go back on November 1

pytestmark = pytest.mark.slow  # two hundred runs


def unix(text: str) -> float:
    """Return the Unix seconds of their text."""
    return float(text)


def local(text: str) -> float:
    """Return the Unix seconds of a local time, as a source reads it."""
    return datetime.strptime(text, LOCAL).replace(tzinfo=ZONE).timestamp()


def as_local(time: float) -> str:
    """Return a local time."""
    return f"{datetime.fromtimestamp(time, ZONE):{LOCAL}}"


@dataclass
class Growing:
    """A source that gets a reading each quarter of an hour, and fails now and then.

    Attributes:
        now: What time it is there.
        faults: How many requests it answers before it fails, or a negative number.
    """

    read: Callable[[str], float]
    write: Callable[[float], Any]
    answer: Callable[[web.Request, list[float]], list[float]]
    longest: float
    now: float = BEGIN
    faults: int = -1
    asked: list[str] = field(default_factory=list)

    async def handler(self, request: web.Request) -> web.StreamResponse:
        """Answer a request."""
        self.faults -= 1
        if self.faults == -1:
            return web.Response(status=500)
        since = self.read(request.query["from"]) if "from" in request.query else BEGIN
        until = self.read(request.query["to"]) if "to" in request.query else self.now + 1
        assert until - since <= self.longest, "more than the source gives at once"
        first = int(-(-max(since, BEGIN) // QUARTER)) * QUARTER
        there = list(range(first, int(min(until - 1, self.now)) + 1, QUARTER))
        page = self.answer(request, [float(t) for t in there])
        if not page and request.query.get("page", "1") != "1":
            return web.Response(status=404)
        data = [{"id": "a", "t": self.write(t), "v": t} for t in page]
        more = {"token": int(request.query.get("token", "0")) + 1} if page else {}
        return web.json_response({"data": data, **more})


def whole(_: web.Request, times: list[float]) -> list[float]:
    """Return everything, the oldest first."""
    return times


def pages(request: web.Request, times: list[float]) -> list[float]:
    """Return a page of seven, the newest first."""
    at = 7 * (int(request.query["page"]) - 1)
    return times[::-1][at : at + 7]


def tokens(request: web.Request, times: list[float]) -> list[float]:
    """Return seven behind a token, the oldest first."""
    at = 7 * int(request.query.get("token", "0"))
    return times[at : at + 7]


WINDOWS = {"since_param": "from", "until_param": "to", "span": "5h", "lookback": "2d"}
IN_LOCAL_TIME = {"since_format": LOCAL, "timezone": "America/St_Johns"}
KINDS: dict[str, tuple[Growing, dict[str, Any]]] = {
    "pages": (
        Growing(unix, float, pages, DAY * 9),
        {
            "since_param": "from",
            "since_format": "unix",
            "paging": {"type": "page", "param": "page"},
        },
    ),
    "tokens": (
        Growing(unix, float, tokens, DAY * 9),
        {
            "since_param": "from",
            "since_format": "unix",
            "order": "oldest_first",
            "paging": {"type": "token", "path": "token", "param": "token"},
        },
    ),
    "windows": (Growing(unix, float, whole, HOUR * 5), {**WINDOWS, "since_format": "unix"}),
    "windows with pages": (
        Growing(unix, float, pages, HOUR * 5),
        {**WINDOWS, "since_format": "unix", "paging": {"type": "page", "param": "page"}},
    ),
    "local time": (
        Growing(local, as_local, whole, DAY * 9),
        {"since_param": "from", **IN_LOCAL_TIME},
    ),
    "windows in local time": (
        Growing(local, as_local, whole, HOUR * 5),
        {**WINDOWS, **IN_LOCAL_TIME},
    ),
}


@pytest.mark.parametrize("kind", KINDS)
async def test_runs_that_end_anywhere_skip_nothing(kind: str) -> None:
    """Killed after any result, or failed at any request, as often as it may be."""
    source, params = KINDS[kind]
    chance = random.Random(kind)
    stored: dict[float, float] = {}
    newest: float | None = None
    async with serving(source.handler) as url:
        for number in range(200):
            source.now += chance.choice([60.0, 900.0, 1800.0, 2000.0]) if number < 199 else 1.0
            source.faults = chance.choice([-1, 0, 1, 2]) if number < 199 else -1
            left = chance.choice([0, 1, 2, 99]) if number < 199 else 10**6
            async with context(now=datetime.fromtimestamp(source.now, UTC)) as ctx:
                found = results(run, ctx=ctx, url=url, newest=newest, **PLAIN, **params)
                async with aclosing(found):
                    while left > 0:
                        left -= 1
                        try:
                            result = await anext(found)
                        except (AnswerError, StopAsyncIteration):
                            break
                        assert "script_error" not in result
                        stored |= {time: value for time, _, value in result["readings"]}
                        newest = result.get("newest", newest)

    first = int(-(-BEGIN // QUARTER)) * QUARTER
    assert sorted(stored) == [float(t) for t in range(first, int(source.now) + 1, QUARTER)]
    assert all(time == value for time, value in stored.items())
