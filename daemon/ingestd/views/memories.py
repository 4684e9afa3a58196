"""What collectors remember, as JSON."""

import base64
import math
from collections.abc import Mapping
from datetime import date
from typing import Any

from ingestd.contract import Memory
from ingestd.records import RunRecord
from ingestd.redaction import Redactor


def state_json(collector: str, memory: Memory, redactor: Redactor) -> dict[str, Any]:
    """Return a memory for a listing: what is hidden is only counted."""
    return {
        "collector": collector,
        "state": plain_json(redactor.value(memory.state, owner=collector)),
        "masks": sorted(memory.masks),
        "hidden": {"keys": len(memory.hidden)},
    }


def remembered_json(
    collector: str, memory: Memory, last: RunRecord | None, redactor: Redactor
) -> dict[str, Any]:
    """Return a memory, and what a host of plugins would show of the collector's last run."""
    state = state_json(collector, memory, redactor)
    told = [dict(each) for each in last.told.values() if each] if last else []
    return {**state, "last_run": told[0]} if told else state


def plain_json(value: Any) -> Any:
    """Return a state's value as JSON has it: times in ISO 8601, bytes in base64 under a mark."""
    match value:
        case Mapping():
            return {str(key): plain_json(each) for key, each in value.items()}
        case list() | tuple():
            return [plain_json(each) for each in value]
        case set() | frozenset():
            return sorted(map(plain_json, value), key=str)
    return _scalar_json(value)


def _scalar_json(value: Any) -> Any:
    match value:
        case date():
            return value.isoformat()
        case bytes():
            return {"base64": base64.b64encode(value).decode()}
        case float() if not math.isfinite(value):
            return str(value)
    return value
