"""The run-contract: what a plugin's ``run`` is called with, and what it may give back.

Everything here is pure. ``take_apart`` sorts a result into its parts; a result
that was made in a worker process has been through ``portable`` there, which
leaves nothing but plain builtins. What becomes of the readings is told in
``readings``.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from ingestd.contract import yamlvalues
from ingestd.errors import ResultError

RESERVED: Final = frozenset({"readings", "hidden", "delete_params"})
DEGRADED: Final = ("script_error", "script_errors")
DEEPEST: Final = 50

_ABSENT: Final = object()
_PLAIN: Final = frozenset({str, int, float, bool, type(None), bytes, date, datetime})
_SURE: Final = _PLAIN - {datetime}  # its time zone may be of foreign make
_CONVERT: Final[Sequence[tuple[type, Callable[[Any], Any]]]] = (
    (int, int.__int__),
    (float, float.__float__),
    (str, str.__str__),
)


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

    @property
    def remembers(self) -> bool:
        """Whether the next run will know more for it than that something was wrong."""
        return bool(self.hidden) or not self.state.keys() <= set(DEGRADED)


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
    """Return a result that takes back no secret which somebody else has renewed.

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


def portable(result: object) -> dict[str, Any]:
    """Return a plugin's result made of plain builtins, safe to send between processes.

    NumPy scalars become numbers. A reading that is no reading stays in its
    place, to be counted later.

    Raises:
        ResultError: It is not a dict, or a value in it cannot be kept.
    """
    with _reading_foreign_objects():
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
    with _reading_foreign_objects():
        parts = _checked(result)
        readings = _listed(parts.pop("readings", None))
        names = _names(parts.pop("delete_params", None))
        hidden = _hidden(parts.pop("hidden", None))
        state = {name: plain(value, where=name) for name, value in parts.items()}
    yamlvalues.check(state, where="state")
    yamlvalues.check(hidden, where="hidden")
    degraded = next((str(state[name]) for name in DEGRADED if state.get(name)), "")
    return Result(readings, state, hidden, names, degraded)


@contextmanager
def _reading_foreign_objects() -> Iterator[None]:
    """Make errors of ours of what the methods of a plugin's own classes raise."""
    try:
        yield
    except ResultError:
        raise
    except Exception as error:  # noqa: BLE001 -- border: foreign methods may do anything
        raise ResultError(f"run gave what cannot be read: {shown(error)}") from None


def plain(value: Any, *, where: str, outer: tuple[int, ...] = ()) -> Any:
    """Return a copy of a value made of what YAML can hold.

    Args:
        value: Any nesting of dicts, lists and tuples over plain values.
        where: The path of the value, for the error.
        outer: The identities of the containers that it stands in.

    Raises:
        ResultError: Something in it cannot be kept.
    """
    simple = value if type(value) in _SURE else _simple(value)
    if type(simple) in _PLAIN:
        return simple
    if id(value) in outer:  # following back references would never end
        raise ResultError(f"{where}: cannot be kept: it contains itself")
    if len(outer) > DEEPEST:
        raise ResultError(f"{where}: cannot be kept: nested deeper than {DEEPEST} levels")
    outer = (*outer, id(value))
    if isinstance(value, Mapping):
        return {
            plain(key, where=f"{where} (a key)", outer=outer): plain(
                each, where=f"{where}.{key}" if type(key) is str else where, outer=outer
            )
            for key, each in value.items()
        }
    if isinstance(value, list | tuple):
        items = [plain(v, where=f"{where}[{i}]", outer=outer) for i, v in enumerate(value)]
        return tuple(items) if isinstance(value, tuple) else items
    raise ResultError(
        f"{where}: cannot be kept: expected text, numbers, dates, bytes, lists or dicts, "
        f"got {type(value).__name__}"
    )


