"""The API's JSON, made of what the daemon's parts hold."""

import base64
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from fnmatch import fnmatchcase
from typing import Any

from ingestd.catalogue import Catalogue
from ingestd.config import CollectorConfig
from ingestd.contract import Memory
from ingestd.model import MICROSECONDS, StoredPoint
from ingestd.secrets import Redactor
from ingestd.units import format_duration


def schedule_text(config: CollectorConfig) -> str:
    """Return a collector's schedule as it is written."""
    if config.every is not None:
        return f"every {format_duration(config.every)}"
    return f"cron {config.cron}" if config.cron is not None else "stream"


def state_json(collector: str, memory: Memory, redactor: Redactor) -> dict[str, Any]:
    """Return a memory for a listing: what is hidden is only counted."""
    return {
        "collector": collector,
        "state": plain(redactor.value(memory.state)),
        "masks": sorted(memory.masks),
        "hidden": {"keys": len(memory.hidden)},
    }


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
        case date() | datetime():
            return value.isoformat()
        case bytes():
            return {"base64": base64.b64encode(value).decode()}
        case Mapping():
            return {str(key): plain(each) for key, each in value.items()}
        case list() | tuple():
            return [plain(each) for each in value]
        case set() | frozenset():
            return sorted(map(plain, value), key=str)
    return value
