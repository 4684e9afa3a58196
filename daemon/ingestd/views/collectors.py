"""Collectors and their plugins, as JSON."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from ingestd.calling import PluginInfo
from ingestd.config import CollectorConfig
from ingestd.health import CollectorFacts, CollectorHealth
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
        health: How it is, or None if that is not known.
        facts: What that follows from, or None.
    """

    next_run: float | None = None
    since: float | None = None
    readings: int = 0
    failures: int = 0
    backing_off_for: float = 0.0
    last_reading: float | None = None
    health: CollectorHealth | None = None
    facts: CollectorFacts | None = None


MOST_LATE: Final = 100  # series of a collector in an answer
RESTING: Final = Activity()


def collector_json(
    config: CollectorConfig, last: RunRecord | None, activity: Activity = RESTING
) -> dict[str, Any]:
    """Return a configured collector with its last run."""
    running = {"since": activity.since, "readings": activity.readings}
    return {
        "name": config.name,
        "plugin": config.plugin,
        "schedule": config.schedule_text,
        "enabled": config.enabled,
        "next_run": activity.next_run,
        "running": None if activity.since is None else running,
        "failures": activity.failures,
        "backing_off_for": activity.backing_off_for,
        "last_run": last.as_dict() if last else None,
        "last_reading": activity.last_reading,
        **_health(config, activity),
        "where": config.where,
    }


def _health(config: CollectorConfig, activity: Activity) -> dict[str, Any]:
    health, facts = activity.health, activity.facts
    state = "waiting" if health is None else health.state.value
    late = list(facts.late) if facts else []
    return {
        "state": state if config.enabled else "disabled",
        "why": health.why if health and config.enabled else "",
        "cadence": config.cadence,
        "series": facts.series if facts else 0,
        "late": len(late),
        "late_series": [
            {
                "series": each.key.name,
                "tags": dict(each.key.tags),
                "silent": each.silent,
                "every": each.every,
                "newest": each.newest,
            }
            for each in late[:MOST_LATE]
        ],
    }


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
