"""What the pages on health, collectors and runs show, gathered from the daemon."""

import re
from math import ceil
from typing import Annotated, Any, Final

import msgspec

from ingestd.calling import Plugin
from ingestd.contract import Memory
from ingestd.health import by_trouble, problems
from ingestd.views import options_json, state_json
from ingestd.web import collectors, runs, status
from ingestd.web.call import Call, Nothing

ROWS: Final = 100  # on a page
RECENT: Final = 14  # runs in a strip
FEW: Final = 5  # backfills there
NEWEST: Final = 20  # runs on the page of a collector
_DIGITS: Final = re.compile(r"([0-9]{1,18})")

Shown = dict[str, Any]


class CollectorsPage(msgspec.Struct):
    """Which collectors to show; what else is in an address means nothing.

    Attributes:
        q: A part of the name or of the plugin, in any case.
        state: The state that they are in, or an empty string.
        page: Which hundred.
    """

    q: str = ""
    state: str = ""
    page: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1


class RunsPage(msgspec.Struct):
    """Which runs to show.

    Attributes:
        collector: Whose, or an empty string for all.
        failing: Whether only those that failed are wanted.
        before: Only those with a lower number, or 0 for the newest.
    """

    collector: str = ""
    failing: bool = False
    before: Annotated[int, msgspec.Meta(ge=0, le=2**53)] = 0


async def overview(call: Call[Nothing, Nothing]) -> Shown:
    """Show how everything is."""
    seen = call.daemon.overview()
    troubled = [each for each in seen.collectors.values() if each.state.is_trouble]
    return {
        "status": await status.told(call.daemon, seen),
        "problems": problems([], seen.stores, refused=seen.refused),
        "troubled": [
            {"name": each.name, "collector": each.name, "state": each.state.value, "why": each.why}
            for each in sorted(
                troubled, key=lambda each: (by_trouble(each.state), _in_order(each.name))
            )
        ],
    }


async def all_collectors(call: Call[CollectorsPage, Nothing]) -> Shown:
    """Show collectors, those in trouble first."""
    daemon, query = call.daemon, call.query
    seen, configs = daemon.overview(), daemon.config.collectors
    states = {
        name: "disabled" if not each.enabled else collectors.state_of(seen, name)
        for name, each in configs.items()
    }
    part = query.q.strip().lower()
    names = [
        name
        for name, each in configs.items()
        if part in name.lower() or part in each.plugin.lower()
        if query.state in ("", states[name])
    ]
    names.sort(key=lambda name: (by_trouble(states[name]), _in_order(name)))
    shown = names[(query.page - 1) * ROWS : query.page * ROWS]
    recent = await daemon.states.recent(shown, most=RECENT)
    rows = [
        {
            **collectors.told(daemon, configs[name], seen),
            "collector": name,
            "recent": recent[name],
            "every": configs[name].every,
        }
        for name in shown
    ]
    return {
        "collectors": rows,
        "found": len(names),
        "query": {"q": query.q, "state": query.state},
        "page": query.page,
        "pages": ceil(len(names) / ROWS),
    }


def _in_order(name: str) -> list[tuple[int, str]]:
    """Return a key that sorts ``meter-2`` before ``meter-10``."""
    parts = _DIGITS.split(name)
    return [(int(each or 0), "") if at % 2 else (0, each) for at, each in enumerate(parts)]


async def one_collector(call: Call[Nothing, Nothing]) -> Shown:
    """Show a collector."""
    daemon, config = call.daemon, collectors.configured(call)
    name, found = config.name, daemon.collectors.by_name.get(config.name)
    memory = await daemon.collectors.memory(name) or Memory()
    daemon.redactor.add(memory.hidden.values(), owner=name)
    told = await daemon.states.runs(name, limit=NEWEST)
    backfills = await daemon.backfills.listed(name, limit=FEW)
    return {
        "collector": {**collectors.told(daemon, config, daemon.overview()), "collector": name},
        "state": state_json(name, memory, daemon.redactor),
        "runs": [each.as_dict() for each in told],
        "backfills": [daemon.backfills.told(each) for each in backfills],
        "options": options_json(config, daemon.redactor),
        "plugin": _plugin(found.setup.current.loaded if found else None),
    }


def _plugin(plugin: Plugin | None) -> Shown | None:
    if plugin is None:
        return None
    return {"path": str(plugin.path), "kind": plugin.kind.value, "doc": plugin.doc.strip()}


async def all_runs(call: Call[RunsPage, Nothing]) -> Shown:
    """Show the records of runs, the newest first."""
    query = call.query
    found = await call.daemon.states.runs(
        query.collector or None,
        limit=ROWS + 1,
        before=query.before or None,
        failing=query.failing,
    )
    return {
        "runs": [each.as_dict() for each in found[:ROWS]],
        "more": len(found) > ROWS,
        "query": {"collector": query.collector, "failing": query.failing},
    }


async def one_run(call: Call[Nothing, Nothing]) -> Shown:
    """Show a run, or a requested run."""
    return {**await runs.run(call)}
