"""How everything is, as JSON."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingestd import __version__
from ingestd.calling import confinement
from ingestd.config import Config
from ingestd.health import Overview, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """What a running daemon knows of itself; times are in seconds since the Unix epoch.

    Attributes:
        pid: Its number, or None if no daemon runs.
        started: When it started.
        uptime: How long it has been running, in seconds.
        last_reload: What the newest reload did, or why it was refused.
        config_ok: Whether the configuration that was read last is the one in use.
        refused_at: When the newest reload failed, or None if it did not.
        loaded_at: When the configuration in use was read.
        warnings: What looked suspicious in it.
        stopping: Whether it has begun to stop.
        buffered: How many points are in memory.
        paused: The stores whose spool takes no more.
        running: How many collectors run at the moment.
    """

    pid: int | None = None
    started: float | None = None
    uptime: float | None = None
    last_reload: str = ""
    config_ok: bool = True
    refused_at: float | None = None
    loaded_at: float | None = None
    warnings: Sequence[str] = ()
    stopping: bool = False
    buffered: int = 0
    paused: Sequence[str] = ()
    running: int = 0


def status_json(
    config: Config,
    path: Path,
    process: Process,
    *,
    stores: Sequence[Mapping[str, Any]],
    overview: Overview,
    backfills: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Return how a daemon is, or would be if one ran.

    Args:
        config: What the operator wrote.
        path: Where.
        process: The daemon.
        stores: Each as ``store_json`` has it.
        overview: How the collectors are that are enabled, and the stores.
        backfills: Those that are not over.
    """
    healths = list(overview.collectors.values())
    states = Counter(each.state for each in healths)
    return {
        "summary": overview.sentence,
        "headline": overview.headline,
        "problems": overview.problems,
        "version": __version__,
        "pid": process.pid,
        "started": process.started,
        "uptime": process.uptime,
        "config": {
            "path": str(path.absolute()),
            "last_reload": process.last_reload,
            "ok": process.config_ok,
            "refused_at": process.refused_at,
            "loaded_at": process.loaded_at,
            "warnings": list(process.warnings),
        },
        "state_dir": str(config.daemon.state_dir),
        "worker_processes": confinement()[1],
        "stopping": process.stopping,
        "buffer": {
            "points": process.buffered,
            "capacity": config.buffer.points,
            "paused": sorted(process.paused),
        },
        "stores": list(stores),
        "collectors": {
            "total": sum(each.enabled for each in config.collectors.values()),
            "running": process.running,
            "failing": sum(each.state.is_failing for each in healths),
            "late": sum(each.state.is_late for each in healths),
            "attention": sum(each.state.is_trouble for each in healths),
            "disabled": sorted(
                each.name for each in config.collectors.values() if not each.enabled
            ),
            "distant": [str(each) for each in healths if each.state is State.WAITING and each.why],
            "states": {state.value: states[state] for state in State if states[state]},
        },
        "backfills": list(backfills),
    }
