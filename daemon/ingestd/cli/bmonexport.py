"""An export of BMON, or its database, as commands are given it; and its site."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from ingestd.bmon.importing import (
    BUILDINGS,
    SCRIPTS,
    SENSORS,
    Export,
    Sensor,
    dumped,
    each_note,
    nameable,
    sensor_notes,
    sensors,
    stored,
    zones,
)
from ingestd.cli.exitcodes import CommandError
from ingestd.config import Config, SeriesDescription
from ingestd.errors import NotPossible
from ingestd.plugins._times import time_zone

SQLITE: Final = b"SQLite format 3\0"
TO_EXPORT: Final = "bmsapp.periodicscript bmsapp.sensor bmsapp.unit bmsapp.building"


class Zone(click.ParamType[str]):
    """An IANA name of a time zone."""

    name = "zone"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """Return the name, if there is such a zone."""
        try:
            time_zone(str(value))
        except ValueError as exc:
            self.fail(f"{exc}, got {value!r}", param, ctx)
        return str(value)


@dataclass(frozen=True, slots=True)
class Site:
    """What an export says besides the scripts.

    Attributes:
        zone: The time zone of the scripts, or None if nobody says it.
        series: The sensors that get an entry in the catalogue.
        notes: What a person should look at.
    """

    zone: str | None
    series: tuple[Sensor, ...]
    notes: tuple[str, ...]


def read_export(file: Path) -> Export:
    """Read an export, or the database itself.

    Raises:
        NotPossible: It is something else.
    """
    try:
        if is_database(file):
            with closing(read_only(file)) as db:
                return stored(db)
        return dumped(json.loads(file.read_bytes()))
    except OSError as exc:
        raise CommandError(f"{file}: cannot be read: {exc.strerror}") from exc
    except (ValueError, RecursionError):
        text = "expected JSON as `manage.py dumpdata bmsapp.periodicscript` writes it, or SQLite"
        raise NotPossible(f"{file}: {text}") from None
    except (NotPossible, sqlite3.Error) as exc:
        raise NotPossible(f"{file}: {exc}") from None


def is_database(file: Path) -> bool:
    """Say whether a file is one of SQLite."""
    with file.open("rb") as opened:
        return opened.read(len(SQLITE)) == SQLITE


def read_only(file: Path) -> sqlite3.Connection:
    """Open a database without writing to it."""
    return sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)


def site_of(export: Export, config: Config, output: Path, zone: str | None) -> Site:
    """Return what becomes of the sensors and the time zone.

    Args:
        export: What BMON says.
        config: What the operator wrote.
        output: The file to be written; what stands in it already is our own.
        zone: What the command says of the time zone.
    """
    notes = [*_missing(export)]
    if zone is None:
        zone, said = _zone(export, config)
        notes += said if export[SCRIPTS] else []
    notes += sensor_notes(export)
    series = []
    for sensor in filter(lambda each: nameable(each.name), sensors(export)):
        if where := _described(sensor.name, config, output):
            notes.append(f"sensor {sensor.name}: is described at {where}: left out")
        elif sensor.description:
            series.append(sensor)
        notes += each_note([sensor])
    return Site(zone, tuple(series), tuple(notes))


def _missing(export: Export) -> Iterator[str]:
    if SENSORS not in export:
        text = "units and transforms are not in it: give the database, or export"
        yield f"sensors, their {text} {TO_EXPORT}"


def _zone(export: Export, config: Config) -> tuple[str | None, list[str]]:
    """Return the zone of all buildings, or None and what to do."""
    found, daemon = zones(export), config.daemon.timezone
    try:
        for each in found:
            time_zone(each)
    except ValueError as exc:
        return None, [f"time zone of a building: {exc}, got {each!r:.40}; {_set_it(config)}"]
    if len(found) == 1:
        return found[0], []
    if found:
        text = f"buildings are in several time zones ({', '.join(found)})"
        return None, [f"{text}: {_set_it(config)}"]
    if daemon is not None:
        return None, []
    silent = "the export does not say (bmsapp.building)"
    what = "no building says" if BUILDINGS in export else silent
    return None, [f"{what} in which time zone the scripts are: {_set_it(config)}"]


def _set_it(config: Config) -> str:
    now = config.daemon.timezone or "the server's zone"
    where = "timezone: of each collector in the file, or import with --timezone"
    return f"set {where}; until then date.today() of scripts is a day in {now}"


def _described(name: str, config: Config, output: Path) -> str:
    """Return where the configuration says something of a series already, or an empty string."""
    catalogue = config.catalogue
    if where := catalogue.places.get(name):
        return "" if Path(where.rpartition(":")[0]) == output else where
    known = catalogue.describe(name) != SeriesDescription()
    return "a pattern of the configuration" if known else ""
