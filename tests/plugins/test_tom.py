"""The tom plugin against a server that answers as TOM Toolkit 3.1.0 does."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from aiohttp import web

from ingestd.plugins._answers import AnswerError
from ingestd.plugins.tom import run
from ingestd.testing import TestContext, collect, context
from tests.support.tom import TOKEN, USER, FakeTom, photometry, row, serving_tom

NOW: Final = datetime(2026, 7, 1, tzinfo=UTC)
NOON: Final = "2026-06-30T12:00:00Z"
AT_NOON: Final = datetime(2026, 6, 30, 12, tzinfo=UTC).timestamp()
BAND: Final = {"band": "r"}


@pytest.fixture
async def tom() -> AsyncIterator[FakeTom]:
    """A TOM with one private target and one row."""
    tom = FakeTom(targets={7: "SN 2026abc"}, typed=[photometry(7, NOON, 15.5)])
    async with serving_tom(tom):
        yield tom


@pytest.fixture
async def ctx() -> AsyncIterator[TestContext]:
    """The context of all runs of a test."""
    async with context(now=NOW) as ctx:
        yield ctx


async def read(tom: FakeTom, ctx: TestContext, **more: Any) -> dict[str, Any]:
    """Run once; return all results as one."""
    given = {"url": tom.url, "auth": {"token": TOKEN}, **more}
    results = await collect(run, ctx=ctx, **given)
    readings = [each for result in results for each in result.get("readings", [])]
    return {key: value for each in results for key, value in each.items()} | {"readings": readings}


@pytest.mark.parametrize("auth", [USER, {"token": TOKEN}], ids=["Basic", "Token"])
async def test_photometry_becomes_readings(
    tom: FakeTom, ctx: TestContext, auth: dict[str, str]
) -> None:
    """Each quantity is a series of the target; what tells measurements apart are tags."""
    tom.typed = [photometry(7, NOON, 15.5, brightness_error=0.1, telescope="elp", unit="AB")]

    result = await read(tom, ctx, auth=auth)

    tags = {**BAND, "telescope": "elp", "unit": "AB"}
    assert result["readings"] == [
        (AT_NOON, "tom_7_brightness", 15.5, tags),
        (AT_NOON, "tom_7_error", 0.1, tags),
    ]
    assert "script_error" not in result


async def test_old_rows_are_the_same_series_as_new_ones(tom: FakeTom, ctx: TestContext) -> None:
    """So moving them to the new tables changes nothing; the API's own filter would hide them."""
    tom.legacy = [row(7, NOON, {"magnitude": 15.5, "filter": "r", "error": "0.1"})]
    tom.typed = []
    before = await read(tom, ctx)
    tom.typed = [photometry(7, NOON, 15.5, brightness_error="0.1")]
    tom.legacy = []

    after = await read(tom, ctx, seen=before["seen"])

    assert before["readings"] == [
        (AT_NOON, "tom_7_brightness", 15.5, BAND),
        (AT_NOON, "tom_7_error", "0.1", BAND),
    ]
    assert after["readings"] == []


async def test_upper_limits_are_read_where_the_server_tells_them(
    tom: FakeTom, ctx: TestContext
) -> None:
    """It has them for old rows; of new ones it tells a brightness of null, which is no reading."""
    tom.legacy = [row(7, NOON, {"limit": 20.5, "filter": "g"})]
    tom.typed = [photometry(7, NOON, None)]

    result = await read(tom, ctx)

    assert result["readings"] == [(AT_NOON, "tom_7_limit", 20.5, {"band": "g"})]
    assert ["7 (1)" in note and "upper limits" in note for note in ctx.notes] == [True]


@pytest.mark.parametrize(
    "time",
    ["2026-06-30T14:00:00+02:00", "2026-06-30T12:00:00", 61221.5, 2461222.0],
    ids=["offset", "no zone", "MJD", "JD"],
)
async def test_times_are_read_as_astronomers_write_them(
    tom: FakeTom, ctx: TestContext, time: object
) -> None:
    """Without a zone they are in UTC, whatever zone the collector is in; numbers are days."""
    tom.typed = [photometry(7, "", 15.5) | {"timestamp": time}]

    assert [each[0] for each in (await read(tom, ctx))["readings"]] == [AT_NOON]


