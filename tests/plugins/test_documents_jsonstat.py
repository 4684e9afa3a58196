"""JSON-stat: a record for each cell of a table of many dimensions."""

import json
from typing import Any

import pytest

from ingestd.plugins._documents import DocumentError, format_of

REGIONS: dict[str, Any] = {"category": {"index": {"S": 1, "N": 0}, "label": {"N": "North"}}}
DAYS: dict[str, Any] = {"category": {"index": ["01", "02", "03"]}}
UNIT: dict[str, Any] = {"category": {"label": {"GWh": "Gigawatt hours"}}}
DATASET: dict[str, Any] = {
    "class": "dataset",
    "id": ["unit", "region", "day"],
    "size": [1, 2, 3],
    "dimension": {"region": REGIONS, "day": DAYS, "unit": UNIT},
    "value": [1, 2, 3, 4, None, 6],
}
TOLD = ["N01=1", "N02=2", "N03=3", "S01=4", "S02=None", "S03=6"]


def records(document: Any) -> list[Any]:
    """Return the records of a document."""
    form = format_of("jsonstat", zone=None)
    (found,) = form.documents(json.dumps(document).encode(), most_bytes=10_000)
    return list(found)


def told(document: Any) -> list[str]:
    """Return what the records say."""
    return [f"{each['region']}{each['day']}={each['value']}" for each in records(document)]


@pytest.mark.parametrize(
    "document",
    [
        DATASET,
        {
            "dataset": {
                "dimension": DATASET["dimension"] | {"id": DATASET["id"]},
                "value": DATASET["value"],
            }
        },
        DATASET | {"value": {str(at): each for at, each in enumerate(DATASET["value"])}},
    ],
    ids=["version 2", "version 1", "by place"],
)
def test_cells_are_of_their_categories(document: dict[str, Any]) -> None:
    """Those of the last dimension stand side by side."""
    assert told(document) == TOLD


def test_categories_have_labels() -> None:
    """Where the dataset has none, the id is one; a single category needs no index."""
    first, *_, last = records(DATASET)

    assert first["labels"] == {"unit": "Gigawatt hours", "region": "North", "day": "01"}
    assert (last["unit"], last["labels"]["region"]) == ("GWh", "S")


def test_cells_that_are_left_out_have_no_record() -> None:
    """Tables with many empty cells list the others by their places."""
    assert told(DATASET | {"value": {"4": 5, "0": 1}}) == ["S02=5", "N01=1"]
    assert told(DATASET | {"value": {}}) == []


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        {"error": {"text": "no such table"}},
        DATASET | {"value": [1, 2]},
        DATASET | {"value": {"x": 1}},
        DATASET | {"value": {"6": 1}},
        DATASET | {"value": {"-7": 1}},
        DATASET | {"id": ["unit", "nation", "day"]},
        DATASET | {"id": 5},
        DATASET | {"dimension": {**DATASET["dimension"], "day": {}}},
    ],
)
def test_what_is_no_dataset_is_refused(document: Any) -> None:
    """Which cell a value is of cannot be known."""
    with pytest.raises(
        DocumentError, match=r"^expected (a dataset of JSON-stat|values of 6 cells)"
    ):
        records(document)
