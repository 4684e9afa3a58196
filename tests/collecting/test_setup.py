"""What a run is made of comes from the collector's configuration."""

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ingestd.calling import CallOptions
from ingestd.calling.access import Access
from ingestd.collecting.collector import Collector
from ingestd.collecting.collectors import naming_of, schedule_of
from ingestd.collecting.schedule import interval
from ingestd.config.catalogue import Catalogue, SeriesDescription
from ingestd.config.cron import CronExpression
from ingestd.config.model import CollectorConfig
from ingestd.model import Series
from tests.support.clock import START
from tests.support.collecting import COUNTING, Site, site
from tests.support.schedules import UTC_ZONE, cron, ticks_within

ALASKA = ZoneInfo("America/Anchorage")


@pytest.mark.parametrize("zone", [None, ALASKA])
def test_cron_collector_ticks_in_its_zone_with_its_offset_and_jitter(zone: ZoneInfo | None) -> None:
    """Without a zone it is UTC; the jitter is that of its name."""
    config = CollectorConfig(
        name="probe",
        plugin="p",
        cron=CronExpression.parse("0 3 * * *"),
        timezone=zone,
        offset=5.0,
        jitter=60.0,
    )
    expected = cron("0 3 * * *", zone=zone or UTC_ZONE, offset=5.0, jitter=60.0, key="probe")
    schedule = schedule_of(config)

    assert schedule is not None
    span = (START, START + 3 * 86_400)
    assert ticks_within(schedule, *span) == ticks_within(expected, *span)


def test_interval_collector_ticks_with_its_offset_and_jitter() -> None:
    """The jitter is that of its name."""
    config = CollectorConfig(name="probe", plugin="p", every=60.0, offset=7.0, jitter=20.0)
    schedule = schedule_of(config)

    assert schedule == interval(60.0, offset=7.0, jitter=20.0, key="probe")
    assert schedule_of(CollectorConfig(name="probe", plugin="p")) is None


def test_collector_names_its_readings_with_its_tags_in_its_zone() -> None:
    """Each new series is told to who asked for it."""
    met: list[Series] = []
    config = CollectorConfig(
        name="probe", plugin="p", every=1.0, tags={"site": "library"}, timezone=ALASKA
    )
    named = naming_of(
        config, Catalogue({"level": SeriesDescription(unit="m")}), met=met.append
    ).sort([("2024", "odd", 1), (datetime(2023, 12, 31, 15), "level", 2)], now=START)  # noqa: DTZ001 -- naive on purpose

    assert [(each.name, each.tags, each.unit) for each in met] == [
        ("odd", (("site", "library"),), ""),
        ("level", (("site", "library"),), "m"),
    ]
    assert [(us, value) for _, us, value in named.points] == [(1_704_067_200_000_000, 2.0)]


def options(here: Site, collector: Collector, *, name: str = "probe") -> CallOptions:
    """Return how a run of a collector calls its plugin."""
    return collector.setup.call_options(
        name=name,
        timeout=7.0,
        processes=here.services.processes,
        log=here.services.log,
    )


async def test_plugin_is_called_as_the_collector_says(tmp_path: Path) -> None:
    """In a process of its own or a thread, with its limits, its host and what it may see."""
    async with site(tmp_path) as here:
        plain = options(here, await here.start(COUNTING, every=1e9))
        told = options(
            here,
            await here.start(
                COUNTING,
                name="other",
                every=1e9,
                isolation="thread",
                memory_limit=5,
                environment=frozenset({"PROXY"}),
                reads=(tmp_path,),
                compat="bmon",
                settings={"BMSAPP_KEY": "k"},
            ),
        )

        assert (plain.name, plain.timeout, plain.memory_limit) == ("probe", 7.0, None)
        assert (plain.isolation, plain.host) == (here.services.processes, None)
        assert plain.access == Access()
        assert (told.memory_limit, told.isolation) == (5, here.services.threads)
        assert told.access == Access(environment=frozenset({"PROXY"}), reads=(tmp_path,))
        assert told.host is not None
        assert (told.host.name, told.host.settings) == ("bmon", {"BMSAPP_KEY": "k"})


async def test_runs_that_hold_on_are_remembered_by_the_turn_that_they_took(tmp_path: Path) -> None:
    """A backfill has a turn of its own, and the next run of the same turn waits for them."""
    async with site(tmp_path) as here:
        collector = await here.start(COUNTING, every=1e9)
        first, again = options(here, collector), options(here, collector)

        assert first.left_behind is again.left_behind
        assert options(here, collector, name="backfill").left_behind is not first.left_behind


async def test_rules_of_a_host_come_before_our_own(tmp_path: Path) -> None:
    """What either refuses is counted, and the record has what the host shows of a run."""
    async with site(tmp_path) as here:
        await here.start(
            """
            async def run(**_):
                return {"readings": [
                    (1, "door", "Closed"), (2, "Door", "Open"), (3, "door", "x"),
                    (4, "", "7"), (10**12, "door", 1),
                ]}
            """,
            compat="bmon",
        )
        await here.start(COUNTING, name="plain")
        (record,) = await here.ran()
        (plain,) = await here.ran(name="plain")

        await here.until(lambda: len(here.stored) >= 3)
        stored = {(series.name, us // 10**6): value for series, us, value in here.stored}
        assert (stored["door", 1], stored["Door", 2]) == (1.0, 0.0)
        assert (record.readings, record.points) == (5, 2)
        assert record.unusable == {"value": 1, "series": 1, "milliseconds": 1}
        assert len(record.samples) == 3
        assert record.samples[0].startswith("door: ")
        assert record.notes == [
            "Door and door differ only in case: in BMON one sensor, here a series each"
        ]
        assert record.told["bmon"]["reading_insert_message"] == (
            "2 readings stored successfully, 3 rejected."
        )
        assert plain.told == {"bmon": {}}
