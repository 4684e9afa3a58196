"""Readings, as JSON."""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from ingestd.config import Catalogue, CollectorConfig
from ingestd.health import KnownSeries
from ingestd.model import MICROSECONDS, Point, StoredPoint


def latest_json(
    points: Iterable[StoredPoint], catalogue: Catalogue, pattern: str | None
) -> list[dict[str, Any]]:
    """Return what a store has, in the order of the series; those whose name matches a glob."""
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


def point_json(point: Point) -> dict[str, Any]:
    """Return a point that no store has got yet, in the form of those that one has."""
    series, time_us, value = point
    return {
        "series": series.name,
        "tags": dict(series.tags),
        "measurement": series.measurement,
        "field": series.field,
        "time": time_us / MICROSECONDS,
        "value": value,
        "unit": series.unit,
    }


def known_json(
    rows: Iterable[dict[str, Any]],
    known: Iterable[tuple[CollectorConfig, KnownSeries]],
    pattern: str | None,
) -> list[dict[str, Any]]:
    """Return what a store has, with what is known of each series, those in trouble first.

    A series that is late and that the store has nothing of has a row without a value: what
    has died is never left out.

    Args:
        rows: As ``latest_json`` has them.
        known: Every series, with the collector that has given it.
        pattern: A glob that names of series have to match, or None.
    """
    by_key = {(each.key.name, each.key.tags): (config, each) for config, each in known}
    found = []
    for row in rows:
        config, series = by_key.pop(_key_of(row), (None, None))
        found.append({**row, **_standing(config, series)})
    for (name, tags), (config, series) in by_key.items():
        if series.state == "late" and (pattern is None or fnmatchcase(name, pattern)):
            nothing = {"measurement": None, "field": None, "value": None, "unit": ""}
            row = {"series": name, "tags": dict(tags), "time": series.newest, **nothing}
            found.append({**row, **_standing(config, series)})
    return sorted(found, key=_by_trouble)


def _key_of(row: Mapping[str, Any]) -> tuple[str, tuple[tuple[str, str], ...]]:
    return row["series"], tuple(sorted(row["tags"].items()))


def _standing(config: CollectorConfig | None, series: KnownSeries | None) -> dict[str, Any]:
    return {
        "collector": config.name if config else None,
        "plugin": config.plugin if config else None,
        "state": series.state if series else None,
        "silent": series.silent if series else None,
        "every": series.every if series else None,
    }


def _by_trouble(row: Mapping[str, Any]) -> tuple[bool, float, str, str]:
    late = row["state"] == "late"
    return not late, -row["silent"] if late else 0.0, row["series"], str(row["tags"])