async def test_only_what_changed_is_sent_again(tom: FakeTom, ctx: TestContext) -> None:
    """All of a target is, since no row says what it was before; the others are left alone."""
    tom.targets = {7: "a", 8: "b"}
    tom.typed += [photometry(8, NOON, 17.0)]
    first = await read(tom, ctx)
    second = await read(tom, ctx, seen=first["seen"])
    tom.typed[1] = photometry(8, NOON, 17.2)

    third = await read(tom, ctx, seen=second["seen"])

    assert len(first["readings"]) == 2
    assert second["readings"] == []
    assert third["readings"] == [(AT_NOON, "tom_8_brightness", 17.2, BAND)]


async def test_all_is_sent_again_once_a_day(tom: FakeTom, ctx: TestContext) -> None:
    """Or as often as the collector's `revisit_full` says."""
    seen = (await read(tom, ctx))["seen"]
    ctx.time = NOW + timedelta(hours=23)
    early = await read(tom, ctx, seen=seen)
    ctx.time = NOW + timedelta(hours=24)
    due = await read(tom, ctx, seen=early["seen"])
    later = await read(tom, ctx, seen=early["seen"], revisit_full=timedelta(days=2))

    assert [len(each["readings"]) for each in (early, due, later)] == [0, 1, 0]


async def test_of_values_of_one_time_the_last_row_counts(tom: FakeTom, ctx: TestContext) -> None:
    """As a whole: the error of a row that was replaced does not stay with the new value."""
    tom.typed = [
        photometry(7, NOON, 15.5, brightness_error=0.1),
        photometry(7, NOON, 15.4),
        photometry(7, NOON, None),
    ]

    result = await read(tom, ctx)

    assert result["readings"] == [(AT_NOON, "tom_7_brightness", 15.4, BAND)]
    assert ["targets 7 (1)" in note for note in ctx.notes] == [True, True]
    assert "differ" in ctx.notes[0]


async def test_a_new_table_counts_more_than_the_old_one(tom: FakeTom, ctx: TestContext) -> None:
    """A row that was moved and revised there is listed behind the one that it came from."""
    tom.legacy = [row(7, NOON, {"magnitude": 15.1, "filter": "r"})]

    assert (await read(tom, ctx))["readings"] == [(AT_NOON, "tom_7_brightness", 15.5, BAND)]


@pytest.mark.parametrize("scheme", ["Token", "Basic"])
async def test_a_server_that_does_not_look_at_the_authorization_is_no_server_without_data(
    tom: FakeTom, ctx: TestContext, scheme: str
) -> None:
    """It would answer 200 with what everyone may see: some targets, or none."""
    tom.public = {3: "public"}
    tom.schemes = ()

    with pytest.raises(AnswerError, match=f"looks at `Authorization: {scheme} "):
        await read(tom, ctx, auth=USER if scheme == "Basic" else {"token": TOKEN})


async def test_a_wrong_token_fails_and_is_not_shown(tom: FakeTom, ctx: TestContext) -> None:
    """Servers like to repeat what they were given."""
    with pytest.raises(AnswerError, match="name, password or token are wrong") as failed:
        await read(tom, ctx, auth={"token": "wrong-token-99"})

    assert "wrong-token-99" not in str(failed.value)


async def test_an_account_that_sees_nothing_marks_the_run(tom: FakeTom, ctx: TestContext) -> None:
    """It may be meant, for a TOM that has just begun."""
    tom.targets = {}

    result = await read(tom, ctx)

    assert result["script_error"] == ("targets: expected some that this account may see, got none")


async def test_an_account_that_no_longer_sees_anything_fails(
    tom: FakeTom, ctx: TestContext
) -> None:
    """Nothing is forgotten: it is far more likely that it has lost its rights."""
    seen = (await read(tom, ctx))["seen"]
    tom.targets = {}

    with pytest.raises(AnswerError, match="got none, and had 1"):
        await read(tom, ctx, seen=seen)


