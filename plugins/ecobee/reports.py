"""Reports, which are lists of lines of commas, and what they hold."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any, Final

from ingestd.plugins._params import time_zone
from ingestd.plugins._times import Bounds, NoTime, instant, notation, settle

# A time that no clock has shown is handed on, because the daemon counts it.
Reading = tuple[float | NoTime, str, str]

LOCAL: Final = notation("iso")  # no zone is told with it

# The columns of a report that are numbers, and their units.
COLUMNS: Final = {
    "auxHeat1": "seconds",
    "auxHeat2": "seconds",
    "auxHeat3": "seconds",
    "compCool1": "seconds",
    "compCool2": "seconds",
    "compHeat1": "seconds",
    "compHeat2": "seconds",
    "dehumidifier": "seconds",
    "dmOffset": "fahrenheit",
    "economizer": "seconds",
    "fan": "seconds",
    "humidifier": "seconds",
    "outdoorHumidity": "percent",
    "outdoorTemp": "fahrenheit",
    "sky": "code",
    "ventilator": "seconds",
    "wind": "kmh",
    "zoneAveTemp": "fahrenheit",
    "zoneCoolTemp": "fahrenheit",
    "zoneHeatTemp": "fahrenheit",
    "zoneHumidity": "percent",
    "zoneHumidityHigh": "percent",
    "zoneHumidityLow": "percent",
    "zoneOccupancy": "occupied",
}
# What the vendor adds from elsewhere: it is there while a thermostat is not.
WEATHER: Final = frozenset({"outdoorHumidity", "outdoorTemp", "sky", "wind"})
SENSOR_UNITS: Final = {
    "co2": "ppm",
    "ctclamp": "wh",
    "dryContact": "closed",
    "humidity": "percent",
    "occupancy": "occupied",
    "plug": "wh",
    "pulsedElectricityMeter": "wh",
    "temperature": "fahrenheit",
}


@dataclass(frozen=True, slots=True)
class Report:
    """What a report holds.

    Attributes:
        readings: In the order of their times.
        newest: The latest time that the thermostat itself has reported, in Unix seconds, or None.
        names: Series of a sensor -> what people call it.
    """

    readings: Sequence[Reading]
    newest: float | None
    names: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a report; its time is in Unix seconds, or says why there is none."""

    time: float | NoTime
    cells: Mapping[str, str]


def known_columns(wanted: Sequence[str]) -> Sequence[str]:
    """Return the columns to read.

    Raises:
        ValueError: One is unknown, or holds words.
    """
    if isinstance(wanted, str) or not wanted or not set(wanted) <= set(COLUMNS):
        raise ValueError(f"columns: expected a list of {', '.join(COLUMNS)}, got {wanted!r}")
    return wanted


def clock_of(location: Mapping[str, Any], identifier: str, *, now: datetime) -> tzinfo:
    """Return the zone whose time a thermostat shows.

    Raises:
        ValueError: The vendor does not tell.
    """
    zone = time_zone(location.get("timeZone"), f"thermostat {identifier}")
    if location.get("isDaylightSaving") is not False:
        return zone
    local = now.astimezone(zone)
    return timezone((local.utcoffset() or timedelta()) - (local.dst() or timedelta()))


def report_of(
    document: Mapping[str, Any],
    identifier: str,
    *,
    columns: Sequence[str],
    zone: tzinfo,
    begin: float,
) -> Report:
    """Take a report apart.

    Args:
        document: As it came.
        identifier: Of the thermostat.
        columns: What was asked for, in that order.
        zone: Whose time the thermostat shows.
        begin: What was asked for begins here, in Unix seconds.
    """
    own = [name for name in columns if name not in WEATHER] or list(columns)
    main = part(document, "reportList", identifier)
    lines = rows(main.get("rowList"), columns, zone=zone, begin=begin)
    reported = times(row for row in lines if any(row.cells.get(name) for name in own))
    named = {name: f"{identifier}_{name}_{COLUMNS[name]}" for name in columns}
    found = list(readings(lines, named))
    beside = part(document, "sensorList", identifier)
    of_sensors, names = sensor_series(beside.get("sensors"), identifier)
    given = beside.get("columns")
    titles = [str(each) for each in given[2:]] if isinstance(given, list) else []
    lines = rows(beside.get("data"), titles, zone=zone, begin=begin)
    reported += times(row for row in lines if any(row.cells.values()))
    found += readings(lines, of_sensors)
    return Report(found, max(reported, default=None), names)


def times(lines: Iterable[Row]) -> list[float]:
    """Return the times that lines have."""
    return [row.time for row in lines if not isinstance(row.time, NoTime)]


def part(document: Mapping[str, Any], name: str, identifier: str) -> Mapping[str, Any]:
    """Return what a document has of a thermostat in one of its lists."""
    listed = document.get(name)
    for each in listed if isinstance(listed, list) else ():
        if isinstance(each, dict) and str(each.get("thermostatIdentifier")) == identifier:
            return each
    return {}


def rows(lines: Any, columns: Sequence[str], *, zone: tzinfo, begin: float) -> list[Row]:
    """Return the lines of a report: a date, a time, and a cell for each column.

    What is empty has not been reported, or not yet.
    """
    split = [str(line).split(",") for line in (lines if isinstance(lines, list) else ())]
    found = [(time, each[2:]) for each in split if (time := shown_time(each[:2])) is not None]
    shown = [instant(time, zone) for time, _ in found]
    settled = settle(shown, [None] * len(shown), bounds=Bounds(after=begin))
    return [
        Row(time, {name: cell.strip() for name, cell in zip(columns, cells, strict=False)})
        for time, (_, cells) in zip(settled, found, strict=True)
    ]


def shown_time(cells: Sequence[str]) -> datetime | None:
    """Return the time that a thermostat's clock showed, or None."""
    found = LOCAL.read(" ".join(cells))
    return found if isinstance(found, datetime) else None


def readings(lines: Sequence[Row], series: Mapping[str, str]) -> Iterator[Reading]:
    """Yield a reading for each cell that has something in it."""
    for row in lines:
        for name, cell in row.cells.items():
            if cell and name in series:
                yield row.time, series[name], cell


def sensor_series(sensors: Any, identifier: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return the series of each sensor, by its column; and what people call each series."""
    series: dict[str, str] = {}
    names: dict[str, str] = {}
    for each in sensors if isinstance(sensors, list) else ():
        if not isinstance(each, dict) or not each.get("sensorId"):
            continue
        column, kind = str(each["sensorId"]), str(each.get("sensorType"))
        word = re.sub(r"\W+", "_", column)
        series[column] = f"{identifier}_{word}_{SENSOR_UNITS.get(kind, kind)}"
        names[series[column]] = str(each.get("sensorName"))
    return series, names
