"""What BMON knows of sensors becomes entries of the catalogue, or is told."""

from pathlib import Path
from typing import Any

import pytest

from ingestd.bmon.importing.config import written
from ingestd.bmon.importing.sensors import Sensor, nameable, sensor_notes, sensors, zones
from ingestd.bmon.importing.tables import Export
from ingestd.config import SeriesDescription
from ingestd.config import file as configfile
from ingestd.hosts import HOSTS
from tests.support.bmonexport import sensor_row, site

RAW = {"bmon": "raw"}


def one(**changes: Any) -> Sensor:
    """Return what one row of the table means."""
    (found,) = sensors(site(sensor_row(**changes)))
    return found


@pytest.mark.parametrize(
    ("changes", "description"),
    [
        ({}, {"unit": "deg F"}),
        ({"unit_id": 99}, {}),
        (
            {"tran_calc_function": "val * 1.8 + 32"},
            {"unit": "deg F", "scale": 1.8, "offset": 32.0},
        ),
        (
            {"tran_calc_function": "linear", "function_parameters": "slope: 2\noffset: 1"},
            {"unit": "deg F", "scale": 2.0, "offset": 1.0},
        ),
        (
            {"tran_calc_function": "linear", "function_parameters": "slope=2.5, offset=-1"},
            {"unit": "deg F", "scale": 2.5, "offset": -1.0},
        ),
        ({"tran_calc_function": "linear", "function_parameters": "{"}, {"tags": RAW}),
        ({"tran_calc_function": "linear", "function_parameters": "[1]"}, {"tags": RAW}),
        ({"tran_calc_function": "rate * 3600"}, {"tags": RAW}),
        ({"tran_calc_function": "val ** 2"}, {"tags": RAW}),
        ({"tran_calc_function": "runtime", "is_calculated": 1}, {"unit": "deg F"}),
    ],
)
def test_a_sensor_becomes_an_entry(changes: dict[str, Any], description: dict[str, Any]) -> None:
    """What cannot be transformed here is kept apart from what BMON has transformed."""
    assert one(**changes).description == description


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"tran_calc_function": "rate * 3600"}, "'rate * 3600' makes a rate of counts"),
        ({"tran_calc_function": "val ** 2"}, "'val ** 2' is no scale and offset"),
        ({"tran_calc_function": "runtime", "is_calculated": True}, "by BMON: nothing gives"),
    ],
)
def test_what_a_person_must_do_is_told(changes: dict[str, Any], part: str) -> None:
    """Nothing is left out in silence."""
    (note,) = one(**changes).notes

    assert part in note


def test_ids_that_cannot_be_written_are_told() -> None:
    """A pattern would describe other series, too."""
    rows = [sensor_row(sensor_id=name) for name in ("a*", "b", "B", "", "c$", "d\n")]
    export = site(*rows)

    assert [each.name for each in sensors(export) if nameable(each.name)] == ["B", "b"]
    assert [note.partition(":")[0] for note in sensor_notes(export)] == [
        "sensor 'a*'", "sensor ''", "sensor 'c$'", "sensor 'd\\n'",
        "B and b differ only in case",
    ]  # fmt: skip


def test_an_export_by_dumpdata_names_the_unit_otherwise() -> None:
    """Django leaves the ``_id`` out there."""
    row = sensor_row()
    row["unit"] = row.pop("unit_id")
    (found,) = sensors(site(row))

    assert found.unit == "deg F"


def test_entries_can_be_read(tmp_path: Path) -> None:
    """Titles stand above them; dollars and digits mean themselves."""
    rows = [
        sensor_row(sensor_id="29372", title="Boiler supply", tran_calc_function="val / 10"),
        sensor_row(sensor_id="price", title="a\n\u200bb\ufeff", unit_id=2),
        sensor_row(sensor_id="yes", title="", tran_calc_function="rate"),
    ]
    path = tmp_path / "ingestd.yaml"
    path.write_text(written([], series=sensors(site(*rows))))
    catalogue = configfile.load(path, {}, hosts=HOSTS).catalogue

    assert catalogue.entries == {
        "29372": SeriesDescription(unit="deg F", scale=0.1),
        "price": SeriesDescription(unit="${x}"),
        "yes": SeriesDescription(tags=RAW),
    }
    assert "  # Boiler supply\n" in path.read_text()
    assert "  # a b\n" in path.read_text()


def test_buildings_have_zones() -> None:
    """Each is told once; older versions have none."""
    rows: list[dict[str, Any]] = [
        {"timezone": "US/Alaska"},
        {"timezone": "US/Alaska"},
        {"timezone": None},
        {},
    ]

    assert zones(Export({"building": rows})) == ["US/Alaska"]
    assert zones(Export({})) == []
