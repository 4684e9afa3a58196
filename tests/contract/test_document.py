"""What a plugin gives under ``result``: a JSON document, and no state."""

import math
from typing import Any

import pytest

from ingestd.contract.jsonable import LARGEST_DOCUMENT
from ingestd.contract.result import take_apart
from ingestd.errors import ResultError


def test_a_document_is_no_state() -> None:
    """It is kept as JSON, apart from what the next run gets."""
    taken = take_apart({"result": {"a": [1, 2.5, None, True, "ü"], "b": (1,)}, "n": 1})

    assert taken.document == '{"a": [1, 2.5, null, true, "\\u00fc"], "b": [1]}'
    assert taken.state == {"n": 1}
    assert not take_apart({"result": 1}).remembers


def test_no_document_is_none() -> None:
    """A plugin that gives None gives nothing."""
    assert take_apart({"result": None}).document is None
    assert take_apart({}).document is None


def test_plugins_of_hosts_keep_it_as_state() -> None:
    """They were written before the key had a meaning."""
    taken = take_apart({"result": {1: b"x"}}, hosted=True)

    assert (taken.document, taken.state) == (None, {"result": {1: b"x"}})


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (b"x", "result: cannot be kept: expected text, numbers, lists or dicts"),
        ({"a": {"b": math.inf}}, "result.a.b: cannot be kept: expected a finite number"),
        ([0, [math.nan]], "result[1][0]: cannot be kept: expected a finite number"),
        ({1: 2}, "result: cannot be kept: expected text as a key, got 1"),
        ({"a": {1, 2}}, "result.a: cannot be kept"),
        ({"a": object()}, "result.a: cannot be kept"),
        pytest.param(10**5000, "result: cannot be kept", id="digits"),
        pytest.param(
            "x" * LARGEST_DOCUMENT,
            "expected at most 1,048,576 bytes of JSON, got 1,048,578",
            id="large",
        ),
    ],
)
def test_what_json_cannot_hold_is_refused(document: Any, problem: str) -> None:
    """The message says where it stands."""
    with pytest.raises(ResultError) as caught:
        take_apart({"result": document})

    assert problem in str(caught.value)
