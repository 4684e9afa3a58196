"""The API's JSON, made of what the daemon's parts hold, and kept free of secrets."""

import base64
import math
from collections.abc import Iterable, Mapping
from datetime import date
from fnmatch import fnmatchcase
from typing import Any, Final

from ingestd.config import Catalogue, CollectorConfig, format_duration
from ingestd.contract import Memory
from ingestd.model import MICROSECONDS, StoredPoint
from ingestd.records import RunRecord
from ingestd.redaction import Redactor

# The operator's own names. A password such as "mqtt" must not make them unusable.
NAMES: Final = frozenset({"name", "collector", "store", "plugin", "type", "series"})


def schedule_text(config: CollectorConfig) -> str:
    """Return a collector's schedule as it is written."""
    if config.every is not None:
        return f"every {format_duration(config.every)}"
    return f"cron {config.cron.text}" if config.cron is not None else "stream"


def state_json(collector: str, memory: Memory, redactor: Redactor) -> dict[str, Any]:
    """Return a memory for a listing: what is hidden is only counted."""
    return {
        "collector": collector,
        "state": plain(redactor.value(memory.state)),
        "masks": sorted(memory.masks),
        "hidden": {"keys": len(memory.hidden)},
    }


def remembered_json(
    collector: str, memory: Memory, last: RunRecord | None, redactor: Redactor
) -> dict[str, Any]:
    """Return a memory, and beside it what the plugin's host would show of the last run."""
    shown = state_json(collector, memory, redactor)
    told = [dict(each) for each in last.told.values() if each] if last else []
    return {**shown, "last_run": told[0]} if told else shown


def latest_json(
    points: Iterable[StoredPoint], catalogue: Catalogue, pattern: str | None
) -> list[dict[str, Any]]:
    """Return points for a listing, those whose series matches a glob."""
    return [
        {
            "series": point.series,
            "tags": point.tags,
            "measurement": point.measurement,
            "field": point.field,
            "time": point.time_us / MICROSECONDS,
            "value": point.value,
            "unit": catalogue.describe(point.series).unit,
        }
        for point in sorted(points, key=lambda each: (each.series, sorted(each.tags.items())))
        if pattern is None or fnmatchcase(point.series, pattern)
    ]


def plain(value: Any) -> Any:
    """Return a state's value as JSON has it: times in ISO 8601, bytes in base64 under a mark."""
    match value:
        case Mapping():
            return {str(key): plain(each) for key, each in value.items()}
        case list() | tuple():
            return [plain(each) for each in value]
        case set() | frozenset():
            return sorted(map(plain, value), key=str)
    return _scalar(value)


def _scalar(value: Any) -> Any:
    match value:
        case date():
            return value.isoformat()
        case bytes():
            return {"base64": base64.b64encode(value).decode()}
        case float() if not math.isfinite(value):
            return str(value)
    return value


def shown(value: Any, redactor: Redactor) -> Any:
    """Return an answer with every known secret masked in its texts.

    Numbers stay: those of a state have been looked at, and a run's number that
    happens to be somebody's PIN is still that run's number.
    """
    if isinstance(value, str):
        return redactor.text(value)
    if isinstance(value, Mapping):
        return {
            redactor.text(key): each if key in NAMES else shown(each, redactor)
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [shown(each, redactor) for each in value]
    return value
