"""SenML (RFC 8428): records that leave out what a record before them has said for all."""

import time
from collections.abc import Mapping
from math import isfinite
from typing import Any, Final

from .errors import DocumentError

RELATIVE: Final = 2**28  # times below are seconds from now
SUMS: Final = {"v": "bv", "s": "bs"}


def records(document: Any, *, now: float | None = None) -> list[Any]:
    """Return the records of a pack, resolved: ``n``, ``t`` in Unix seconds, ``u`` and the value.

    The value is under ``v``, ``vb`` or ``vs``, and a sum under ``s``.

    Args:
        document: The pack.
        now: What times are relative to, in Unix seconds; None: now.

    Raises:
        DocumentError: It is none.
    """
    if not isinstance(document, list) or not all(isinstance(each, dict) for each in document):
        raise DocumentError("a list of SenML records", got=type(document).__name__)
    now, base, found = time.time() if now is None else now, dict[str, Any](), list[Any]()
    for each in document:
        base |= {name: value for name, value in each.items() if name.startswith("b")}
        resolved = resolve(each, base, now)
        if set(resolved) & {"v", "vb", "vs", "vd", "s"}:
            found.append(resolved)
    return found


def resolve(record: Mapping[str, Any], base: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Return a record with what holds for all put into it.

    A number that is none stays as it is, and costs its own record.
    """
    found = {name: value for name, value in record.items() if not name.startswith("b")}
    found["n"] = f"{base.get('bn', '')}{record.get('n', '')}"
    if unit := record.get("u", base.get("bu")):
        found["u"] = unit
    for name, of_all in SUMS.items():
        if name in record or (of_all in base and name == "v" and not {"vb", "vs"} & set(record)):
            found[name] = added(record.get(name, 0), base.get(of_all, 0))
    told = added(record.get("t", 0), base.get("bt", 0))
    found["t"] = told + now if is_number(told) and told < RELATIVE else told
    return found


def added(value: Any, to: Any) -> Any:
    """Return a sum, or what is no number in it."""
    if not is_number(value):
        return value
    return value + to if is_number(to) else to


def is_number(value: Any) -> bool:
    """Say whether a value is a finite number."""
    return type(value) in {int, float} and isfinite(value)
