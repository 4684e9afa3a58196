"""A week in the life of a collector whose tokens work once."""

import random
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp import web

from tests.support.clock import START
from tests.support.collecting import Site, site
from tests.support.ecobee import INTERVAL, Ecobee, page, served, status, value_at

ONE: Final = "318324702718"
HOUR: Final = 3600.0
DAY: Final = 24 * HOUR
SERIES: Final = f"{ONE}_zoneAveTemp_fahrenheit"

# What goes wrong, each time on another path.
FAULTS: Final[dict[str, Callable[[], web.StreamResponse]]] = {
    "/token": page("<h1>busy", 503),
    "/1/thermostatSummary": page("<h1>maintenance"),
    "/1/thermostat": lambda: status(3, "Processing error."),
    "/1/runtimeReport": lambda: status(14, "Authentication token has expired."),
}


class Plant:
    """A site that is stopped and started again, on one state directory, as time goes on."""

    def __init__(self, path: Path, ecobee: Ecobee, url: str) -> None:
        self._path, self._ecobee, self._url = path, ecobee, url
        self._stack = AsyncExitStack()
        self._ended = START
        self.values: dict[float, float] = {}
        self.site: Site

    @property
    def now(self) -> float:
        """What time it is, in Unix seconds."""
        return self.site.clock.now()

    async def start(self, params: dict[str, Any]) -> None:
        """Start the site."""
        self.site = await self._stack.enter_async_context(site(self._path))
        self.site.clock.step(self._ended - START)
        await self.reload(params)

    async def reload(self, params: dict[str, Any]) -> None:
        """Start the collector anew."""
        given = {"url": self._url, "api_key": "app-key", "columns": ["zoneAveTemp"], **params}
        given["lookback"] = "5d"  # on a busy machine the first run that works is not the first one
        await self.site.restart("stat", plugin="ecobee", every=3 * HOUR, params=given)

    async def stop(self) -> None:
        """End it at once, in the middle of its work; what it stored is kept."""
        self._note()
        self._ended = self.now
        await self._stack.aclose()
        self._stack = AsyncExitStack()

    async def until(self, time: float) -> None:
        """Let time pass; by leaps, because a schedule looks at the clock twice a minute."""
        clock = self.site.clock
        while self.now < time:
            clock.step(min(3 * HOUR, time - self.now))
            await clock.drive(clock.sleep(60))

    def _note(self) -> None:
        for series, time_us, value in self.site.stored:
            if SERIES in str(series):
                self.values[time_us / 1e6] = value


@pytest.mark.slow(10)  # a week of runs on the virtual clock
async def test_a_week_of_failures_and_restarts_needs_one_authorization(tmp_path: Path) -> None:
    """They rotate at every run; faults, reloads and restarts come in between; nothing is missed."""
    chance = random.Random(7)
    async with AsyncExitStack() as stack:
        plant: Plant
        ecobee = Ecobee(now=lambda: plant.now)
        url = await stack.enter_async_context(served(ecobee))
        plant = Plant(tmp_path, ecobee, url)
        params = {"code": "the-code"}
        await plant.start(params)
        for quarter in range(4 * 7):
            path = list(FAULTS)[quarter % 4]
            ecobee.faults.setdefault(path, []).append(FAULTS[path])
            await plant.until(START + (quarter + chance.random()) * DAY / 4)
            if chance.random() < 0.5:
                await plant.stop()
                await plant.start(params)
            else:
                await plant.reload(params)
        await plant.until(START + 8 * DAY)
        assert not any(ecobee.faults.values()), "each has happened"
        memory = await plant.site.on_disk("stat")
        renewed = ecobee.renewals
        await plant.stop()

    assert (ecobee.authorizations, renewed > 30) == (1, True)
    assert set(memory.masks) == {"code"}
    newest = memory.state["newest"][ONE]
    assert newest > START + 8 * DAY - 4 * HOUR
    wanted = [
        START // INTERVAL * INTERVAL + INTERVAL * step
        for step in range(int((newest - START) // INTERVAL))
    ]
    missed = [time for time in wanted if plant.values.get(time) != float(value_at(time))]
    assert missed == []
