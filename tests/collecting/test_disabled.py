"""What is done to a collector while it does not run counts when it comes back."""

from pathlib import Path

import pytest

from ingestd.collecting.collector import Collector
from ingestd.health import SeriesKey
from tests.support.collecting import COUNTING, Site, site

LEVEL = SeriesKey("level", ())


async def leave_memory(path: Path) -> None:
    """Have a daemon that has ended leave what a collector remembers."""
    async with site(path) as here:
        await here.start(COUNTING)
        await here.ran(2)
        await here.clock.drive(here.collectors.committed())


def series(collector: Collector) -> list[SeriesKey]:
    """Return the series that a collector has given."""
    return [each.key for each in collector.series()]


async def test_reset_of_a_collector_that_has_not_run_since_the_start_lasts(tmp_path: Path) -> None:
    """It begins with nothing, though its memory was read when the daemon started."""
    await leave_memory(tmp_path)
    async with site(tmp_path) as here:
        await here.collectors.remember()

        forgot = await here.collectors.reset("probe")
        back = await here.restart(every=1e9)

        assert forgot
        assert back.committer.memory.state == {}


async def test_secrets_of_a_collector_that_has_not_run_since_the_start_last(tmp_path: Path) -> None:
    """Its first run gets what it was authorized with, beside its state."""
    await leave_memory(tmp_path)
    async with site(tmp_path) as here:
        await here.collectors.remember()

        await here.collectors.keep_hidden("probe", {"token": "new"})
        back = await here.restart(every=1e9)

        assert back.committer.memory.hidden == {"token": "new"}
        assert back.committer.memory.state == {"n": 2}


@pytest.mark.parametrize("removed", [True, False])
async def test_series_that_was_forgotten_does_not_come_back(tmp_path: Path, removed: bool) -> None:  # noqa: FBT001 -- a parameter of the test
    """Whether its collector was removed, or runs on."""
    async with site(tmp_path) as here:
        await gave_its_series(here)
        if removed:
            await here.clock.drive(here.remove())

        known = await here.clock.drive(here.collectors.forget_series("probe", LEVEL))
        back = await here.restart(every=1e9)

        assert known
        assert series(back) == []


async def test_collector_that_was_made_in_vain_knows_its_series_the_next_time(
    tmp_path: Path,
) -> None:
    """A reload that fails after some collectors were made costs them nothing."""
    async with site(tmp_path) as here:
        collector = await gave_its_series(here)
        await here.clock.drive(here.remove())

        await here.make(every=1e9)
        back = await here.restart(every=1e9)

        assert series(back) == series(collector) == [LEVEL]


async def gave_its_series(here: Site) -> Collector:
    """Return a collector that has given its one series."""
    collector = await here.start(COUNTING)
    await here.ran(1)
    assert series(collector) == [LEVEL]
    return collector
