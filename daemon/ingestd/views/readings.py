"""Readings, as JSON."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any

from ingestd.config import Catalogue
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
