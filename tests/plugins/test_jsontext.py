"""JSON as devices write it."""

import json
from math import inf, isinf, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.plugins._jsontext import read_json

DOCUMENTS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(DOCUMENTS)
def test_json_is_read_as_json(document: Any) -> None:
    """What is JSON means what JSON says, also behind the first value that is none."""
    written = json.dumps(document)

    assert read_json(written.encode()) == document
    assert read_json(f'{{"wrong": nan, "right": {written}}}')["right"] == document


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("nan", nan),
        ("-nan(ind)", nan),
        ("NaN", nan),
        ("Infinity", inf),
        ("-inf", -inf),
        ("1.#QNAN", nan),
        ("+3.5", "+3.5"),
        (".5", ".5"),
        ("ON", "ON"),
        ("", ""),
        ('"a\tb"', "a\tb"),
        ('"C:\\\\nan, {inf}"', "C:\\nan, {inf}"),
    ],
)
def test_what_is_no_json_costs_its_own_value(written: str, found: Any) -> None:
    """It becomes no number or a text, and its neighbours stay what they are."""
    text = f'{{"before": 1, "value": {written}, "list": [{written or 0}, 2], "after": "nan"}}'

    document = read_json(text.encode())

    # As text, because nan is not even itself.
    expected = {"before": 1, "value": found, "list": [found or 0, 2], "after": "nan"}
    assert repr(document) == repr(expected)


@pytest.mark.parametrize("ending", [b"\0", b"\r\n\0\0", b"\0 "])
def test_nul_at_the_end_is_not_looked_at(ending: bytes) -> None:
    """C programs send the byte that ends their texts."""
    assert read_json(b'{"a": 1}' + ending) == {"a": 1}


@pytest.mark.parametrize(
    "written",
    [
        b'{"a": 1,\0 "b": [2, 3]}\0',
        b'{"a": 1, "b": [2, 3]}\0\x13 "rest of a buffer"}',
        b'\xef\xbb\xbf{\xef\xbb\xbf"a": 1, "b": [2, 3]}',
        b'\x1e{"a": 1, "b": [2, 3]}\n',
        '{"a":\u00a01, "b": [2, 3]}'.encode(),
        b'{"a": 1, "b": [2, 3,],}',
        b"{'a': 1, 'b': [2, 3]}",
        b"{a: 1, b: [2, 3]}",
        '{"a": 1, "b": [2, 3]}'.encode("utf-16-le"),
        '{"a": 1, "b": [2, 3]}'.encode("utf-16-be"),
    ],
)
def test_what_stands_around_values_costs_none(written: bytes) -> None:
    """Blanks that JSON does not know, marks, buffers, commas behind the last, other quotes."""
    assert read_json(written) == {"a": 1, "b": [2, 3]}


def test_what_python_prints_is_read() -> None:
    """Scripts publish the text of a dict."""
    document = {"a": None, "b": True, "c": [False, nan], "d": 'it\'s "ä"\n\x01\\x41', "e'": "\x7f"}

    assert repr(read_json(str(document))) == repr(document)


@pytest.mark.parametrize("name", ["NULL", "None", "undefined"])
def test_names_of_nothing_are_null(name: str) -> None:
    """Whatever the language calls it; a text of that name stays a text."""
    assert read_json(f'{{"a": {name}, "b": "{name}"}}') == {"a": None, "b": name}


def test_decimal_comma_costs_its_own_value() -> None:
    """What printf writes in other countries is a text for ``decimal``, and no end of the value."""
    written = '{"a": 21,5, "b": -0,25, "c": [1,5], "d": "1,5}", "e": 7,"f": 8}'

    assert read_json(written + "\0") == {
        "a": "21,5",
        "b": "-0,25",
        "c": [1, 5],
        "d": "1,5}",
        "e": 7,
        "f": 8,
    }


def test_values_that_are_missing_in_a_list_keep_the_places_of_others() -> None:
    """Which belongs to which time depends on it."""
    assert read_json("[1, , 3, , ]") == [1, "", 3, ""]
    assert read_json("[, 2]") == ["", 2]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_byte_order_mark_says_the_encoding(encoding: str) -> None:
    """Windows writes it."""
    assert read_json('{"ä": 1}'.encode(encoding)) == {"ä": 1}


def test_number_that_is_too_large_is_infinite() -> None:
    """The daemon refuses an infinite value, and nothing else of the document."""
    found = read_json(b'{"a": 1e400, "b": 2, "c": ' + b"9" * 5000 + b"}")

    assert found["b"] == 2
    assert found["a"] == found["c"] == inf


def test_byte_that_is_no_letter_costs_one_text() -> None:
    """A name in another encoding is no name, and those beside it are."""
    found = read_json(b'{"a": 1, "name": "K\xfcche"}')

    assert found["a"] == 1
    assert not found["name"].isprintable()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"a": 1',
        "[1, 2",
        '{"a" 1}',
        "[1] [2]",
        "[" * 100_000,
        "<html>",
        "nan",
        "PK\3\4\0\0",
        "\x1f\x8b\b\0\0",
        "a\0{}",
    ],
)
def test_what_is_no_document_is_refused(text: str) -> None:
    """Half a document may have lost more than its end shows."""
    with pytest.raises(ValueError):  # noqa: PT011 -- the words are those of a library
        read_json(text)


def test_infinite_numbers_stay_numbers() -> None:
    """They are refused as such, and not as texts."""
    assert isinf(read_json(b"[1e999, nan]")[0])
