"""Readings as a collector with a measurement and a tag of its own names them."""

from typing import Any, Final
from zoneinfo import ZoneInfo

from ingestd.collecting.points import Naming
from ingestd.config.catalogue import Catalogue, SeriesDescription

NOW: Final = 1_700_000_000.0
ALASKA: Final = ZoneInfo("America/Anchorage")


def naming(zone: ZoneInfo | None = None, **series: SeriesDescription) -> Naming:
    """Name readings as a collector with a measurement and a tag of its own would."""
    return Naming(
        measurement="power",
        field="kw",
        tags={"site": "library"},
        catalogue=Catalogue(series),
        zone=zone,
    )


def point(reading: Any, zone: ZoneInfo | None = None) -> tuple[str, int, float]:
    """Return the point of a reading: series, microseconds, value."""
    series, time_us, value = naming(zone).point(reading, now=NOW)
    return series.name, time_us, value
