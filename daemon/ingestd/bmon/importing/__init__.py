"""Takes over what a BMON installation has set up."""

from ingestd.bmon.importing.config import Entry, params_stay, written
from ingestd.bmon.importing.export import Setup, setups
from ingestd.bmon.importing.sensors import (
    RAW,
    Sensor,
    each_note,
    nameable,
    sensor_notes,
    sensors,
    zones,
)
from ingestd.bmon.importing.tables import BUILDINGS, SCRIPTS, SENSORS, Export, dumped, stored
from ingestd.bmon.importing.transforms import Linear

__all__ = [
    "BUILDINGS",
    "RAW",
    "SCRIPTS",
    "SENSORS",
    "Entry",
    "Export",
    "Linear",
    "Sensor",
    "Setup",
    "dumped",
    "each_note",
    "nameable",
    "params_stay",
    "sensor_notes",
    "sensors",
    "setups",
    "stored",
    "written",
    "zones",
]
