"""The collectors: how each is, and running one now."""

from typing import Any, Final

from ingestd.app import Daemon
from ingestd.collecting import Collector
from ingestd.config import CollectorConfig
from ingestd.errors import NotNow
from ingestd.model import MICROSECONDS
from ingestd.web.call import Call, Nothing, Route, get, post
from ingestd.web.problems import Refusal
from ingestd.web.shapes import schedule_text


async def collectors(call: Call[Nothing, Nothing]) -> list[dict[str, Any]]:
    """List the configured collectors with their last runs."""
    return [_shape(call.daemon, config) for config in call.daemon.config.collectors.values()]


async def collector(call: Call[Nothing, Nothing]) -> dict[str, Any]:
    """Return one of the collectors."""
    return _shape(call.daemon, _config(call))


async def run(call: Call[Nothing, Nothing]) -> dict[str, Any]:
    """Run a collector now, wait for the end, and return the record of the run."""
    config, daemon = _config(call), call.daemon
    if daemon.stopping.is_set():
        raise NotNow("the daemon is stopping")
    found = daemon.collectors.by_name.get(config.name)
    if found is None:
        raise NotNow(f"{config.name}: is disabled, or has not been started yet")
    return (await found.run_now()).as_dict()


async def series(call: Call[Nothing, Nothing]) -> list[dict[str, Any]]:
    """List the series that a collector has given."""
    found = await call.daemon.states.series(_config(call).name)
    return [{"series": name, "tags": dict(tags)} for name, tags in found]


def _config(call: Call[Nothing, Nothing]) -> CollectorConfig:
    configured = call.daemon.config.collectors
    if call.path["name"] not in configured:
        raise Refusal(404, f"no collector {call.path['name']!r}")
    return configured[call.path["name"]]


def _shape(daemon: Daemon, config: CollectorConfig) -> dict[str, Any]:
    found = daemon.collectors.by_name.get(config.name)
    last = found.last if found else daemon.states.last_runs().get(config.name)
    return {
        "name": config.name,
        "plugin": config.plugin,
        "schedule": schedule_text(config),
        "enabled": config.enabled,
        "next_run": _next_run(daemon, found) if found else None,
        "running": _running(found) if found else None,
        "failures": found.failures if found else 0,
        "backing_off_for": _backoff(daemon, found) if found else 0.0,
        "last_run": last.as_dict() if last else None,
        "last_reading": _last_reading(found) if found else None,
        "where": config.where,
    }


def _next_run(daemon: Daemon, collector: Collector) -> float | None:
    schedule = collector.schedule
    # Ticks while it backs off are no runs.
    after = daemon.clock.now() + _backoff(daemon, collector)
    return schedule.next_after(after) if schedule else None


def _running(collector: Collector) -> dict[str, Any] | None:
    run = collector.running
    return {"since": run.started, "readings": run.counts.readings} if run else None


def _backoff(daemon: Daemon, collector: Collector) -> float:
    return max(0.0, collector.not_before - daemon.clock.monotonic())


def _last_reading(collector: Collector) -> float | None:
    collector.note()
    return None if collector.newest_us is None else collector.newest_us / MICROSECONDS


ROUTES: Final[tuple[Route, ...]] = (
    get("/api/v1/collectors", collectors),
    get("/api/v1/collectors/{name}", collector),
    get("/api/v1/collectors/{name}/series", series),
    post("/api/v1/collectors/{name}/run", run),
)