async def test_a_target_that_is_no_longer_seen_is_told_once(tom: FakeTom, ctx: TestContext) -> None:
    """Then it is forgotten, so that all of it comes again when it does."""
    tom.targets[8] = "b"
    seen = (await read(tom, ctx))["seen"]
    del tom.targets[7]
    gone = await read(tom, ctx, seen=seen)
    later = await read(tom, ctx, seen=gone["seen"])

    assert "no longer sees 7" in gone["script_error"]
    assert "script_error" not in later


async def test_data_that_is_gone_is_told_once(tom: FakeTom, ctx: TestContext) -> None:
    """The target is there, and what was read of it no longer is."""
    seen = (await read(tom, ctx))["seen"]
    tom.typed = []
    gone = await read(tom, ctx, seen=seen)
    later = await read(tom, ctx, seen=gone["seen"])

    assert "target 7: expected data, which it had before" in gone["script_error"]
    assert "script_error" not in later


async def test_without_auth_it_reads_what_is_public(tom: FakeTom, ctx: TestContext) -> None:
    """And says so where nothing is."""
    nothing = await read(tom, ctx, auth=None)
    tom.public = {7: "SN 2026abc"}
    result = await read(tom, ctx, auth=None)

    assert "there is no `auth`" in nothing["script_error"]
    assert len(result["readings"]) == 1


async def test_long_lists_are_read_page_by_page(tom: FakeTom, ctx: TestContext) -> None:
    """Not by the addresses that the server gives, which are those behind its proxy."""
    tom.typed = [photometry(7, f"2026-06-30T12:{n:02}:00Z", 15.0 + n) for n in range(5)]

    result = await read(tom, ctx, page=2)

    assert [each[2] for each in result["readings"]] == [15.0, 16.0, 17.0, 18.0, 19.0]
    assert tom.rows_asked() == ["7", "7", "7"]


async def test_one_target_that_fails_does_not_keep_the_others(
    tom: FakeTom, ctx: TestContext
) -> None:
    """A single value that is no JSON makes the server fail for all that a target has."""
    tom.targets[8] = "b"
    tom.faults["7"] = web.Response(status=500, text="Out of range float values")
    tom.typed += [photometry(8, NOON, 17.0)]

    result = await read(tom, ctx)

    assert [each[1] for each in result["readings"]] == ["tom_8_brightness"]
    assert result["script_error"].startswith("target 7: GET ")
    assert list(result["seen"]) == ["8"]


async def test_the_run_fails_if_no_target_can_be_read(tom: FakeTom, ctx: TestContext) -> None:
    """A run without any reading would look as if there was nothing new."""
    tom.faults["7"] = web.Response(status=500)

    with pytest.raises(AnswerError, match="target 7: "):
        await read(tom, ctx)


async def test_targets_are_chosen_by_id_or_name(tom: FakeTom, ctx: TestContext) -> None:
    """What fits none is told; the others are read."""
    tom.targets = {7: "SN 2026abc", 8: "M31 V1", 9: "SN 2026xyz"}

    result = await read(tom, ctx, targets=["SN*", 8, "AT*"])

    assert tom.rows_asked() == ["7", "8", "9"]
    assert result["script_error"] == "targets: AT*: expected one that this account sees, got none"


async def test_data_older_than_wanted_is_not_sent(tom: FakeTom, ctx: TestContext) -> None:
    """And as time goes by, nothing is sent again because of what has become too old."""
    tom.typed += [photometry(7, "2026-06-20T12:00:00Z", 16.0)]
    first = await read(tom, ctx, since_days=11)
    ctx.time = NOW + timedelta(hours=18)

    second = await read(tom, ctx, since_days=11, seen=first["seen"])
    third = await read(tom, ctx, since_days=10, seen=first["seen"])

    assert [each[2] for each in first["readings"]] == [16.0, 15.5]
    assert second["readings"] == []
    assert [each[2] for each in third["readings"]] == [15.5]


async def test_a_window_gets_what_lies_in_it(tom: FakeTom, ctx: TestContext) -> None:
    """Whatever was sent before, and nothing is remembered."""
    tom.typed += [photometry(7, "2026-06-20T12:00:00Z", 16.0)]
    seen = (await read(tom, ctx))["seen"]

    window = {"start": NOW - timedelta(days=20), "end": NOW - timedelta(days=2)}
    result = await read(tom, ctx, seen=seen, **window)

    assert [each[2] for each in result["readings"]] == [16.0]
    assert "seen" not in result


