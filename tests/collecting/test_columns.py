"""Many readings at once become the points that each alone would."""

from math import inf, nan
from typing import Any

import pytest

from ingestd.config.catalogue import SeriesDescription
from ingestd.plugins._limits import LATEST
from ingestd.plugins._readings import Readings
from ingestd.plugins._times import NoTime, Twice
from tests.support.readings import NOW, naming, point


@pytest.mark.parametrize(
    "times",
    [
        [n + 0.123456 for n in range(100)],
        [1_700_000_000 + n for n in range(100)],
        [n if n % 2 else n + 0.5 for n in range(100)],
        [1.5] * 100,
        [7] * 100,
        [*range(99), LATEST],
        [*range(99), -LATEST],
    ],
    ids=["fractions", "whole", "both", "one fraction", "one", "latest", "earliest"],
)
def test_times_of_many_readings_are_those_of_each(times: list[float]) -> None:
    """However they are converted: together if they are few, or one by one."""
    found = naming().sort([(time, "level", 1.0) for time in times], now=NOW)

    assert [us for _, us, _ in found.points] == [point((time, "level", 1))[1] for time in times]
    assert {type(us) for _, us, _ in found.points} == {int}
    assert found.newest_us == round(max(times) * 1e6)


@pytest.mark.parametrize("time", [LATEST + 1, -LATEST - 1, inf, -inf, nan])
@pytest.mark.parametrize("alike", [False, True])
def test_one_time_that_is_none_costs_only_its_reading(time: float, *, alike: bool) -> None:
    """At the end of many that are well."""
    times = [5.0 if alike else float(n) for n in range(100)]
    found = naming().sort([(each, "level", 1.0) for each in [*times, time]], now=NOW)

    assert (len(found.points), found.unusable) == (100, {"time": 1})


def test_values_of_many_readings_are_floats() -> None:
    """Whole numbers and fractions may be mixed; a value that is none costs only its reading."""
    good = [(n, "level", n if n % 2 else n + 0.5) for n in range(10)]

    for bad in ([], [(10, "level", inf)], [(10, "level", 10**400)], [(10, "level", "x")]):
        found = naming().sort([*good, *bad], now=NOW)
        assert [value for _, _, value in found.points] == [value for _, _, value in good]
        assert {type(value) for _, _, value in found.points} == {float}
        assert found.unusable.total() == len(bad)


@pytest.mark.parametrize("odd", [[], [(5, "flow", "7")]])
def test_newest_time_of_each_series_is_known(odd: list[Any]) -> None:
    """Those of each in time order, or all in the reverse, on the fast path and on the slow one."""
    rows: list[Any] = [(1, "level", 1), (1, "heat", 1), (3, "level", 2), (2, "heat", 2), *odd]
    by_series = sorted(rows, key=lambda row: str(row[1]))
    by_age = sorted(rows, key=lambda row: int(row[0]))

    for some in (rows, rows[::-1], by_series, by_age, by_age[::-1]):
        found = naming().sort(some, now=NOW)
        newest = {series.name: us // 10**6 for series, us in found.newest.items()}
        assert newest == {"level": 3, "heat": 2, **({"flow": 5} if odd else {})}
        assert found.newest_us == (5_000_000 if odd else 3_000_000)


def test_bounds_are_plausible_themselves() -> None:
    """Only what lies beyond them is refused."""
    said = SeriesDescription(low=-1, high=1)
    values = [-1.0, 1.0, -1.001, 1.001]
    readings = [(at, "level", value) for at, value in enumerate(values)]
    found = naming(level=said).sort(readings, now=NOW)

    assert [value for _, _, value in found.points] == [-1.0, 1.0]
    assert found.unusable == {"out_of_range": 2}


def test_series_is_described_by_the_catalogue_first() -> None:
    """Its measurement, field and unit; the collector has the rest."""
    said = SeriesDescription(field="celsius", unit="C", scale=2)
    series, _, value = naming(heat=said).point((1, "heat", 4), now=NOW)
    plain, _, _ = naming(heat=said).point((1, "level", 4), now=NOW)

    assert (series.measurement, series.field, series.unit, value) == ("power", "celsius", "C", 8.0)
    assert (plain.measurement, plain.field, plain.unit) == ("power", "kw", "")


@pytest.mark.parametrize(
    "odd",
    [
        [],
        [(5, "flow", 7)],
        [(5, "level", inf), (6, "level", "x"), (7, "level", None)],
        [(nan, "level", 1), (NoTime("no time"), "level", 1), (None, "level", True)],
        [(Twice(1_700_000_000.0, 1_700_003_600.0), "level", 1)],
        [(5, "", 1), (5, 7, 1), (5, ["level"], 1)],
        [(5, "level", 10**400), (5.5, "level", 1), (5.5, "level", 2)],
    ],
    ids=str,
)
def test_columns_become_the_points_of_their_readings(odd: list[Any]) -> None:
    """Where all are ordinary and where some are not."""
    rows = [*((n, name, n + 0.5) for n in range(10, 90) for name in ("level", "heat")), *odd]
    columns = Readings(*map(list, zip(*rows, strict=True)))

    found, judge = (naming().sort(readings, now=NOW) for readings in (columns, rows))

    assert [(each.name, us, value) for each, us, value in found.points] == [
        (each.name, us, value) for each, us, value in judge.points
    ]
    assert (found.newest_us, found.samples) == (judge.newest_us, judge.samples)


def test_no_readings_are_no_points() -> None:
    """As a list and as columns."""
    assert naming().sort(Readings([], [], []), now=NOW).points == naming().sort([], now=NOW).points
