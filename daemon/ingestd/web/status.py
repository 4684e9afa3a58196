"""How everything is, in one answer; reading the config again; the plugins there are."""

import os
from typing import Any, Final

from ingestd.app import Daemon
from ingestd.errors import NotNow
from ingestd.health import Overview
from ingestd.views import Process, plugin_json, status_json
from ingestd.web.call import Call, Nothing, Route, get, post
from ingestd.web.stores import all_stores


async def status(call: Call[Nothing, Nothing]) -> dict[str, Any]:
    """Say how the daemon, its stores and its collectors are."""
    return await told(call.daemon, call.daemon.overview())


async def told(daemon: Daemon, overview: Overview) -> dict[str, Any]:
    """Return how everything is, in an overview of all."""
    collectors = daemon.collectors.by_name.values()
    process = Process(
        pid=os.getpid(),
        started=daemon.started,
        uptime=max(0.0, daemon.clock.now() - daemon.started),
        last_reload=daemon.last_reload,
        config_ok=daemon.config_ok,
        refused_at=daemon.refused_at,
        loaded_at=daemon.loaded_at,
        warnings=daemon.warnings,
        stopping=daemon.stopping.is_set(),
        buffered=daemon.buffer.held,
        paused=list(daemon.buffer.paused),
        running=sum(each.running is not None for each in collectors),
    )
    return status_json(
        daemon.config,
        daemon.config_path,
        process,
        stores=await all_stores(daemon),
        overview=overview,
        backfills=[daemon.backfills.told(each) for each in daemon.backfills.unfinished],
    )


async def reload(call: Call[Nothing, Nothing]) -> dict[str, Any]:
    """Read the configuration again, touch what changed, and say what that was."""
    if not call.daemon.ready.is_set() or call.daemon.stopping.is_set():
        raise NotNow("the daemon is starting or stopping")
    changes = await call.daemon.reload()
    return {"changes": changes, "warnings": call.daemon.warnings}


async def plugins(call: Call[Nothing, Nothing]) -> list[dict[str, Any]]:
    """List the plugins that have a name."""
    return [plugin_json(each) for each in await call.daemon.checker.plugins()]


ROUTES: Final[tuple[Route, ...]] = (
    get("/api/v1/status", status),
    get("/api/v1/plugins", plugins),
    post("/api/v1/reload", reload),
)
