"""The dcs plugin against a server that enforces the rules of real ones."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from ingestd.plugins.dcs import collecting, run
from ingestd.testing import TestContext, collect, context, results
from tests.support.dcs import Calibration, Campus, FakeDcs, Gap, Meter, Register
from tests.support.dcsreading import (
    NOW,
    Result,
    at,
    complaint,
    params,
    read,
    state,
    stored,
    totals,
    used,
    values,
)
from tests.support.pipeline import until

APIS = ("current", "public", "legacy")
WEEK = at("2024-03-08")
PERIODS = {"half_hour": "halfHour", "hour": "hour", "day": "day", "week": "week", "month": "month"}


@pytest.mark.parametrize("api", APIS)
async def test_everything_is_read_and_named(dcs: FakeDcs, api: str) -> None:
    """Each source gives what a person would chart, for all of the time since the beginning."""
    found = await read(dcs, api, since=WEEK)

    expected = {
        "dcs_R733_half_hour": used(dcs.readings("R733", WEEK, at("2024-03-15T12:30"))),
        "dcs_R734_sample": values(dcs.readings("R734", WEEK, at("2024-03-15T12:30"))),
        "dcs_R740_half_hour": used(dcs.readings("R740", WEEK, at("2024-03-15T12:30"))),
        "dcs_R741_half_hour": used(dcs.readings("R741", WEEK, at("2024-03-15T12:30"))),
        "dcs_R742_sample": values(dcs.readings("R742", WEEK, at("2024-03-15T12:30"))),
        "dcs_VM9_half_hour": used(dcs.readings("VM9", WEEK, at("2024-03-15T12:30"))),
        "dcs_VM10_sample": values(dcs.readings("VM10", WEEK, at("2024-03-15T12:30"))),
    }
    if api == "legacy":  # which has no samples of virtual meters
        del expected["dcs_VM10_sample"]
    assert stored(found) == expected
    assert complaint(found) == ""
    assert dcs.overlaps == []
    assert not dcs.signed_in


@pytest.mark.parametrize("period", PERIODS)
async def test_both_apis_give_the_same(dcs: FakeDcs, period: str) -> None:
    """The same series, values and times, for gaps, estimates and resets, too."""
    register = dcs.campus.register("R733")
    register.gaps = [Gap(at("2024-02-01T03:00"), at("2024-02-03T09:30"))]
    register.resets = [at("2024-02-10T10:30")]
    register.calibrations = [Calibration(at("2024-02-20"), 100.25)]
    options: dict[str, Any] = {
        "registers": ["R733", "R734", "VM9"],
        "since": at("2024-01-01"),  # a Monday
        "period": period,
        "values": "both",
        "interpolated": True,
    }

    current = stored(await read(dcs, "current", **options))
    legacy = stored(await read(dcs, "legacy", **options))

    assert current == legacy
    assert set(current) == {
        f"dcs_R733_{period}",
        "dcs_R733_total",
        "dcs_R734_sample",
        f"dcs_VM9_{period}",
    }
    wanted = dcs.readings("R733", at("2024-01-01"), NOW, period=PERIODS[period], interpolated=True)
    assert current[f"dcs_R733_{period}"] == used(wanted)
    assert current["dcs_R733_total"] == totals(wanted)


@pytest.mark.parametrize("period", ["day", "week", "month"])
async def test_local_days_are_those_of_london(dcs: FakeDcs, period: str) -> None:
    """In summer they begin an hour before those of UTC."""
    now, since = at("2023-07-12T12:00"), at("2022-12-31T23:30")

    found = await read(
        dcs, "legacy", now=now, registers=["R733"], since=since, period=period, local_time=True
    )

    (readings,) = stored(found).values()
    first = {"day": "2022-12-31", "week": "2022-12-26", "month": "2022-12-01"}[period]
    last = {"day": "2023-07-12T23:00", "week": "2023-07-16T23:00", "month": "2023-07-31T23:00"}
    wanted = dcs.legacy_readings(
        "R733", at(first), at(last[period]), period=period, local_time=True
    )
    assert readings == used(wanted)


@pytest.mark.parametrize("api", ["current", "legacy"])
async def test_ten_years_of_months_are_exact(dcs: FakeDcs, api: str) -> None:
    """However the span is cut, each month comes, and none twice."""
    for window in ("365d", "31d", "1900d", "4000d"):
        dcs.asked.clear()
        found = await read(
            dcs,
            api,
            now=at("2025-01-01T00:05"),
            registers=["R733"],
            period="month",
            start=at("2015-01-01"),
            end=at("2025-01-01"),
            max_window=window,
        )

        readings = [(time, value) for each in found for time, _, value in each["readings"]]
        wanted = dcs.readings("R733", at("2015-01-01"), at("2025-01-01"), period="month")
        assert readings == [(each.at, each.used) for each in wanted]
        assert len(readings) == 120
        assert all(each.status == 200 for each in dcs.asked_for("readings"))


@pytest.mark.parametrize(
    ("value", "series"),
    [
        ("total", ["dcs_R733_total", "dcs_R734_sample", "dcs_VM9_half_hour"]),
        ("period", ["dcs_R733_half_hour", "dcs_R734_sample", "dcs_VM9_half_hour"]),
    ],
)
async def test_values_choose_the_quantity(dcs: FakeDcs, value: str, series: list[str]) -> None:
    """A virtual meter has no total, and a sample is neither."""
    for api in APIS:
        found = await read(dcs, api, registers=["r733", "R734", "vm9"], values=value, since=WEEK)

        assert sorted(stored(found)) == series


async def test_names_and_tags_are_made_of_what_the_server_knows(dcs: FakeDcs) -> None:
    """Templates fill in; a tag without text is left out."""
    found = await read(
        dcs,
        registers=["*: *energy*", "All elec*"],
        series="{meter}/{register}/{quantity}",
        tags={"unit": "{unit}", "serial": "{serial}", "id": "dcs:{id}"},
        since=at("2024-03-15T12:00"),
    )

    tags = {series: tags for each in found for _, series, _, tags in each["readings"]}
    assert tags == {
        "Library/Active Energy (import)/half_hour": {
            "unit": "kWh", "serial": "R1100729", "id": "dcs:R733",
        },
        "Boiler house/Active Energy (import)/half_hour": {
            "unit": "kWh", "serial": "G-77", "id": "dcs:R741",
        },
        "All electricity//half_hour": {"unit": "kWh", "id": "dcs:VM9"},
    }  # fmt: skip


async def test_sources_that_would_share_a_series_are_told_apart(dcs: FakeDcs) -> None:
    """The first keeps the name, the other is left out and marks the run."""
    found = await read(dcs, series="{register}_{unit}", since=WEEK)

    assert set(stored(found)) == {
        "Active Energy (import)_kWh",
        "Active Power_kW",
        "Gas_m3",
        "_kWh",
        "_kW",
    }
    assert "R741: expected a series of its own, has that of R733" in complaint(found)


@pytest.mark.parametrize("api", ["current", "legacy"])
async def test_status_is_a_series_of_its_own(dcs: FakeDcs, api: str) -> None:
    """Bits that we do not know are kept, where the API has any."""
    register = dcs.campus.register("R733")
    register.gaps = [Gap(at("2024-03-14T03:00"), at("2024-03-14T04:00"))]
    register.bits = {at("2024-03-14T06:00"): 64}

    found = await read(
        dcs, api, registers=["R733"], since=at("2024-03-14"), status=True, interpolated=True
    )

    bits = stored(found)["dcs_R733_half_hour_status"]
    assert {time for time, each in bits.items() if each == 1} == {
        at("2024-03-14T03:00").timestamp(), at("2024-03-14T03:30").timestamp(),
    }  # fmt: skip
    assert bits[at("2024-03-14T06:00").timestamp()] == (64 if api == "current" else 0)
    assert bits.keys() == stored(found)["dcs_R733_half_hour"].keys()


@pytest.mark.parametrize("api", ["current", "legacy"])
async def test_readings_can_be_left_out_by_what_they_are(dcs: FakeDcs, api: str) -> None:
    """Estimates and resets go where they are not wanted."""
    register = dcs.campus.register("R733")
    register.gaps = [Gap(at("2024-03-14T03:00"), at("2024-03-14T04:00"))]
    register.resets = [at("2024-03-14T06:00")]

    found = await read(
        dcs,
        api,
        registers=["R733"],
        since=at("2024-03-14"),
        interpolated=True,
        skip=["interpolated", "reset"],
    )

    times = stored(found)["dcs_R733_half_hour"].keys()
    assert at("2024-03-14T03:00").timestamp() not in times
    assert (at("2024-03-14T06:00").timestamp() in times) == (api == "legacy")  # it does not tell


async def test_padding_is_read_only_if_it_is_wanted_and_moves_nothing(dcs: FakeDcs) -> None:
    """The legacy API fills gaps with zeros that were never measured."""
    dcs.campus.register("R733").gaps = [Gap(at("2024-03-15T03:00"), at("2024-03-30"))]
    dcs.rules.padded_ahead = True
    options: dict[str, Any] = {"registers": ["R733"], "since": at("2024-03-15")}

    without = await read(dcs, "legacy", **options)
    with_it = await read(dcs, "legacy", **options, skip=[], status=True)

    assert len(stored(without)["dcs_R733_half_hour"]) == 6
    assert len(stored(with_it)["dcs_R733_half_hour"]) == 25
    assert set(stored(with_it)["dcs_R733_half_hour_status"].values()) == {0, 65536}
    assert state(without) == state(with_it) == {"R733": at("2024-03-15T02:30")}


async def test_what_is_no_number_is_passed_on_to_be_counted(dcs: FakeDcs) -> None:
    """Its neighbours are read."""
    dcs.campus.register("R734").strange = {
        at("2024-03-15T01:00"): float("nan"),
        at("2024-03-15T02:00"): float("inf"),
    }

    found = await read(dcs, registers=["R734"], since=at("2024-03-15"))

    samples = stored(found)["dcs_R734_sample"]
    assert samples[at("2024-03-15T01:00").timestamp()] == "NaN"
    assert samples[at("2024-03-15T02:00").timestamp()] == "Infinity"
    assert len(samples) == 25


@pytest.mark.parametrize("gzip", [True, False])
@pytest.mark.parametrize("first", [True, False])
async def test_answers_are_read_however_they_are_written(
    dcs: FakeDcs, *, gzip: bool, first: bool
) -> None:
    """Compressed or not, readings before or after the rest, with the slips of the manual."""
    rules = dcs.rules
    rules.gzip, rules.readings_first = gzip, first
    rules.duration_slip = rules.capital_value = rules.capital_readings = True

    found = await read(dcs, registers=["R733", "VM9"], since=WEEK, values="total")

    wanted = dcs.readings("R733", WEEK, NOW), dcs.readings("VM9", WEEK, NOW)
    assert list(stored(found).values()) == [totals(wanted[0]), used(wanted[1])]


# --- positions


async def test_position_is_the_newest_reading_and_is_read_again(dcs: FakeDcs) -> None:
    """Its consumption is known only when the next one is there."""
    first = await read(dcs, registers=["R733"], since=WEEK)
    dcs.asked.clear()
    second = await read(
        dcs,
        now=NOW + timedelta(minutes=30),
        registers=["R733"],
        revisit=timedelta(0),
        since=WEEK,
        **state(first),
    )

    assert state(first) == {"R733": at("2024-03-15T12:00")}
    assert state(second) == {"R733": at("2024-03-15T12:30")}
    assert dcs.asked_for("readings")[0].query["startTime"] == "2024-03-15T12:00:00Z"
    both = stored([*first, *second])["dcs_R733_half_hour"]
    assert both == used(dcs.readings("R733", WEEK, at("2024-03-15T13:00")))


async def test_recent_past_is_read_again(dcs: FakeDcs) -> None:
    """Three days of it, unless the operator says otherwise; but not what is before `since`."""
    known: dict[str, Any] = {"R733": at("2024-03-15T12:00")}

    for revisit, since, start in (
        (None, "2020-01-01", "2024-03-12T12:00:00Z"),
        (timedelta(days=7), "2020-01-01", "2024-03-08T12:00:00Z"),
        (timedelta(days=7), "2024-03-14", "2024-03-14T00:00:00Z"),
    ):
        dcs.asked.clear()
        await read(dcs, registers=["R733"], revisit=revisit, since=since, **known)

        assert dcs.asked_for("readings")[0].query["startTime"] == start


async def test_known_register_goes_on_where_it_was_however_long_ago(dcs: FakeDcs) -> None:
    """After two months without a daemon, what lies before `since` is not skipped."""
    first = await read(dcs, registers=["R733"], since="30d")
    later = NOW + timedelta(days=60)

    second = await read(dcs, now=later, registers=["R733"], since="30d", **state(first))

    wanted = used(dcs.readings("R733", at("2024-02-14T12:00"), later))
    assert stored([*first, *second])["dcs_R733_half_hour"] == wanted


async def test_new_register_begins_at_since_while_others_go_on(dcs: FakeDcs) -> None:
    """And those that are nearly up to date come first."""
    first = await read(dcs, registers=["R733", "R741"], since="2d")
    dcs.campus.meters.append(Meter(id=9, name="New", registers=[Register(id=12)]))
    dcs.asked.clear()

    found = await read(dcs, registers=["R12", "R733", "R741"], since="20d", **state(first))

    asked = [(each.query["id"], each.query["startTime"]) for each in dcs.asked_for("readings")]
    assert asked == [
        ("R733", "2024-03-12T12:00:00Z"),
        ("R741", "2024-03-12T12:00:00Z"),
        ("R12", "2024-02-24T12:00:00Z"),
    ]
    assert state(found)["R12"] == at("2024-03-15T12:00")


def asked_for(dcs: FakeDcs, number: int, pattern: str = "") -> Callable[[], bool]:
    """Return a condition: so many requests for readings have come, from a time that fits."""
    return lambda: (
        len([each for each in dcs.asked_for("readings") if pattern in each.query["startTime"]])
        >= number
    )


async def read_in_part(
    ctx: TestContext, dcs: FakeDcs, end: Callable[[], bool], **more: Any
) -> Result:
    """Run until a condition holds; return the state it leaves."""
    dcs.asked.clear()
    found: list[Result] = []

    async def reading() -> None:
        async for each in results(run, ctx=ctx, **params(dcs, **more)):
            found.append(each)  # noqa: PERF401 -- what came before the end counts

    async with asyncio.TaskGroup() as group:
        running = group.create_task(reading())
        await until(end)
        running.cancel()
    return state(found)


@pytest.mark.slow
@pytest.mark.parametrize("offline", [0, 12])
@pytest.mark.parametrize("enough", [0, 600])
async def test_campus_is_read_to_its_end_though_no_run_comes_so_far(
    dcs: FakeDcs, monkeypatch: pytest.MonkeyPatch, offline: int, enough: int
) -> None:
    """The next run goes on with those that had no turn, or whose readings were lost with it.

    Even if many meters have had nothing to tell for a while.
    """
    monkeypatch.setattr(collecting, "ENOUGH", enough)
    dcs.rules.latency = 0.005
    registers = [Register(id=n) for n in range(100, 140)]
    dcs.campus = Campus([Meter(id=1, name="Campus", registers=registers)])
    for each in registers[:offline]:
        each.gaps = [Gap(at("2024-03-14"), at("2099-01-01"))]
    kept: Result = {}

    async with context(now=NOW) as first:
        for turn in range(10):
            dcs.now = now = NOW + turn * timedelta(minutes=30)
            async with context(now=now, beside=first) as ctx:
                kept |= await read_in_part(ctx, dcs, asked_for(dcs, 20), since="3d", **kept)

    assert sorted(kept) == sorted(dcs.campus.ids)
    newest = [kept[f"R{n}"] for n in range(100 + offline, 140)]
    assert min(newest) >= now - timedelta(hours=2)


@pytest.mark.slow
async def test_source_with_years_to_catch_up_with_keeps_no_live_one_waiting(
    dcs: FakeDcs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs that end in its middle have read the others before."""
    monkeypatch.setattr(collecting, "ENOUGH", 0)
    dcs.rules.latency = 0.005
    kept = state(await read(dcs, registers=["R733", "R741"], since="2d"))
    firsts = []

    async with context(now=NOW) as first:
        for turn in range(1, 5):
            dcs.now = NOW + turn * timedelta(minutes=30)
            async with context(now=dcs.now, beside=first) as ctx:
                more = {"registers": ["R734", "R733", "R741"], "since": "2010-01-01"}
                kept |= await read_in_part(ctx, dcs, asked_for(dcs, 4), **more, **kept)
            firsts.append({each.query["id"] for each in dcs.asked_for("readings")[:2]})

    assert firsts == [{"R733", "R741"}] * 4


