"""How everything is, in one answer; reading the config again; the plugins there are."""

import os
from typing import Any, Final

from ingestd import __version__
from ingestd.app import Daemon
from ingestd.calling import PluginInfo
from ingestd.errors import NotNow
from ingestd.web.call import Call, Nothing, Route, get, post
from ingestd.web.stores import all_stores


async def status(call: Call[Nothing, Nothing]) -> dict[str, Any]:
    """Say how the daemon, its stores and its collectors are."""
    daemon = call.daemon
    collectors = daemon.collectors.by_name.values()
    return {
        "version": __version__,
        "pid": os.getpid(),
        "started": daemon.started,
        "uptime": max(0.0, daemon.clock.now() - daemon.started),
        "config": _config(daemon),
        "state_dir": str(daemon.config.daemon.state_dir),
        "stopping": daemon.stopping.is_set(),
        "buffer": {
            "points": daemon.buffer.held,
            "capacity": daemon.buffer.capacity,
            "paused": sorted(daemon.buffer.paused),
        },
        "stores": await all_stores(daemon),
        "collectors": {
            "total": len(collectors),
            "running": sum(each.running is not None for each in collectors),
            "failing": sum(each.failures > 0 for each in collectors),
        },
        "backfills": [daemon.backfills.told(each) for each in daemon.backfills.unfinished],
    }


async def reload(call: Call[Nothing, Nothing]) -> dict[str, Any]:
    """Read the configuration again, touch what changed, and say what that was."""
    if not call.daemon.ready.is_set() or call.daemon.stopping.is_set():
        raise NotNow("the daemon is starting or stopping")
    changes = await call.daemon.reload()
    return {"changes": changes, "warnings": call.daemon.warnings}


async def plugins(call: Call[Nothing, Nothing]) -> list[dict[str, Any]]:
    """List the plugins that have a name."""
    return [_plugin(each) for each in await call.daemon.available_plugins()]


def _config(daemon: Daemon) -> dict[str, Any]:
    return {
        "path": str(daemon.config_path.absolute()),
        "last_reload": daemon.last_reload,
        "ok": daemon.config_ok,
        "refused_at": daemon.refused_at,
        "loaded_at": daemon.loaded_at,
    }


def _plugin(info: PluginInfo) -> dict[str, Any]:
    return {
        "name": info.name,
        "path": str(info.path),
        "kind": info.kind.value if info.kind else None,
        "summary": info.summary,
        "error": info.error,
    }


ROUTES: Final[tuple[Route, ...]] = (
    get("/api/v1/status", status),
    get("/api/v1/plugins", plugins),
    post("/api/v1/reload", reload),
)
