"""Values that have their time, or their name, from where they stand in a list."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ingestd.plugins import http_json, mqtt
from ingestd.plugins._shapes import Reading, description_of

TEN = datetime(2026, 7, 1, 10, tzinfo=UTC).timestamp()
STEPS: dict[str, Any] = {"records": "v", "time": "parent.t", "series": "s", "value": "@"}


def read(document: Any, zone: str = "UTC", **options: Any) -> list[Reading]:
    """Return the readings of a document."""
    reader = description_of(options, zone=ZoneInfo(zone)).reader()
    return [*reader.readings(reader.records_of(document))]


def test_columns_have_their_times_from_a_list_around_them() -> None:
    """One list of times serves many series; what is no list of that length is as it is."""
    document = {
        "unix_seconds": [10, 20],
        "site": "a",
        "of": ["one"],
        "types": [{"name": "Solar", "data": [1, None]}, {"name": "Wind", "data": [3, 4]}],
    }

    found = read(
        document,
        records="types",
        layout="columns",
        time="parent.unix_seconds",
        series="{parent.site}_{name}{parent.of[0]}",
        value="data",
    )

    assert found == [
        (10, "a_Solarone", 1),
        (20, "a_Solarone", None),
        (10, "a_Windone", 3),
        (20, "a_Windone", 4),
    ]


def test_records_have_their_times_from_a_list_beside_them() -> None:
    """Also where each of them is a value."""
    document = {"t": [10, 20], "series": {"a": [1, 2], "b": [3, 4]}}

    found = read(document, records="series.{n}", time="parent.parent.t", series="{n}", value="@")

    assert found == [(10, "a", 1), (20, "a", 2), (10, "b", 3), (20, "b", 4)]


def test_times_of_another_number_are_no_times() -> None:
    """Which belongs to which cannot be known."""
    document = {"t": [10, 20, 30], "v": [{"x": [1, 2]}]}

    found = read(document, records="v", layout="columns", time="parent.t", series="s", value="x")

    assert [str(time).startswith("expected an ISO") for time, *_ in found] == [True, True]


def test_fields_say_which_lists_are_columns() -> None:
    """Others beside them are in every record."""
    document = {"v": {"t": [10, 20], "x": [1, 2], "shape": [2], "unit": "C"}}
    options: dict[str, Any] = {"records": "v", "layout": "columns", "fields": ["t", "x"]}

    found = read(document, **options, time="t", series="{unit}{shape[0]}", value="x")

    assert found == [(10, "C2", 1), (20, "C2", 2)]
    with pytest.raises(ValueError, match="expected lists side by side there"):
        read(document, **options | {"fields": ["y"]}, series="s", value="y")
    with pytest.raises(ValueError, match=r"^fields: expected the names of the columns, got 't'"):
        read(document, **options | {"fields": "t"}, series="s", value="t")


def test_the_place_in_a_list_names_a_series() -> None:
    """Counted from 0; a field of that name goes before it, and what is in no list has none."""
    assert read({"v": [5, None, 7]}, records="v", series="probe_{list_index}", value="@") == [
        (None, "probe_0", 5),
        (None, "probe_1", None),
        (None, "probe_2", 7),
    ]
    assert read(
        {"v": {"list_index": 9, "x": 5}}, records="v", series="s{list_index}", value="x"
    ) == [(None, "s9", 5)]
    assert read({"a": {"x": 5}}, records="*", series="s{list_index}", value="x") == [(None, "", 5)]


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ("15m", None),
        ("parent.step", 900),
        ("parent.step", "900"),
        ("parent.step", "PT15M"),
        ("parent.step", "PT0H15M0.0S"),
        ("parent.step", "15m"),
    ],
)
def test_values_at_one_distance_have_times(step: str, told: Any) -> None:
    """The first is at the time that is said, each other one so much later than that before it."""
    document = {"t": "2026-07-01T10:00:00Z", "step": told, "v": [1, None, 3]}

    found = read(document, time_step=step, **STEPS)

    assert found == [(TEN, "s", 1), (TEN + 900, "s", None), (TEN + 1800, "s", 3)]


def test_columns_and_rows_may_be_at_one_distance() -> None:
    """As records are."""
    columns = {"t": "2026-07-01T10:00:00Z", "v": [1, 2]}
    rows = {"t": "2026-07-01T10:00:00Z", "v": [["x"], [1], [2]]}
    expected = [(TEN, "s", 1), (TEN + 60, "s", 2)]

    found = read(columns, layout="columns", time="t", time_step="1m", series="s", value="v")
    assert found == expected
    assert read(rows, layout="rows", time_step="1m", **STEPS | {"value": "x"}) == expected


def test_hours_of_a_day_on_which_clocks_change() -> None:
    """A day has as many hours as there are values; none comes twice."""
    found = read(
        {"2026-10-25": [*range(25)]},
        "Europe/Berlin",
        records="{day}",
        time="{day}",
        time_step="1h",
        series="s",
        value="@",
    )

    first = datetime(2026, 10, 24, 22, tzinfo=UTC).timestamp()
    assert [time - first for time, *_ in found] == [hour * 3600.0 for hour in range(25)]


@pytest.mark.parametrize("told", [None, "P1D", "x", True, {"s": 1}])
def test_distance_that_is_none_costs_its_readings(told: Any) -> None:
    """Days are not all of one length."""
    found = read({"t": 10, "step": told, "v": [1]}, time_step="parent.step", **STEPS)

    assert str(found[0][0]).startswith("time_step: expected seconds, or such as 15m or PT15M, got")


def test_what_is_in_no_list_has_no_distance() -> None:
    """The option is wrong then."""
    found = read(
        {"t": 10, "v": {"a": 1}},
        **STEPS | {"records": "v.*", "time": "parent.parent.t"},
        time_step="15m",
    )

    assert "expected records in a list" in str(found[0][0])


@pytest.mark.parametrize(
    ("check", "where"),
    [
        (http_json.check, {"url": "http://h/"}),
        (mqtt.check, {"url": "mqtt://h", "topics": ["a/b"]}),
    ],
)
@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"time_step": "15m"}, "time_step: expected `time` beside it, to know what it is added to"),
        (
            {"time": "t", "time_step": "15m", "time_plus": "x"},
            "time_plus, time_step: expected one of them, got both",
        ),
        (
            {"time": "t", "time_step": 900},
            "time_step: expected a duration such as 5s, 2m or 1h, got 900",
        ),
        (
            {"time": "t", "time_step": "15 min"},
            "time_step: expected a duration such as 5s, 2m or 1h, got '15 min'",
        ),
    ],
)
def test_distance_that_cannot_be_is_told(
    check: Any, where: dict[str, Any], options: dict[str, Any], problem: str
) -> None:
    """Once, and by every plugin alike."""
    assert check(**where, series="s", value="v", **options) == [problem]
