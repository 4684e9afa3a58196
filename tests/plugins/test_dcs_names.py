"""What sources of the dcs plugin are called, which of them are chosen, and what is told of them."""

from datetime import timedelta
from typing import Any

import pytest

from ingestd.plugins.dcs import run
from ingestd.testing import collect, context
from tests.support.dcs import FakeDcs, Gap
from tests.support.dcsreading import NOW, Result, at, complaint, params, read, state, stored

WEEK = at("2024-03-08")


async def read_noting(
    dcs: FakeDcs, *, api: str = "current", **more: Any
) -> tuple[list[Result], list[str]]:
    """Return the results of a run, and what its record tells besides."""
    dcs.now = NOW
    async with context(now=NOW) as ctx:
        return await collect(run, ctx=ctx, **params(dcs, api, **more)), ctx.notes


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


def tags_in(results: list[Result], series: str) -> list[dict[str, str]]:
    """Return the different tags of a series in results."""
    found: list[dict[str, str]] = []
    for result in results:
        for _, name, _, tags in result["readings"]:
            if name == series and tags not in found:
                found.append(tags)
    return found


TAGS = {"meter": "{meter}", "unit": "{unit}"}


async def test_series_of_a_meter_that_is_renamed_goes_on_as_it_was(dcs: FakeDcs) -> None:
    """Its tags are those of its first run, in backfills too, and the record tells the new name."""
    options: dict[str, Any] = {"registers": ["R733", "R741"], "since": WEEK, "tags": TAGS}
    first = await read(dcs, **options)
    dcs.campus.meters[0].name = "New library"

    second, notes = await read_noting(dcs, **options, **state(first))
    filled = await read(dcs, **options, **state(first), start=WEEK, end=at("2024-03-09"))

    wanted = [{"meter": "Library", "unit": "kWh"}]
    for found in (first, second, filled):
        assert tags_in(found, "dcs_R733_half_hour") == wanted
    assert complaint(second) == ""
    (told,) = notes
    assert told.startswith("R733: was changed at the server: meter 'Library' to 'New library'")
    assert "names" not in state(second)  # it is as it was


async def test_series_follow_a_new_name_if_the_operator_wants_that(dcs: FakeDcs) -> None:
    """From then on the new name is the one that is kept."""
    options: dict[str, Any] = {"registers": ["R733"], "since": WEEK, "tags": TAGS}
    first = await read(dcs, **options)
    dcs.campus.meters[0].name = "New library"

    second, notes = await read_noting(dcs, **options, renamed="follow", **state(first))
    third, quiet = await read_noting(dcs, **options, **{**state(first), **state(second)})

    wanted = [{"meter": "New library", "unit": "kWh"}]
    assert tags_in(second, "dcs_R733_half_hour") == tags_in(third, "dcs_R733_half_hour") == wanted
    assert "its series end, and others begin" in notes[0]
    assert quiet == []


async def test_names_are_kept_only_where_templates_need_them(dcs: FakeDcs) -> None:
    """The state of a campus stays small; ids are never kept."""
    without = await read(dcs, registers=["R733"], since=WEEK, tags={"id": "{id}"})
    with_it = await read(dcs, registers=["R733"], since=WEEK, tags={"unit": "{unit}"})

    assert "names" not in state(without)
    assert state(with_it)["names"] == {"R733": {"unit": "kWh"}}


@pytest.mark.parametrize("names", ["damaged", {"R733": 5}, {"R733": {"meter": 7}}])
async def test_names_that_an_operator_has_edited_badly_stop_no_run(
    dcs: FakeDcs, names: Any
) -> None:
    """They are what they are, or are learnt anew."""
    found = await read(dcs, registers=["R733"], since=WEEK, tags=TAGS, names=names)

    assert len(tags_in(found, "dcs_R733_half_hour")) == 1


@pytest.mark.parametrize("api", ["current", "legacy", "public"])
async def test_register_that_is_listed_twice_is_read_once(dcs: FakeDcs, api: str) -> None:
    """A server may list a meter in each of its groups; the record tells it, which is no failure."""
    dcs.rules.twice = True

    found, notes = await read_noting(dcs, api=api, since=WEEK)

    asked = [tuple(sorted(each.query.items())) for each in dcs.asked_for("readings")]
    assert len(asked) == len(set(asked))
    assert complaint(found) == ""
    assert notes == [
        "listed more than once by the server, and read once: R733, R734, R740, R741, R742"
    ]


async def test_silent_meters_are_named_in_the_record(dcs: FakeDcs) -> None:
    """That is no failure, since a campus always has some."""
    dcs.campus.register("R733").gaps = [Gap(at("2024-03-10"), at("2099-01-01"))]
    dcs.campus.register("R741").gaps = [Gap(at("2015-01-01"), at("2099-01-01"))]
    options: dict[str, Any] = {"registers": ["R733", "R740", "R741"], "since": WEEK}

    found, notes = await read_noting(dcs, **options, revisit=timedelta(days=3))
    _, none = await read_noting(dcs, **options, start=WEEK, end=NOW)

    (told,) = notes
    assert told == (
        "silent: 2 of 3: R733 (Library: Active Energy (import)) (since 2024-03-09 23:30 UTC or "
        "before), R741 (Boiler house: Active Energy (import)) (nothing yet, or for a year)"
    )
    assert complaint(found) == ""
    assert none == []


async def test_what_a_meter_is_chooses_its_registers(dcs: FakeDcs) -> None:
    """Patterns choose among all or those that fit by name; what is asked for by its id is read."""
    library, boilers = dcs.campus.meters
    library.service, boilers.service = "Electricity", "Gas"
    boilers.status = "offline"
    by_service = await read(dcs, only={"service": "gas"}, since=WEEK)
    by_both = await read(
        dcs, registers=["*energy*", "R741"], only={"status": ["on*"], "type": "Sample*"}, since=WEEK
    )

    assert set(state(by_service)) == {"R740", "R741", "R742"}
    assert set(state(by_both)) == {"R733", "R741"}
    (tags,) = tags_in(
        await read(dcs, registers=["R740"], since=WEEK, tags={"of": "{service}/{type}"}),
        "dcs_R740_half_hour",
    )
    assert tags == {"of": "Gas/Sample type"}


@pytest.mark.parametrize("source", ["automatic", "manual", "merged"])
async def test_legacy_api_is_asked_for_readings_of_a_source(dcs: FakeDcs, source: str) -> None:
    """People enter readings by hand at some servers."""
    await read(dcs, "legacy", registers=["R733"], since=WEEK, source=source)

    assert [each.query["source"] for each in dcs.asked_for("readings")] == [source]
