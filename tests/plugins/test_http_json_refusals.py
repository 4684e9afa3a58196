"""Answers with status 200 that say in the document that something went wrong."""

from typing import Any

import pytest

from ingestd.plugins._answers import AnswerError
from ingestd.plugins.http_json import check
from tests.support.jsonsource import PLAIN, answers

GOOD: dict[str, Any] = {"data": [{"id": "a", "t": 1, "v": 2}]}
GRAPHQL: dict[str, Any] = {"records": "data.meters", "time": "t", "series": "{id}", "value": "v"}


@pytest.mark.parametrize(
    ("error", "document", "told"),
    [
        ("error", {"error": "no such station", "data": []}, "'no such station'"),
        ("Head.Reason", {"Head": {"Reason": "16 days at most"}, **GOOD}, "'16 days at most'"),
        ("code", {"code": 255, **GOOD}, "'255'"),
        ("errors[0].message", {"errors": [{"message": "bad token"}]}, "'bad token'"),
        ("error", {"error": {"id": 202}}, "\"{'id': 202}\""),
    ],
)
@pytest.mark.parametrize("paging", [None, {"type": "page", "param": "page"}])
async def test_a_run_fails_with_what_its_source_says(
    error: str, document: Any, told: str, paging: Any
) -> None:
    """Whatever else is in the answer."""
    with pytest.raises(AnswerError, match=r"page 1: expected records, got the error ") as raised:
        await answers(document, **PLAIN, error=error, paging=paging)

    assert str(raised.value).endswith(told)


@pytest.mark.parametrize("none", [None, "", 0, False, [], {}])
async def test_an_empty_error_is_none(none: Any) -> None:
    """Sources have the key in every answer."""
    (result,) = await answers({**GOOD, "error": none}, **PLAIN, error="error")

    assert result["readings"] == [(1, "a", 2)]


async def test_an_error_that_only_says_that_there_is_nothing_can_be_left_out() -> None:
    """By what it says."""
    error = "error && !contains(error.message, 'No data') && error.message"
    options = {**PLAIN, "records": "data || `[]`", "error": error}

    (nothing,) = await answers({"error": {"message": "No data was found."}}, **options)
    (some,) = await answers(GOOD, **options)
    with pytest.raises(AnswerError, match="got the error 'Wrong station'"):
        await answers({"error": {"message": "Wrong station"}}, **options)

    assert (nothing["readings"], some["readings"]) == ([], [(1, "a", 2)])


@pytest.mark.parametrize(
    "document",
    [
        {"errors": [{"message": "invalid token"}], "data": None},
        {"data": None, "errors": [{"message": "invalid token"}]},
        {"errors": [{"message": "invalid token"}]},
    ],
)
async def test_null_beside_errors_is_not_nothing(document: Any) -> None:
    """As GraphQL answers; it was a run that is well and has nothing to tell."""
    with pytest.raises(AnswerError, match=r"errors is .*invalid token"):
        await answers(document, **GRAPHQL)


async def test_null_without_errors_is_nothing() -> None:
    """An empty list of them says so, too."""
    assert await answers({"data": None, "errors": []}, **GRAPHQL) == [{"readings": []}]


async def test_a_document_without_records_is_told_with_what_it_says() -> None:
    """The keys alone would not help."""
    with pytest.raises(AnswerError, match=r"beside it are error; error is .*API not enabled"):
        await answers({"error": {"id": 202, "description": "API not enabled"}}, **PLAIN)


def test_a_path_to_errors_is_checked() -> None:
    """Like any other."""
    (problem,) = check(url="http://h/", **PLAIN, error="errors[")

    assert problem.startswith("error: expected JMESPath, got 'errors['")