def _simple(value: Any) -> Any:
    """Turn a scalar of a derived type, such as NumPy's or an enum, into the plain one.

    The plain type's own methods do it, not what the derived one has in their place.
    """
    if type(value).__module__ == "numpy" and hasattr(value, "dtype") and value.ndim == 0:
        if value.dtype.kind == "M":
            value = value.astype("datetime64[us]")
        return value.item()
    if isinstance(value, datetime):
        return _plain_time(value)
    if isinstance(value, bytes | bytearray):
        return bytes(memoryview(value))
    for kind, convert in _CONVERT:
        if isinstance(value, kind):
            return convert(value)
    return value


def _plain_time(time: datetime) -> datetime:
    if type(time) is not datetime:  # pandas' Timestamp, for one
        time = datetime.combine(time.date(), time.time(), time.tzinfo)
    offset = time.utcoffset()
    if offset is None:
        return time.replace(tzinfo=None)
    if offset % timedelta(minutes=1):  # as zones had before 1900; YAML knows none with seconds
        return time.astimezone(UTC)
    if type(time.tzinfo) in {timezone, ZoneInfo}:
        return time
    return time.replace(tzinfo=timezone(offset))


def _checked(result: object) -> dict[str, Any]:
    if not isinstance(result, Mapping):
        raise ResultError(f"run must give a dict, got {type(result).__name__}")
    parts = {}
    for key, value in result.items():
        if not isinstance(key, str):
            raise ResultError(f"run must give a dict with text keys, got the key {shown(key)}")
        parts[str.__str__(key)] = value
    return parts


def _hidden(value: object) -> dict[str, Any]:
    hidden = {} if value is None else plain(value, where="hidden")
    if not isinstance(hidden, dict) or not all(isinstance(key, str) for key in hidden):
        raise ResultError(f"hidden: expected a dict with text keys, got {type(hidden).__name__}")
    return hidden


def _names(value: object) -> frozenset[str]:
    if value is None:
        return frozenset()
    if not isinstance(value, Collection) or isinstance(value, str | bytes | Mapping):
        raise ResultError(f"delete_params: expected a list of names, got {type(value).__name__}")
    return frozenset(map(str, value))


def _listed(readings: object) -> list[Any]:
    if readings is None:
        return []
    if type(readings) is list:
        return readings
    if isinstance(readings, str | bytes | Mapping) or not isinstance(readings, Iterable):
        raise ResultError(f"readings: expected a list, got {type(readings).__name__}")
    try:
        return list(readings)
    except Exception as error:  # noqa: BLE001 -- border: it may be lazy, and the plugin's code
        raise ResultError(f"readings: cannot be listed: {shown(error)}") from None


def plain_reading(value: Any) -> Any:
    """Return a reading made of plain builtins.

    What cannot be a part of one becomes bytes that describe it, because a text
    would pass for the name of a series.
    """
    if type(value) is tuple and all(type(part) in _SURE for part in value):
        return value
    try:
        return _parts_of(value)
    except Exception:  # noqa: BLE001 -- border: foreign methods may do anything
        return _odd(value)


def _parts_of(reading: Any) -> Any:
    if isinstance(reading, str | bytes | Mapping | set | frozenset) or not isinstance(
        reading, Iterable
    ):
        return _odd(reading)
    parts = tuple(reading)
    if len(parts) == 4 and isinstance(parts[3], Mapping):
        tags = {_part(key): _part(tag) for key, tag in parts[3].items()}
        return (*map(_part, parts[:3]), tags)
    return tuple(map(_part, parts))


def _part(value: Any) -> Any:
    if type(value) in _SURE:
        return value
    try:
        simple = float(value) if isinstance(value, Decimal) else _simple(value)
    except Exception:  # noqa: BLE001 -- border: pandas' NaT raises, for one
        return _odd(value)
    # NumPy's NaT becomes None, which would mean now.
    return simple if type(simple) in _PLAIN and simple is not None else _odd(value)


def _odd(value: object) -> bytes:
    return shown(value).encode(errors="replace")


def shown(value: object) -> str:
    """Return a short text for a value whose own methods may do anything."""
    try:
        return f"{value!r:.80}"
    except Exception:  # noqa: BLE001 -- border: foreign ``__repr__``
        return f"<{type(value).__name__}>"
