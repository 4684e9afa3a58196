"""Values as plugins give them -> the same made of plain builtins.

Pure. What a plugin gives may be of any class: NumPy scalars, pandas' times, enums,
classes of its own whose methods raise. Plain builtins can be sent between
processes, kept as YAML and shown in an error without calling foreign code.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from ingestd.errors import ResultError
from ingestd.plugins._readings import Readings

DEEPEST_RESULT: Final = 50  # levels of containers

_MISSPELT: Final = frozenset({"reading", "readings", "readigns", "reading_list", "redings"})
_PLAIN: Final = frozenset({str, int, float, bool, type(None), bytes, date, datetime})
_SURE: Final = _PLAIN - {datetime}  # its time zone may be of foreign make
_CONVERT: Final[Sequence[tuple[type, Callable[[Any], Any]]]] = (
    (int, int.__int__),
    (float, float.__float__),
    (str, str.__str__),
)


def result_as_builtins(result: object) -> dict[str, Any]:
    """Return a plugin's result made of plain builtins, safe to send between processes.

    NumPy scalars become numbers. A reading that is no reading stays in its
    place, to be counted later.

    Raises:
        ResultError: It is not a dict, or a value in it cannot be kept.
    """
    with foreign_errors():
        parts = text_keys(result)
        check_spelling(parts)  # none are sent as an empty list, which looks well written
        readings = parts.pop("readings", None)
        kept = {name: as_builtins(value, where=name) for name, value in parts.items()}
        return {**kept, "readings": list(map(reading_as_builtins, listed(readings)))}


def as_builtins(value: Any, *, where: str, outer: tuple[int, ...] = ()) -> Any:
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
    if len(outer) > DEEPEST_RESULT:
        raise ResultError(f"{where}: cannot be kept: nested deeper than {DEEPEST_RESULT} levels")
    outer = (*outer, id(value))
    if isinstance(value, Mapping):
        return {
            as_builtins(key, where=f"{where} (a key)", outer=outer): as_builtins(
                each, where=f"{where}.{key}" if type(key) is str else where, outer=outer
            )
            for key, each in value.items()
        }
    if isinstance(value, (list, tuple)):
        items = [as_builtins(v, where=f"{where}[{i}]", outer=outer) for i, v in enumerate(value)]
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
    if isinstance(value, (bytes, bytearray)):
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
        return time.astimezone(timezone.utc)
    if type(time.tzinfo) in {timezone, ZoneInfo}:
        return time
    return time.replace(tzinfo=timezone(offset))


def reading_as_builtins(value: Any) -> Any:
    """Return a reading made of plain builtins.

    What cannot be a part of one becomes bytes that describe it, because a text
    would pass for the name of a series.
    """
    if type(value) is tuple and all(type(part) in _SURE for part in value):
        return value
    if type(value) is bytes:  # described before, where it was given
        return value
    try:
        return _parts_of(value)
    except BaseException:  # noqa: BLE001 -- border: foreign methods may do anything
        return _odd(value)


def _parts_of(reading: Any) -> Any:
    if isinstance(reading, (str, bytes, Mapping, set, frozenset)) or not isinstance(
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
    except BaseException:  # noqa: BLE001 -- border: pandas' NaT raises, for one
        return _odd(value)
    # NumPy's NaT becomes None, which would mean now.
    return simple if type(simple) in _PLAIN and simple is not None else _odd(value)


def _odd(value: object) -> bytes:
    return safe_repr(value).encode(errors="replace")


def safe_repr(value: object) -> str:
    """Return a short text for a value whose own methods may do anything."""
    try:
        return f"{value!r:.80}"
    except BaseException:  # noqa: BLE001 -- border: foreign ``__repr__``
        return f"<{type(value).__name__}>"


def text_keys(result: object) -> dict[str, Any]:
    """Return a result as a dict of our own, its values as they are.

    Raises:
        ResultError: It is not a dict, or a key is not text.
    """
    if not isinstance(result, Mapping):
        raise ResultError(f"run must give a dict, got {type(result).__name__}")
    parts = {}
    for key, value in result.items():
        if not isinstance(key, str):
            raise ResultError(f"run must give a dict with text keys, got the key {safe_repr(key)}")
        parts[str.__str__(key)] = value
    return parts


def check_spelling(parts: Mapping[str, Any]) -> None:
    """Refuse readings under another name: as state they would be kept, and never stored.

    Raises:
        ResultError: A list stands under a name that is nearly right.
    """
    if "readings" in parts:
        return
    for name, value in parts.items():
        if name.strip().lower() in _MISSPELT and isinstance(value, (list, tuple)):
            raise ResultError(f"expected 'readings' as the name of its readings, got {name!r}")


def listed(readings: object) -> Sequence[Any]:
    """Return the readings of a result, which may be any iterable or None, as a list or columns.

    Raises:
        ResultError: They are no such, or fail when they are listed.
    """
    if type(readings) is list or type(readings) is Readings:
        return readings
    # An empty dict has nothing to store, as an empty list has; scripts of hosts begin with one.
    if readings is None or (isinstance(readings, Mapping) and not readings):
        return []
    if isinstance(readings, (str, bytes, Mapping)) or not isinstance(readings, Iterable):
        raise ResultError(f"readings: expected a list, got {type(readings).__name__}")
    try:
        return list(readings)
    except Exception as error:  # noqa: BLE001 -- border: it may be lazy, and the plugin's code
        raise ResultError(f"readings: cannot be listed: {safe_repr(error)}") from None


@contextmanager
def foreign_errors() -> Iterator[None]:
    """Turn what the methods of a plugin's own classes raise into errors of ours."""
    try:
        yield
    except ResultError:
        raise
    except BaseException as error:  # noqa: BLE001 -- border: foreign methods may do anything
        raise ResultError(f"run gave what cannot be read: {safe_repr(error)}") from None
