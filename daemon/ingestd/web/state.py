"""What collectors remember."""

from typing import Any, Final

import msgspec

from ingestd.contract import Memory
from ingestd.views import remembered_json
from ingestd.web.call import Call, Nothing, Route, get, post
from ingestd.web.problems import Refusal


class ResetBody(msgspec.Struct, forbid_unknown_fields=True):
    """What to forget besides state and hidden.

    Attributes:
        masks: Whether params that the plugin deleted come back.
    """

    masks: bool = False


class HiddenBody(msgspec.Struct, forbid_unknown_fields=True):
    """What the next runs are given secretly.

    Attributes:
        hidden: Name -> value, in place of those of the same names.
    """

    hidden: dict[str, Any]


async def state(call: Call[Nothing, Nothing]) -> dict[str, Any]:
    """Return a collector's state, and of what is hidden only how much there is."""
    daemon, name = call.daemon, call.path["collector"]
    memory = await _memory(call)
    daemon.redactor.add(memory.hidden.values(), owner=name)
    last = daemon.states.last_runs().get(name)
    return remembered_json(name, memory, last, daemon.redactor)


async def reset(call: Call[Nothing, ResetBody]) -> dict[str, Any]:
    """Forget a collector's state between two of its runs."""
    await _memory(call)
    name = call.path["collector"]
    return {"reset": await call.daemon.collectors.reset(name, masks=call.body.masks)}


async def keep_hidden(call: Call[Nothing, HiddenBody]) -> dict[str, Any]:
    """Give a collector secrets beside those that it has, such as tokens that a person allowed."""
    await _memory(call)
    name, hidden = call.path["collector"], call.body.hidden
    call.daemon.redactor.add(hidden.values(), owner=name)
    await call.daemon.collectors.keep_hidden(name, hidden)
    return {"kept": len(hidden)}


async def _memory(call: Call[Any, Any]) -> Memory:
    name = call.path["collector"]
    memory = await call.daemon.collectors.memory(name)
    if memory is None and name not in call.daemon.config.collectors:
        raise Refusal(404, f"no collector {name!r}, and no state of a former one")
    return memory or Memory()


ROUTES: Final[tuple[Route, ...]] = (
    get("/api/v1/state/{collector}", state),
    post("/api/v1/state/{collector}/reset", reset, body=ResetBody),
    post("/api/v1/state/{collector}/hidden", keep_hidden, body=HiddenBody),
)
