"""What BMON knows of its sensors and of its site, and what that comes to here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

from ingestd.bmon.importing.tables import BUILDINGS, SENSORS, UNITS, Export, Row, printable
from ingestd.bmon.importing.transforms import Linear, makes_rate, read_transform
from ingestd.errors import StateError
from ingestd.plugins._bmonrules import alike
from ingestd.plugins._limits import is_name, is_word
from ingestd.records import yamlvalues

RAW: Final = ("bmon", "raw")  # the tag of readings that BMON would have transformed, and we do not
RATE: Final = "makes a rate of counts, which is better taken in queries"
NOT_LINEAR: Final = "is no scale and offset"
UNTOUCHED: Final = f"its readings are stored as they come, with the tag {'='.join(RAW)}"


@dataclass(frozen=True, slots=True)
class Sensor:
    """One sensor, or a value that BMON calculates.

    Attributes:
        name: Its id, which is the name of its series.
        title: For people.
        unit: Of what BMON stores.
        transform: What BMON does with a value before it stores it, or None if that is
            more than a scale and an offset.
        notes: What a person should look at.
    """

    name: str
    title: str
    unit: str
    transform: Linear | None
    notes: tuple[str, ...] = ()

    @property
    def description(self) -> dict[str, Any]:
        """The options of its entry in the catalogue."""
        if self.transform is None:  # the unit is that of other values
            return {"tags": dict([RAW])}
        found: dict[str, Any] = {"unit": self.unit} if self.unit else {}
        if self.transform.scale != 1:
            found["scale"] = self.transform.scale
        if self.transform.offset:
            found["offset"] = self.transform.offset
        return found


def sensors(export: Export) -> list[Sensor]:
    """Return the sensors of an export, in the order of their ids."""
    units = {str(row.get("id")): _line(row.get("label")) for row in export[UNITS]}
    rows = sorted(export[SENSORS], key=lambda row: str(row.get("sensor_id")))
    return [_sensor(row, units) for row in rows]


def sensor_notes(export: Export) -> list[str]:
    """Return what is to be said of the sensors as a whole."""
    names = [row.get("sensor_id") for row in export[SENSORS]]
    notes = [
        f"sensor {name!r:.80}: cannot stand in a configuration as it is: left out"
        for name in names
        if not nameable(name)
    ]
    return [*notes, *alike({name for name in names if isinstance(name, str)})]


def nameable(name: Any) -> bool:
    """Say whether an id can be the key of a series, and means that one only."""
    return is_name(name) and not any(character in name for character in "*?[$")


def zones(export: Export) -> list[str]:
    """Return the time zones of the buildings, each once."""
    found = [_line(row.get("timezone")) for row in export[BUILDINGS]]
    return sorted({zone for zone in found if zone})


def _sensor(row: Row, units: Mapping[str, str]) -> Sensor:
    name, notes = str(row.get("sensor_id")), []
    unit = units.get(str(row.get("unit_id", row.get("unit"))), "")
    function = str(row.get("tran_calc_function") or "").strip()
    shown = " ".join(function.split())
    transform: Linear | None = Linear()
    if row.get("is_calculated"):
        text = "is calculated by BMON: nothing gives it readings here"
        notes.append(f"{text} ({shown})" if shown else text)
    elif function:
        transform = _transform(row, function)
        if transform is None:
            what = RATE if makes_rate(function) else NOT_LINEAR
            notes.append(f"its transform {shown!r} {what}: {UNTOUCHED}")
    return Sensor(name, _line(row.get("title")), unit, transform, tuple(notes))


def _transform(row: Row, function: str) -> Linear | None:
    parameters = _parameters(str(row.get("function_parameters") or ""))
    return None if parameters is None else read_transform(function, parameters)


def _parameters(text: str) -> Mapping[str, Any] | None:
    """Return the parameters of a function: YAML, or ``name=value, ...`` of older versions."""
    try:
        found = yamlvalues.loads(text, where="function_parameters")
        if isinstance(found, str) and "=" in found:
            pairs = (each.partition("=") for each in found.split(","))
            found = {name.strip(): yaml.safe_load(value) for name, _, value in pairs}
    except (StateError, yaml.YAMLError):
        return None
    if found is None:
        return {}
    return found if isinstance(found, dict) else None


def _line(text: Any) -> str:
    """Return a text as it can stand in one line, empty if it cannot."""
    found = printable(text)
    return found if is_word(found) else ""


def each_note(found: Sequence[Sensor]) -> list[str]:
    """Return what is to be said of each sensor."""
    return [f"sensor {each.name}: {note}" for each in found for note in each.notes]
