"""What is remembered between the runs of a collector: arguments from it, and what a result changes.

Pure.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from ingestd.contract.result import DEGRADED, Result

_ABSENT: Final = object()


@dataclass(frozen=True)
class Memory:
    """What is kept for a collector between its runs.

    Attributes:
        state: Shown to the operator, fed back to the next run.
        hidden: Fed back, never shown.
        masks: Param name -> fingerprint of the value it had when the plugin deleted it.
    """

    state: Mapping[str, Any] = field(default_factory=dict)
    hidden: Mapping[str, Any] = field(default_factory=dict, repr=False)
    masks: Mapping[str, str] = field(default_factory=dict)


def arguments(
    memory: Memory, params: Mapping[str, Any], *, fingerprint: Callable[[Any], str]
) -> dict[str, Any]:
    """Return the keyword arguments of the next run: hidden, then state, then params on top.

    A param that the plugin deleted stays away as long as the operator has not
    given it another value.
    """
    wanted = {
        name: value
        for name, value in params.items()
        if name not in memory.masks or fingerprint(value) != memory.masks[name]
    }
    return {**memory.hidden, **memory.state, **wanted}


def remember(
    memory: Memory,
    result: Result,
    *,
    yielded: bool,
    params: Mapping[str, Any],
    fingerprint: Callable[[Any], str],
) -> Memory:
    """Return what is to be kept after a result.

    A returned result replaces state and hidden; a yielded one updates them.
    Masks whose param the operator has changed or removed fall away.
    """
    masks = _masks(memory, result, params=params, fingerprint=fingerprint)
    if not yielded:
        return Memory(state=result.state, hidden=result.hidden, masks=masks)
    # A fault that a stream reported once must not stay in its state when it is mended.
    fresh = {name: value for name, value in result.state.items() if name not in DEGRADED}
    return replace(
        memory,
        state={**memory.state, **fresh},
        hidden={**memory.hidden, **result.hidden},
        masks=masks,
    )


def reconciled(result: Result, *, began: Mapping[str, Any], now: Mapping[str, Any]) -> Result:
    """Return a result that takes back no secret that was renewed beside it.

    A backfill and a run go on beside each other. The one that ends last knows only
    what was hidden when it began, and gives back as it was what it has not renewed.

    Args:
        result: What one of them gives.
        began: What was hidden when that one began, and what it has given since.
        now: What is hidden by now.
    """
    hidden = dict(result.hidden)
    for name in began.keys() | now.keys():
        before = began.get(name, _ABSENT)
        if now.get(name, _ABSENT) != before and hidden.get(name, _ABSENT) == before:
            hidden.pop(name, None)
            if name in now:
                hidden[name] = now[name]
    return replace(result, hidden=hidden)


def remember_secrets(
    memory: Memory,
    result: Result,
    *,
    params: Mapping[str, Any],
    fingerprint: Callable[[Any], str],
) -> Memory:
    """Return what is to be kept of a result of which only the secrets count.

    Of a backfill, for one: a token that was renewed must survive, but the state,
    which holds positions, is that of the runs.
    """
    masks = _masks(memory, result, params=params, fingerprint=fingerprint)
    return replace(memory, hidden={**memory.hidden, **result.hidden}, masks=masks)


def _masks(
    memory: Memory,
    result: Result,
    *,
    params: Mapping[str, Any],
    fingerprint: Callable[[Any], str],
) -> dict[str, str]:
    masks = {
        name: mark
        for name, mark in memory.masks.items()
        if name in params and fingerprint(params[name]) == mark
    }
    masks.update(
        {name: fingerprint(params[name]) for name in result.delete_params if name in params}
    )
    return masks
