"""Texts with fields that a plugin knows."""

import pytest

from ingestd.plugins._problems import Problems
from ingestd.plugins._templates import tag_templates, template

KNOWN = {"id", "unit"}


def test_fields_are_filled() -> None:
    """What is not in braces stays as it is."""
    found = template("m_{id}_{unit}_{id}", where="series", known=KNOWN, example="{id}")

    assert found.fill({"id": "7", "unit": "kWh"}) == "m_7_kWh_7"
    assert found.fields == {"id", "unit"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "series: expected a text such as 'm_{id}'"),
        (7, "series: expected a text such as 'm_{id}'"),
        ("{idd}", "series: expected fields among id, unit, got 'idd'"),
        ("{id", "series: expected pairs of braces"),
    ],
)
def test_what_cannot_be_filled_is_refused(text: object, problem: str) -> None:
    """With the option, and what would do."""
    with pytest.raises(ValueError, match="^" + problem.replace("{", r"\{")):
        template(text, where="series", known=KNOWN, example="m_{id}")


def test_all_tags_that_cannot_be_filled_are_told() -> None:
    """Each by its name."""
    with pytest.raises(Problems) as refused:
        tag_templates({"a": "{x}", "b": "{id}", "c": "{y}"}, known=KNOWN, example="{id}")

    assert [each.partition(":")[0] for each in refused.value.problems] == ["tags.a", "tags.c"]
