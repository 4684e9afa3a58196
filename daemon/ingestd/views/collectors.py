"""Collectors and their plugins, as JSON."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from ingestd.calling import PluginInfo
from ingestd.config import CollectorConfig, format_duration
from ingestd.records import Named, RunRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """What only the daemon that runs a collector knows of it.

    Attributes:
        next_run: When it will run next, in seconds since the Unix epoch, or None.
        since: When the run under way began, likewise, or None if there is none.
        readings: How many that run has given so far.
        failures: How many runs have failed in a row.
        backing_off_for: How long it will leave its source alone for that, in seconds.
        last_reading: The newest time of any reading, in seconds since the Unix epoch, or None.
    """

    next_run: float | None = None
    since: float | None = None
    readings: int = 0
    failures: int = 0
    backing_off_for: float = 0.0
    last_reading: float | None = None


RESTING: Final = Activity()


def collector_json(
    config: CollectorConfig, last: RunRecord | None, activity: Activity = RESTING
) -> dict[str, Any]:
    """Return a configured collector with its last run."""
    running = {"since": activity.since, "readings": activity.readings}
    return {
        "name": config.name,
        "plugin": config.plugin,
        "schedule": _schedule_text(config),
        "enabled": config.enabled,
        "next_run": activity.next_run,
        "running": None if activity.since is None else running,
        "failures": activity.failures,
        "backing_off_for": activity.backing_off_for,
        "last_run": last.as_dict() if last else None,
        "last_reading": activity.last_reading,
        "where": config.where,
    }


def _schedule_text(config: CollectorConfig) -> str:
    """Return a collector's schedule as it is written."""
    if config.every is not None:
        return f"every {format_duration(config.every)}"
    return f"cron {config.cron.text}" if config.cron is not None else "stream"


def series_json(series: Iterable[Named]) -> list[dict[str, Any]]:
    """Return the series that a collector has given."""
    return [{"series": name, "tags": dict(tags)} for name, tags in series]


def plugin_json(info: PluginInfo) -> dict[str, Any]:
    """Return a plugin that has a name, and why it cannot be used if it cannot."""
    return {
        "name": info.name,
        "path": str(info.path),
        "kind": info.kind.value if info.kind else None,
        "summary": info.summary,
        "error": info.error,
    }
