"""The collectors: how each is, and running one now."""

from typing import Any, Final

import msgspec

from ingestd.app import Daemon
from ingestd.collecting import Collector
from ingestd.config import CollectorConfig
from ingestd.errors import NotNow
from ingestd.health import Overview, SeriesKey
from ingestd.model import MICROSECONDS
from ingestd.views import Activity, collector_json, series_json
from ingestd.web.call import Call, Nothing, Route, get, post
from ingestd.web.problems import Refusal


class ChosenSeries(msgspec.Struct, forbid_unknown_fields=True):
    """One series of a collector.

    Attributes:
        series: Its name.
        tags: Its tags.
    """

    series: str
    tags: dict[str, str] = {}


async def collectors(call: Call[Nothing, Nothing]) -> list[dict[str, Any]]:
    """List the configured collectors with their last runs."""
    daemon, overview = call.daemon, call.daemon.overview()
    return [told(daemon, config, overview) for config in daemon.config.collectors.values()]


async def collector(call: Call[Nothing, Nothing]) -> dict[str, Any]:
    """Return one of the collectors."""
    return told(call.daemon, configured(call), call.daemon.overview())


async def run(call: Call[Nothing, Nothing]) -> dict[str, Any]:
    """Run a collector now, wait for the end, and return the record of the run."""
    config, daemon = configured(call), call.daemon
    if daemon.stopping.is_set():
        raise NotNow("the daemon is stopping")
    found = daemon.collectors.by_name.get(config.name)
    if found is None:
        raise NotNow(f"{config.name}: is disabled, or has not been started yet")
    return (await found.run_now()).as_dict()


async def series(call: Call[Nothing, Nothing]) -> list[dict[str, Any]]:
    """List the series that a collector has given."""
    return series_json(await call.daemon.states.series(configured(call).name))


async def forget_series(call: Call[Nothing, ChosenSeries]) -> dict[str, Any]:
    """Forget a series that was taken away, so that it is late no more."""
    key = SeriesKey(call.body.series, tuple(sorted(call.body.tags.items())))
    known = await call.daemon.collectors.forget_series(configured(call).name, key)
    return {"forgotten": known}


def configured(call: Call[Any, Any]) -> CollectorConfig:
    """Return the collector that a path names.

    Raises:
        Refusal: None of that name is configured.
    """
    configured = call.daemon.config.collectors
    if call.path["name"] not in configured:
        raise Refusal(404, f"no collector {call.path['name']!r}")
    return configured[call.path["name"]]


def told(daemon: Daemon, config: CollectorConfig, overview: Overview) -> dict[str, Any]:
    """Return a collector as it is, in an overview of all."""
    found = daemon.collectors.by_name.get(config.name)
    if found is None:
        return collector_json(config, daemon.states.last_runs().get(config.name))
    return collector_json(config, found.last, _activity(daemon, found, overview))


def state_of(overview: Overview, name: str) -> str:
    """Return the state of a collector that is enabled; of one that has yet to start, too."""
    health = overview.collectors.get(name)
    return "waiting" if health is None else health.state.value


def _activity(daemon: Daemon, collector: Collector, overview: Overview) -> Activity:
    run, schedule = collector.running, collector.schedule
    scheduled = not collector.config.on_request
    backoff = max(0.0, collector.not_before - daemon.clock.monotonic())
    after = daemon.clock.now() + backoff  # ticks while it backs off are no runs
    collector.note()
    newest_us = collector.newest_us
    return Activity(
        next_run=schedule.next_after(after) if scheduled and schedule else None,
        since=run.started if run else None,
        readings=run.counts.readings if run else 0,
        failures=collector.failures,
        backing_off_for=backoff,
        last_reading=None if newest_us is None else newest_us / MICROSECONDS,
        health=overview.collectors.get(collector.name),
        facts=overview.facts.get(collector.name),
    )


ROUTES: Final[tuple[Route, ...]] = (
    get("/api/v1/collectors", collectors),
    get("/api/v1/collectors/{name}", collector),
    get("/api/v1/collectors/{name}/series", series),
    post("/api/v1/collectors/{name}/series/forget", forget_series, body=ChosenSeries),
    post("/api/v1/collectors/{name}/run", run),
)