async def test_meter_that_was_offline_delivers_late(dcs: FakeDcs) -> None:
    """Its position waits for it, however long the others have gone on."""
    back = at("2024-05-01")
    dcs.campus.register("R733").gaps = [Gap(at("2024-03-16"), back, until=back)]
    kept: dict[str, Any] = {}
    results = []

    for days in (0, 10, 40, 60):
        found = await read(
            dcs, now=NOW + timedelta(days=days), registers=["R733"], since=WEEK, **kept
        )
        kept |= state(found)
        results += found

    end = NOW + timedelta(days=60)
    assert stored(results)["dcs_R733_half_hour"] == used(dcs.readings("R733", WEEK, end))


async def test_dead_register_is_not_read_from_its_beginning_for_ever(dcs: FakeDcs) -> None:
    """Over years without readings the position moves, up to a year before now."""
    dcs.campus.register("R733").gaps = [Gap(at("2016-01-01"), at("2099-01-01"))]

    found = await read(dcs, registers=["R733"], since="2015-06-01")

    assert state(found) == {"R733": NOW - timedelta(days=365)}


@pytest.mark.slow
async def test_full_rereads_are_spread_and_remembered(dcs: FakeDcs) -> None:
    """Each source is read from its beginning once in that time, at a moment of its own."""
    every, hours = timedelta(days=10), timedelta(hours=6)
    options: dict[str, Any] = {"since": "2024-02-01", "revisit_full": every}
    kept = state(await read(dcs, **options))
    dcs.campus.register("R733").factor = 2.0
    again: list[tuple[str, datetime]] = []
    results = []

    for turn in range(1, 41):
        dcs.asked.clear()
        now = NOW + turn * hours
        found = await read(dcs, now=now, **options, **kept)
        results += found
        kept |= state(found)
        again += [
            (each.query["id"], now)
            for each in dcs.asked_for("readings")
            if each.query["startTime"] == "2024-02-01T00:00:00Z"
        ]

    assert sorted(name for name, _ in again) == sorted(dcs.campus.ids)
    assert len({now for _, now in again}) > 4
    assert kept["full"] == NOW + 40 * hours
    corrected = used(dcs.readings("R733", at("2024-02-01"), NOW + 10 * every))
    assert stored(results)["dcs_R733_half_hour"].items() >= {
        (time, value) for time, value in corrected.items() if time < NOW.timestamp()
    }


