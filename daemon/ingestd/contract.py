"""The run-contract: what a plugin's ``run`` is called with, and what it may give back.

Everything here is pure. ``take_apart`` sorts a result into its parts; a result
that was made in a worker process has been through ``portable`` there, which
leaves nothing but plain builtins. What becomes of the readings is told in
``readings``.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, Final

from ingestd import yamlvalues
from ingestd.errors import ResultError

RESERVED: Final = frozenset({"readings", "hidden", "delete_params"})
DEGRADED: Final = ("script_error", "script_errors")
DEEPEST: Final = 50

_PLAIN: Final = frozenset({str, int, float, bool, type(None), bytes, date, datetime})


@dataclass(frozen=True, slots=True)
class Result:
    """One result of a plugin, taken apart.

    Attributes:
        readings: As the plugin wrote them, but of plain types.
        state: What the next run gets back and the operator may see.
        hidden: The same, but secret.
        delete_params: Names to mask in the collector's params from now on.
        degraded: What the plugin itself reported as wrong, or an empty string.
    """

    readings: Sequence[Any]
    state: Mapping[str, Any]
    hidden: Mapping[str, Any] = field(repr=False)
    delete_params: frozenset[str]
    degraded: str


@dataclass(frozen=True, slots=True)
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
    masks = {
        name: mark
        for name, mark in memory.masks.items()
        if name in params and fingerprint(params[name]) == mark
    }
    masks.update(
        {name: fingerprint(params[name]) for name in result.delete_params if name in params}
    )
    if not yielded:
        return Memory(state=result.state, hidden=result.hidden, masks=masks)
    return replace(
        memory,
        state={**memory.state, **result.state},
        hidden={**memory.hidden, **result.hidden},
        masks=masks,
    )


def portable(result: object) -> dict[str, Any]:
    """Return a plugin's result made of plain builtins, safe to send between processes.

    NumPy scalars become numbers. A reading that is no reading stays in its
    place, to be counted later.

    Raises:
        ResultError: It is not a dict, or a value in it cannot be kept.
    """
    parts = _checked(result)
    readings = parts.pop("readings", None)
    kept = {name: plain(value, where=name) for name, value in parts.items()}
    return {**kept, "readings": list(map(plain_reading, _listed(readings)))}


def take_apart(result: object) -> Result:
    """Sort a result into readings, state, hidden and requests.

    State and hidden are copied, so that a plugin that goes on changing them
    does not change what it handed over. The readings are left as they are.

    Raises:
        ResultError: It is not a dict, or a part of it cannot be kept.
    """
    parts = _checked(result)
    readings = _listed(parts.pop("readings", None))
    names = _names(parts.pop("delete_params", None) or ())
    hidden = plain(parts.pop("hidden", None) or {}, where="hidden")
    if not isinstance(hidden, dict) or not all(isinstance(key, str) for key in hidden):
        raise ResultError(f"hidden: expected a dict with text keys, got {type(hidden).__name__}")
    state = {name: plain(value, where=name) for name, value in parts.items()}
    yamlvalues.check(state, where="state")
    yamlvalues.check(hidden, where="hidden")
    degraded = next((str(state[name]) for name in DEGRADED if state.get(name)), "")
    return Result(readings, state, hidden, names, degraded)


def plain(value: Any, *, where: str, depth: int = 0) -> Any:
    """Return a copy of a value made of what YAML can hold.

    Args:
        value: Any nesting of dicts, lists and tuples over plain values.
        where: The path of the value, for the error.
        depth: How deep in the nesting it stands.

    Raises:
        ResultError: Something in it cannot be kept.
    """
    if type(value) in _PLAIN:
        return value
    if depth > DEEPEST:
        raise ResultError(f"{where}: cannot be kept: nested deeper than {DEEPEST} levels")
    deeper = depth + 1
    if isinstance(value, Mapping):
        return {
            plain(key, where=f"{where} (a key)", depth=deeper): plain(
                each, where=f"{where}.{key}", depth=deeper
            )
            for key, each in value.items()
        }
    if isinstance(value, list | tuple):
        items = [plain(v, where=f"{where}[{i}]", depth=deeper) for i, v in enumerate(value)]
        return tuple(items) if isinstance(value, tuple) else items
    simple = _simple(value)
    if type(simple) not in _PLAIN:
        raise ResultError(
            f"{where}: cannot be kept: expected text, numbers, dates, bytes, lists or dicts, "
            f"got {type(value).__name__}"
        )
    return simple


def _simple(value: Any) -> Any:
    """Turn a scalar of a derived type, such as NumPy's, into the plain one."""
    if type(value).__module__ == "numpy" and hasattr(value, "dtype") and value.ndim == 0:
        if value.dtype.kind == "M":
            value = value.astype("datetime64[us]")
        return value.item()
    if isinstance(value, datetime):  # pandas' Timestamp among them
        return datetime.combine(value.date(), value.time(), value.tzinfo)
    if isinstance(value, bytes | bytearray):
        return bytes(value)
    for kind in (int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value


def _checked(result: object) -> dict[str, Any]:
    if not isinstance(result, Mapping):
        raise ResultError(f"run must give a dict, got {type(result).__name__}")
    for key in result:
        if not isinstance(key, str):
            raise ResultError(f"run must give a dict with text keys, got the key {key!r:.80}")
    return {str(key): value for key, value in result.items()}


def _names(value: object) -> frozenset[str]:
    if not isinstance(value, Collection) or isinstance(value, str | bytes | dict):
        raise ResultError(f"delete_params: expected a list of names, got {type(value).__name__}")
    return frozenset(map(str, value))


def _listed(readings: object) -> list[Any]:
    if readings is None:
        return []
    if isinstance(readings, list):
        return readings
    if isinstance(readings, str | bytes | Mapping) or not isinstance(readings, Iterable):
        raise ResultError(f"readings: expected a list, got {type(readings).__name__}")
    try:
        return list(readings)
    except Exception as error:  # noqa: BLE001 -- border: it may be lazy, and the plugin's code
        raise ResultError(f"readings: cannot be listed: {shown(error)}") from None


def plain_reading(value: Any) -> Any:
    """Return a reading made of plain builtins; what cannot be is told as text."""
    if type(value) is tuple and all(type(part) in _PLAIN for part in value):
        return value
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        return _described(value)
    parts = tuple(value)
    if len(parts) == 4 and isinstance(parts[3], Mapping):
        tags = {_described(key): _described(tag) for key, tag in parts[3].items()}
        return (*map(_described, parts[:3]), tags)
    return tuple(map(_described, parts))


def _described(value: Any) -> Any:
    simple = _simple(value)
    return simple if type(simple) in _PLAIN else shown(value)


def shown(value: object) -> str:
    """Return a short text for a value whose own methods may do anything."""
    try:
        return f"{value!r:.80}"
    except Exception:  # noqa: BLE001 -- border: foreign ``__repr__``
        return f"<{type(value).__name__}>"