async def test_other_data_is_read_if_it_is_wanted(tom: FakeTom, ctx: TestContext) -> None:
    """Types that a TOM has made itself give the numbers that they have."""
    place = {"ra": 10.1, "dec": -3.5, "ra_error": None}
    tom.typed = [row(7, NOON, place, data_type="astrometry")]
    tom.legacy = [
        row(7, NOON, {"rv": 3.2, "line": "Ha", "good": True}, data_type="velocity"),
        row(7, NOON, {"flux": [1.0], "wavelength": [2.0]}, data_type="spectroscopy"),
    ]

    result = await read(tom, ctx, data_types=["astrometry", "velocity"])

    assert sorted(each[1:3] for each in result["readings"]) == [
        ("tom_7_dec", -3.5),
        ("tom_7_ra", 10.1),
        ("tom_7_rv", 3.2),
    ]


async def test_rows_of_another_target_are_not_booked(tom: FakeTom, ctx: TestContext) -> None:
    """A server that does not know the filter would give all rows for each target."""
    tom.faults["7"] = web.json_response(
        {"count": 2, "next": None, "results": [photometry(7, NOON, 1), photometry(8, NOON, 2)]}
    )

    result = await read(tom, ctx)

    assert [each[2] for each in result["readings"]] == [1]
    assert result["script_error"] == "target 7: got 1 rows that are none of it"


async def test_a_time_that_is_none_is_for_the_daemon_to_tell(
    tom: FakeTom, ctx: TestContext
) -> None:
    """It counts as unusable there, and costs no other reading."""
    tom.typed += [photometry(7, "soon", 16.0)]

    assert len((await read(tom, ctx))["readings"]) == 2


async def test_a_run_that_has_no_time_left_goes_on_with_the_others_next_time(
    tom: FakeTom, ctx: TestContext
) -> None:
    """Those that were not read for longest come first."""
    tom.targets[8] = "b"
    ctx.left = 5.0
    first = await read(tom, ctx)
    await read(tom, ctx, seen=first["seen"])

    assert tom.rows_asked() == ["7", "8"]


async def test_names_are_made_as_wanted(tom: FakeTom, ctx: TestContext) -> None:
    """A band that is missing has a word in names, and none in tags."""
    tom.typed += [photometry(7, NOON, 16.0, bandpass="")]

    result = await read(tom, ctx, series="{name} {band} {quantity}", tags={"filter": "{band}"})

    assert [each[1:] for each in result["readings"]] == [
        ("SN 2026abc r brightness", 15.5, {"filter": "r"}),
        ("SN 2026abc none brightness", 16.0, {}),
    ]


def record(number: int, target: int, status: str, facility: str = "LCO") -> dict[str, Any]:
    """Return an observation record."""
    return {"id": number, "target": target, "status": status, "facility": facility}


async def test_observation_records_are_counted(tom: FakeTom, ctx: TestContext) -> None:
    """By target, facility and status; what there is none of any more is 0, not what it was."""
    tom.observations = [record(1, 7, "PENDING"), record(2, 7, "PENDING"), record(3, 8, "PENDING")]
    first = await read(tom, ctx, observations=True)
    tom.observations = [record(1, 7, "COMPLETED"), record(2, 7, "COMPLETED")]
    second = await read(tom, ctx, observations=True, seen=first["seen"], observed=first["observed"])

    series, at = "tom_7_observations", NOW.timestamp()
    pending = {"facility": "LCO", "status": "PENDING"}
    assert first["readings"][1:] == [(at, series, 2, pending)]
    assert second["readings"] == [
        (at, series, 2, {"facility": "LCO", "status": "COMPLETED"}),
        (at, series, 0, pending),
    ]


async def test_records_that_cannot_be_read_cost_no_data(tom: FakeTom, ctx: TestContext) -> None:
    """The kinds that were counted before stay known."""
    tom.observations = [record(1, 7, "PENDING")]
    tom.faults["observations"] = web.Response(status=500)

    result = await read(tom, ctx, observations=True)

    assert len(result["readings"]) == 1
    assert result["script_error"].startswith("observations: GET ")
    assert "observed" not in result
