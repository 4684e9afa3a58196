"""The dcs plugin against a server that enforces the rules of real ones."""

from typing import Any

import pytest

from ingestd.plugins.dcs import collecting, run
from ingestd.testing import collect, context
from tests.support.dcs import Calibration, FakeDcs, Gap
from tests.support.dcsreading import (
    NOW,
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


async def test_backfill_reads_exactly_its_window_and_moves_nothing(dcs: FakeDcs) -> None:
    """Periods that lie in two windows come in the one that they begin in."""
    first, second, third = at("2024-01-10"), at("2024-02-20"), at("2024-03-01")
    options: dict[str, Any] = {"registers": ["R733"], "period": "month", "since": WEEK}

    before = await read(dcs, start=first, end=second, **options)
    after = await read(dcs, start=second, end=third, **options)

    assert [time for time, *_ in before[0]["readings"]] == [at("2024-02-01").timestamp()]
    assert stored(after) == {}
    assert state([*before, *after]) == {}


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


@pytest.mark.parametrize("period", ["half_hour", "hour", "day"])
async def test_legacy_api_is_asked_for_whole_days(dcs: FakeDcs, period: str) -> None:
    """It is documented to take dates alone; nothing from before or after the span is given."""
    dcs.rules.dates_only = dcs.rules.padded_ahead = True
    span: dict[str, Any] = {"start": at("2024-03-09T07:00"), "end": at("2024-03-12T18:00")}

    live = await read(
        dcs, "legacy", registers=["R733", "R734"], since="2024-03-09T07:30", skip=[], period=period
    )
    filled = await read(dcs, "legacy", registers=["R733"], period=period, **span)

    assert {each.query["start"] for each in dcs.asked_for("readings")} == {"2024-03-09"}
    assert complaint(live) == ""
    series = f"dcs_R733_{period}"
    first = {"half_hour": "2024-03-09T07:30", "hour": "2024-03-09T07:00", "day": "2024-03-09"}
    assert min(stored(live)[series]) == at(first[period]).timestamp()
    assert max(stored(live)[series]) <= NOW.timestamp()
    wanted = used(dcs.readings("R733", at("2024-03-09"), at("2024-03-13"), period=PERIODS[period]))
    inside = {t for t in wanted if span["start"].timestamp() <= t < span["end"].timestamp()}
    assert stored(filled)[series].keys() == inside


@pytest.mark.parametrize("api", APIS)
async def test_server_that_writes_byte_order_marks_is_read(dcs: FakeDcs, api: str) -> None:
    """They stand before the JSON of its lists, its readings and its reply to a sign-in."""
    dcs.rules.bom = True

    found = await read(dcs, api, registers=["R733", "VM9"], since=WEEK)

    assert len(stored(found)["dcs_R733_half_hour"]) > 300
    assert complaint(found) == ""
