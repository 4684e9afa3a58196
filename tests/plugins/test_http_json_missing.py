"""Values that a source does not have yet: its position waits for them."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from ingestd.plugins.http_json import run
from ingestd.testing import collect, context
from tests.support.jsonsource import NOON, NOW, PLAIN, serving, values_of

QUARTER = 900


class Meter:
    """A source that gives what it has from a time on.

    Attributes:
        held: Values by their time; None is null.
        asked: From when on was asked, for each request.
        page: How many readings it gives at once.
        newest_first: Whether it begins with the newest.
        notes: What the last run noted.
    """

    def __init__(self, held: Mapping[float, Any]) -> None:
        self.held = dict(held)
        self.asked: list[float] = []
        self.page = len(held)
        self.newest_first = False
        self.notes: list[str] = []

    async def handler(self, request: web.Request) -> web.StreamResponse:
        """Answer with one page."""
        since, skip = float(request.query.get("from", 0)), int(request.query.get("skip", 0))
        self.asked.append(since)
        times = sorted((t for t in self.held if t >= since), reverse=self.newest_first)
        found = [{"id": "m", "t": t, "v": self.held[t]} for t in times[skip : skip + self.page]]
        return web.json_response({"data": found})


async def read(meter: Meter, newest: float | None, **options: Any) -> tuple[Any, list[Any]]:
    """Run once at noon; return the new position, and the values that came."""
    params = {**PLAIN, "since_param": "from", "since_format": "unix", **options}
    async with serving(meter.handler) as url, context(now=NOW) as ctx:
        found = await collect(run, ctx=ctx, url=url, newest=newest, **params)
        meter.notes = ctx.notes
    states = [each["newest"] for each in found if "newest" in each]
    return (states[-1] if states else newest), values_of(found)


def quarters(*values: Any, until: float = NOON) -> dict[float, Any]:
    """Return values for each quarter of an hour, the last of them then."""
    first = until - QUARTER * (len(values) - 1)
    return {first + QUARTER * at: value for at, value in enumerate(values)}


@pytest.mark.parametrize("missing", [None, "", "n/a", "NaN", -999])
async def test_position_waits_for_values_that_are_missing(missing: Any) -> None:
    """The next run asks for them again, and what came meanwhile is not lost either."""
    meter = Meter(quarters(5.0, missing, missing))
    options = {"nothing": -999}

    position, first = await read(meter, None, **options)
    meter.held = quarters(5.0, 7.0, 8.0, 9.0, until=NOON + QUARTER)
    position, second = await read(meter, position, **options)

    assert first[0] == 5.0
    assert second[-3:] == [7.0, 8.0, 9.0]


@pytest.mark.parametrize(
    ("newest_first", "order"), [(False, None), (False, "oldest_first"), (True, None)]
)
async def test_position_waits_whatever_the_pages(*, newest_first: bool, order: str | None) -> None:
    """A value that is missing on one page holds the position behind those of the others."""
    meter = Meter(quarters(1, 2, None, 4, 5, 6))
    meter.page, meter.newest_first = 2, newest_first
    paging = {"type": "offset", "param": "skip", "size": 2}

    position, found = await read(meter, None, paging=paging, order=order)

    assert sorted(each for each in found if each is not None) == [1, 2, 4, 5, 6]
    assert NOON - 4 * QUARTER <= position < NOON - 3 * QUARTER


async def test_value_that_never_comes_does_not_hold_the_position_for_ever() -> None:
    """After `hold` the position passes it, and the record of the run says so."""
    meter = Meter(quarters(1, None, 3, None))

    position, _ = await read(meter, None, hold="20m")

    assert NOON - QUARTER <= position < NOON
    (note,) = meter.notes
    assert note == ("1 value missing at 2026-07-01T11:30:00Z, which is beyond hold: not waited for")


async def test_position_never_goes_back() -> None:
    """A value that was there once and is null now, as when it is being corrected, waits in vain."""
    meter = Meter(quarters(1, None, 3))

    position, _ = await read(meter, NOON - 60, overlap="1h")

    assert position >= NOON - 60


async def test_what_was_passed_comes_with_revisit() -> None:
    """Each run reads the recent past again, as far back as the collector says."""
    meter = Meter(quarters(1, 2, 3))

    _, found = await read(meter, NOON, revisit=timedelta(minutes=15))

    assert found == [2, 3]
    assert meter.asked == [NOON - QUARTER]


async def test_a_later_window_does_not_pass_what_an_earlier_one_lacks() -> None:
    """With `span` the windows after it are read, and read again."""
    meter = Meter(quarters(1, None, 3, 4, 5))

    position, found = await read(meter, NOON - 4 * QUARTER, span="30m", lookback="1h")

    assert {3, 4, 5} <= set(found)
    assert position < NOON - 3 * QUARTER


async def test_values_that_are_to_come_do_not_move_the_position() -> None:
    """A source may give a day to its end, with null for what is not measured yet."""
    late, tomorrow = NOON - 6 * 3600, NOON + 3600
    meter = Meter({late: 5.0, tomorrow: None})

    position, _ = await read(meter, None)
    meter.held, meter.page = {late: 5.0, late + QUARTER: 6.0, tomorrow: None}, 3
    _, second = await read(meter, position)

    assert position == late
    assert second == [5.0, 6.0, None]
