"""One run of the dcs plugin after another: what is read again, and what comes late."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from ingestd.plugins.dcs import collecting, run
from ingestd.testing import TestContext, context, results
from tests.support.dcs import Campus, FakeDcs, Gap, Meter, Register
from tests.support.dcsreading import (
    NOW,
    Result,
    at,
    params,
    read,
    state,
    stored,
    used,
)
from tests.support.pipeline import until

WEEK = at("2024-03-08")


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
    """Those that are nearly up to date come first."""
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


@pytest.mark.slow  # many runs, one after another
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


@pytest.mark.slow  # years are read
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


@pytest.mark.slow  # dozens of runs, one after another
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


@pytest.mark.slow  # the past is read twice
@pytest.mark.parametrize("way", ["failed", "refused", "cut"])
async def test_full_reread_that_did_not_succeed_goes_on_where_it_was(
    dcs: FakeDcs, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """The next run goes on with it, and without the others; but not if the server refuses."""
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
