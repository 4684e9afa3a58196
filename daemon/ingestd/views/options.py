"""What an operator wrote of a collector, with where it stands and without its secrets."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from ingestd.config import CollectorConfig, CronExpression, format_duration
from ingestd.redaction import MASK, Redactor

DURATIONS: Final = frozenset(
    {"every", "offset", "jitter", "timeout", "revisit", "revisit_full", "cadence", "not_after"}
)


def options_json(config: CollectorConfig, redactor: Redactor) -> list[dict[str, str]]:
    """Return every option that was written, as text; each param is one of its own.

    Options of the daemon that stand for those of a collector are not among them.
    """
    shown = redactor.value(_values(config), owner=config.name)
    return [
        {"option": path, "value": _text(shown[path], path), "where": where}
        for path, where in config.places.items()
        if path in shown
    ]


def _values(config: CollectorConfig) -> dict[str, Any]:
    """Return the values by the dotted paths that they were written under."""
    found: dict[str, Any] = {}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            value = {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
        if field.name in {"http", "params", "settings", "targets", "tags"}:
            found |= {f"{field.name}.{name}": each for name, each in value.items()}
        else:
            found[field.name] = value
    return found


def _text(value: Any, path: str) -> str:
    if value == MASK:
        return MASK
    if path in DURATIONS and isinstance(value, float | int):
        return format_duration(value)
    if isinstance(value, str | CronExpression):
        return str(value.text if isinstance(value, CronExpression) else value)
    if isinstance(value, bool | int | float) or value is None:
        return json.dumps(value)
    return str(value) if isinstance(value, ZoneInfo | Path) else _container(value)


def _container(value: Any) -> str:
    if isinstance(value, frozenset | set):
        value = sorted(value, key=str)
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)