SECOND = r"id=R733&.*startTime=2024-02-(0[2-9]|1)"  # the second window of its past


def starts(dcs: FakeDcs, *, before: str) -> dict[str, list[str]]:
    """Return from when on which sources were asked for, if from before a date."""
    found: dict[str, list[str]] = {}
    for each in dcs.asked_for("readings"):
        if each.query["startTime"] < before:
            found.setdefault(each.query["id"], []).append(each.query["startTime"][:10])
    dcs.asked.clear()
    return found


@pytest.mark.slow
@pytest.mark.parametrize("way", ["failed", "refused", "cut"])
async def test_full_reread_that_did_not_succeed_goes_on_where_it_was(
    dcs: FakeDcs, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """By the next run, and without the others; but not if the server refuses."""
    monkeypatch.setattr(collecting, "ENOUGH", 0)
    options: dict[str, Any] = {
        "since": "2024-02-01", "revisit_full": timedelta(days=10), "max_window": "10d",
        "registers": ["R733", "R741", "VM9"],
    }  # fmt: skip
    kept = state(await read(dcs, **options))
    dcs.asked.clear()
    dcs.now = later = NOW + timedelta(days=10)

    if way == "cut":
        dcs.fail(match=SECOND, delay=30)
        async with context(now=later) as ctx:
            options["registers"] = ["R733"]
            kept |= await read_in_part(ctx, dcs, asked_for(dcs, 1, "2024-02-09"), **options, **kept)
    else:
        dcs.fail(500 if way == "failed" else 404, match=SECOND)
        kept |= state(await read(dcs, now=later, **options, **kept))
    first = starts(dcs, before="2024-03-10")
    kept |= state(await read(dcs, now=later, **options, **kept))
    second = starts(dcs, before="2024-03-10")
    kept |= state(await read(dcs, now=later, **options, **kept))

    assert first["R733"] == ["2024-02-01", "2024-02-09"]
    assert second.get("R733", ["none"])[0] == ("none" if way == "refused" else "2024-02-09")
    assert second.keys() <= {"R733"}
    assert starts(dcs, before="2024-03-10") == {}
    assert kept.get("again", {}) == {}


# --- a window


async def test_backfill_reads_exactly_its_window_and_moves_nothing(dcs: FakeDcs) -> None:
    """Periods that lie in two windows come in the one that they begin in."""
    first, second, third = at("2024-01-10"), at("2024-02-20"), at("2024-03-01")
    options: dict[str, Any] = {"registers": ["R733"], "period": "month", "since": WEEK}

    before = await read(dcs, start=first, end=second, **options)
    after = await read(dcs, start=second, end=third, **options)

    assert [time for time, *_ in before[0]["readings"]] == [at("2024-02-01").timestamp()]
    assert stored(after) == {}
    assert state([*before, *after]) == {}


# --- selection


async def test_unknown_ids_and_patterns_mark_the_run(dcs: FakeDcs) -> None:
    """The others are read."""
    found = await read(dcs, registers=["R733", "R999", "VM7", "Gym*"], since=WEEK)

    assert set(stored(found)) == {"dcs_R733_half_hour"}
    told = complaint(found)
    assert "R999: expected the id of a source that this account may see" in told
    assert "VM7" in told
    assert "'Gym*': expected to fit a name, fits none" in told


async def test_lists_are_asked_for_only_as_needed(dcs: FakeDcs) -> None:
    """Once an hour for all collectors, anew when an id is missing, and only the kind wanted."""
    dcs.now = NOW
    async with context(now=NOW) as ctx, context(now=NOW, beside=ctx) as other:
        for each in (ctx, other):
            await collect(run, ctx=each, **params(dcs, registers=["R733"], since=WEEK))

    assert len(dcs.asked_for("/meters")) == 1
    assert not dcs.asked_for("virtualMeters")


async def test_without_anything_to_read_the_run_fails(dcs: FakeDcs) -> None:
    """An empty run would look like success."""
    with pytest.raises(Exception, match="'Gym': expected to fit a name"):
        await read(dcs, registers="Gym")


async def test_readings_of_a_slow_server_do_not_wait_for_a_full_result(
    dcs: FakeDcs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thousands of registers may take minutes."""
    monkeypatch.setattr(collecting, "LINGER", 0.01)
    dcs.rules.latency = 0.01

    found = await read(dcs, since=at("2024-03-15"))

    assert len([each for each in found if each["readings"]]) > 3
    assert all(each["readings"] for each in found[:-1])
    assert len(stored(found)) == 7
