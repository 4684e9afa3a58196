"""What ``files`` says of params, and which files they mean."""

import os
from pathlib import Path
from typing import Any

import pytest

from ingestd.plugins import files
from ingestd.plugins.files.patterns import patterns_of

GOOD: dict[str, Any] = {"path": "/data/*.csv", "time": "time", "values": {"kwh": "kwh"}}


def test_good_params_are_good() -> None:
    """Whether or not there are such files."""
    for params in ({}, {"move_to": "/read"}, {"move_to": "/data/read"}):
        (note,) = files.check(**GOOD, **params, **({"after": "move"} if params else {}))
        assert note.startswith("note: ")


def test_the_files_that_there_are_are_told(tmp_path: Path) -> None:
    """The newest first; and that a folder is not there, which may be mounted later."""
    for number in range(5):
        path = tmp_path / f"{number}.csv"
        path.touch()
        os.utime(path, (number, number))
    (tmp_path / "6.csv.part").touch()
    params = {**GOOD, "path": [f"{tmp_path}/*.csv", f"{tmp_path}/none/*"]}

    names = ", ".join(f"{tmp_path}/{number}.csv" for number in (4, 3, 2))
    missing = f"{tmp_path}/none: expected a folder that is there, got none"
    assert files.check(**params) == [f"note: 5 files, the newest first: {names}; {missing}"]


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"path": "data/*.csv"}, "path: expected a path such as /data/*.csv, got 'data/*.csv'"),
        ({"path": []}, "path: expected at least one, got none"),
        ({"path": ["/a", 5]}, "path[1]: expected a path such as /data/*.csv, got 5"),
        ({"path": "/a/**"}, "path: expected the name of a file at the end, and no .., got '/a/**'"),
        ({"path": "/{a}/{a}"}, "path: expected another name for each wildcard, got '/{a}/{a}'"),
        ({"after": "burn"}, "after: expected keep or delete or move, got 'burn'"),
        ({"after": "move"}, "move_to: expected a folder beside `after: move`, and only there"),
        ({"move_to": "/x"}, "move_to: expected a folder beside `after: move`, and only there"),
        (
            {"after": "move", "move_to": "x"},
            "move_to: expected a path such as /data/read, got 'x'",
        ),
        (
            {"after": "move", "move_to": "/data"},
            "move_to: expected a folder outside of /data/*.csv, got /data",
        ),
        (
            {"path": "/data/**/*.csv", "after": "move", "move_to": "/data/read"},
            "move_to: expected a folder outside of /data/**/*.csv, got /data/read",
        ),
        (
            {"follow": True, "after": "delete"},
            "after: expected keep with `follow`, as lines may still be added",
        ),
        (
            {"follow": True, "format": "xml"},
            "follow: expected format csv, influx, ndjson, got 'xml'",
        ),
        ({"time": None}, "time: expected where the time of a reading is, got nothing"),
        ({"ignore": [5]}, "ignore: expected a list of patterns such as '*.tmp', got [5]"),
        ({"sheet": ""}, "sheet: expected the name of a sheet, got ''"),
        ({"settle": "soon"}, "settle: expected a duration such as 5s, 2m or 1h, got 'soon'"),
        ({"max_bytes": 0}, "max_bytes: expected a whole number of at least 1, got 0"),
        (
            {"timezone": "Mars"},
            "timezone: expected a time zone such as America/Anchorage, got 'Mars'",
        ),
        ({"values": None}, "value, values: expected one of them, `value` with `series`"),
    ],
)
def test_wrong_params_are_told(params: dict[str, Any], problem: str) -> None:
    """Each as the run would."""
    assert problem in files.check(**{**GOOD, **params})


def test_all_that_is_wrong_is_told_at_once() -> None:
    """So that it is mended at once."""
    params: dict[str, Any] = {"path": "x", "after": "burn", "csv": {"skip": -1}, "timezone": "Mars"}
    params |= {"format": "yaml", "max_bytes": 0, "time_format": "%Q", "values": {}}

    names = {each.partition(":")[0] for each in files.check(**{**GOOD, **params})}
    assert {"path", "after", "csv.skip", "timezone", "format", "max_bytes"} <= names
    assert {"time_format", "values"} <= names


def test_a_backfill_of_files_that_are_gone_is_refused() -> None:
    """At once, not after its windows have found nothing."""
    (problem,) = files.check(**GOOD, after="delete", start=5, end=6)

    assert problem.startswith("after: expected keep or move for a backfill")
    assert files.check(**GOOD, after="move", move_to="/read", start=5, end=6) == []


@pytest.mark.parametrize(
    ("pattern", "path", "names"),
    [
        ("/data/*.csv", "/data/a.csv", {}),
        ("/data/*.csv", "/data/x/a.csv", None),
        ("/data/**/*.csv", "/data/a.csv", {}),
        ("/data/**/*.csv", "/data/x/y/a.csv", {}),
        ("/data/**/y/*.csv", "/data/x/y/a.csv", {}),
        ("/data/{site}/m[12]-{meter}.csv", "/data/a b/m1-x-7.csv", {"site": "a b", "meter": "x-7"}),
        ("/data/{site}/m[12]-{meter}.csv", "/data/a/m3-x.csv", None),
        ("/data/{a}_{b}.csv", "/data/x_y_z.csv", {"a": "x", "b": "y_z"}),
        ("/data/log.csv", "/data/log.csv", {}),
        ("/data/log.csv", "/data/log_csv", None),
        ("/data/a+(b).csv", "/data/a+(b).csv", {}),
        ("/*/x", "/y/x", {}),
    ],
)
def test_patterns_match_as_in_a_shell(
    pattern: str, path: str, names: dict[str, str] | None
) -> None:
    """With names for some of what they stand for."""
    (found,) = patterns_of(pattern)

    assert found.matches(Path(path)) == names
