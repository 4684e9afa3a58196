"""In which unit BMON has stored readings, and what brings them into that of the catalogue.

BMON transforms a value before it stores it; the catalogue does so with what is read
now. Where both do the same, what BMON has stored is already what it should be.
"""

import dataclasses
from collections.abc import Iterable, Mapping

from ingestd.bmon.importing import RAW, Linear, Sensor
from ingestd.config import Catalogue, SeriesDescription


def unclear(
    names: Iterable[str], catalogue: Catalogue, sensors: Mapping[str, Sensor] | None
) -> list[str]:
    """Return the sensors of which nobody can say whether the catalogue's scale is to be applied.

    Args:
        names: Of sensors.
        catalogue: What becomes of their readings now.
        sensors: What BMON knows of them, or None if that is not at hand.
    """
    return [name for name in names if _factors(name, catalogue.describe(name), sensors) is None]


def catalogued(
    name: str, catalogue: Catalogue, sensors: Mapping[str, Sensor] | None
) -> SeriesDescription:
    """Return what becomes of what BMON has stored of a sensor, unless that is unclear."""
    said = catalogue.describe(name)
    return _described(said, _factors(name, said, sensors) or Linear())


def as_stored(name: str, catalogue: Catalogue) -> SeriesDescription:
    """Return what becomes of readings that are in the unit of the catalogue already."""
    return _described(catalogue.describe(name), Linear())


def _described(said: SeriesDescription, factors: Linear) -> SeriesDescription:
    tag, raw = RAW
    return dataclasses.replace(
        said,
        scale=factors.scale,
        offset=factors.offset,
        # That is for what BMON would have transformed, and here it has.
        tags={key: text for key, text in said.tags.items() if (key, text) != (tag, raw)},
    )


def _factors(
    name: str, said: SeriesDescription, sensors: Mapping[str, Sensor] | None
) -> Linear | None:
    now = Linear(said.scale, said.offset)
    if RAW in said.tags.items():
        return Linear()
    if sensors is None:
        return Linear() if now.plain else None
    sensor = sensors.get(name)
    before = Linear() if sensor is None else sensor.transform
    if before is None:
        return Linear() if now.plain else None
    if before == now:
        return Linear()
    scale = now.scale / before.scale
    return Linear(scale, now.offset - scale * before.offset)
