"""Times that are counted: in days, ticks or other units, from a beginning on."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd  # type: ignore[import-untyped]  # ships no types
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from ingestd.plugins._times import NoTime, Twice, notation
from ingestd.plugins.http_json import check
from tests.support.jsonsource import NOON, PLAIN, answers, served

BERLIN = ZoneInfo("Europe/Berlin")
QUARTER_PAST = 1_782_900_900  # 2026-07-01 10:15 in UTC, 12:15 in Berlin
TICKS = 639_185_049_000_000_000  # of .NET, to 12:15


@pytest.mark.parametrize(
    ("count", "value"),
    [
        ("days since 1899-12-30", 46204.510416666664),  # spreadsheets
        ("days since 1899-12-30", "46204.5104166667"),
        ("days since 1899-12-30", "46204,5104166667"),
        ("days since 1904-01-01", 44742.510416666664),
        ("ticks since 0001-01-01", TICKS),
        ("ticks since 0001-01-01", str(TICKS)),
        ("ticks since 0001-01-01T00:00Z", TICKS - 2 * 3600 * 10**7),
        ("ticks since 1601-01-01T00:00:00Z", (QUARTER_PAST + 11_644_473_600) * 10**7),  # Windows
        ("seconds since 2009-01-01", QUARTER_PAST + 7200 - 1_230_768_000),  # Loxone
        ("seconds since 2001-01-01Z", QUARTER_PAST - 978_307_200.0),  # Apple
        ("milliseconds since 2000-01-01T00:00:00Z", (QUARTER_PAST - 946_684_800) * 1000),
        ("minutes since 1970-01-01Z", QUARTER_PAST / 60),
        ("hours since 1970-01-01T00:00:00+01:00", f"{(QUARTER_PAST + 3600) / 3600}"),
    ],
)
def test_a_count_is_of_what_the_clock_showed_or_of_what_passed(count: str, value: Any) -> None:
    """As the beginning carries a zone or not."""
    assert notation(count, BERLIN).read(value) == pytest.approx(QUARTER_PAST, abs=1e-6)


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)))  # noqa: DTZ001 -- of spreadsheets
def test_days_of_spreadsheets_are_those_of_pandas(moment: datetime) -> None:
    """To the nearest millisecond, since their numbers tell little more."""
    days = (moment - datetime(1899, 12, 30)) / timedelta(days=1)  # noqa: DTZ001
    expected = pd.to_datetime(days, unit="D", origin="1899-12-30")

    found = notation("days since 1899-12-30", UTC).read(days)

    assert found == pytest.approx(round(found, 3), abs=1e-6)
    assert found == pytest.approx(expected.timestamp(), abs=0.000_502)  # as precise as its floats


def test_a_count_of_the_clock_comes_twice_and_skips_as_the_clock_does() -> None:
    """So the order tells the pass, as it does for texts."""
    how = notation("hours since 2026-01-01", BERLIN)
    hours = (datetime(2026, 10, 25, 2) - datetime(2026, 1, 1)) / timedelta(hours=1)  # noqa: DTZ001

    assert how.read(hours) == Twice(1_792_886_400, 1_792_890_000)
    skipped = how.read((datetime(2026, 3, 29, 2) - datetime(2026, 1, 1)) / timedelta(hours=1))  # noqa: DTZ001
    assert isinstance(skipped, NoTime)
    assert skipped.reason == "no_such_time"


def test_without_a_zone_a_count_of_the_clock_stays_naive() -> None:
    """The collector may have one."""
    noon = datetime(2026, 7, 1, 12, 15)  # noqa: DTZ001 -- that is what is tested

    assert notation("ticks since 0001-01-01").read(TICKS) == noon


@pytest.mark.parametrize(
    "value", [None, True, "soon", "1_0", float("nan"), "1e999999", 10**400, []]
)
@pytest.mark.parametrize("count", ["days since 1899-12-30", "ticks since 0001-01-01Z"])
def test_what_is_no_count_is_refused(count: str, value: Any) -> None:
    """It costs one reading only."""
    assert isinstance(notation(count, BERLIN).read(value), NoTime)


@pytest.mark.parametrize(
    "count",
    ["fortnights since 2000-01-01", "days since Christmas", "day since 2000-01-01", " since "],
)
def test_a_count_that_is_none_is_told_by_check(count: str) -> None:
    """Before anything is read by it."""
    (problem,) = check(url="http://h/", **PLAIN, time_format=count)

    assert problem.startswith("time_format: ")


async def test_a_source_may_be_asked_by_a_count() -> None:
    """In whole units, as a number where JSON is sent."""
    asked: list[Any] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        asked.append((await request.json())["from"])
        return web.json_response({"data": []})

    body = {"from": "{since:minutes since 2000-01-01Z}"}
    await served(handler, method="POST", body=body, lookback="90s", **PLAIN)

    assert asked == [(NOON - 946_684_800) // 60 - 2]


async def test_a_count_of_the_clock_is_read_by_order() -> None:
    """In a document, as any time."""
    days = [46320 + quarter / 96 for quarter in (11, 8, 9, 10, 11, 12)]  # the hour comes again
    reply = {"data": [{"id": "a", "t": each, "v": 1} for each in days]}

    (found,) = await answers(
        reply, **PLAIN, time_format="days since 1899-12-30", timezone="Europe/Berlin"
    )

    assert [round(time) - 1_792_889_100 for time, *_ in found["readings"]] == [
        900 * at for at in range(6)
    ]
