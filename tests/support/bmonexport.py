"""Records of an export of BMON, and what they mean."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from ingestd.bmon.importing.export import Setup, setups
from ingestd.bmon.importing.tables import Export

Tables = Mapping[str, Sequence[Mapping[str, Any]]]

UNITS: Final = (
    {"id": 1, "label": "deg F", "measure_type": "temperature"},
    {"id": 2, "label": "${x}", "measure_type": "price"},
)


def setup(**changes: Any) -> Setup:
    """Return what one record means."""
    (found,) = setups([{"id": 3, "script_file_name": "okofen", "period": 3600, **changes}])
    return found


def sensor_row(**changes: Any) -> dict[str, Any]:
    """Return a row of BMON's table of sensors."""
    return {
        "id": 1,
        "sensor_id": "boiler_temp",
        "title": "Boiler temperature",
        "unit_id": 1,
        "is_calculated": 0,
        "tran_calc_function": "",
        "function_parameters": "",
        **changes,
    }


def site(*rows: Mapping[str, Any]) -> Export:
    """Return an export of sensors with their units."""
    return Export({"sensor": rows, "unit": UNITS})


def as_dump(folder: Path, tables: Tables) -> Path:
    """Write what ``dumpdata`` would."""
    path = folder / "export.json"
    entries = [
        {
            "model": f"bmsapp.{table}",
            "pk": row["id"],
            "fields": {
                ("unit" if name == "unit_id" else name): value
                for name, value in row.items()
                if name != "id"
            },
        }
        for table, rows in tables.items()
        for row in rows
    ]
    path.write_text(json.dumps(entries))
    return path


def as_database(folder: Path, tables: Tables) -> Path:
    """Write a database like BMON's, which only its owner may change."""
    path = folder / "bmon.sqlite"
    with closing(sqlite3.connect(path)) as db:
        for table, rows in tables.items():
            db.execute(f"CREATE TABLE bmsapp_{table} ({', '.join(rows[0])})")
            marks = ", ".join("?" * len(rows[0]))
            for row in rows:
                db.execute(f"INSERT INTO bmsapp_{table} VALUES ({marks})", [*row.values()])
        db.commit()
    path.chmod(0o400)
    return path


def readings_database(path: Path, readings: Mapping[str, Sequence[tuple[Any, Any]]]) -> Path:
    """Write a database of readings like BMON's, with the table of its own that it has."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE [_last_raw] (id varchar(50) primary key, ts integer, val real)")
        db.execute("INSERT INTO [_last_raw] VALUES ('counter', 1, 2)")
        for name, rows in readings.items():
            db.execute(f"CREATE TABLE [{name}] (ts integer primary key, val real)")
            db.executemany(f"INSERT INTO [{name}] (ts, val) VALUES (?, ?)", rows)
        db.commit()
    return path
