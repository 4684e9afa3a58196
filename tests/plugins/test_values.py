"""What a source's value means as a number."""

from math import inf, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.collecting import Naming
from ingestd.config import Catalogue
from ingestd.plugins._values import value_reader


@pytest.mark.parametrize(
    ("options", "written", "number"),
    [
        ({}, 21.5, 21.5),
        ({}, 7, 7),
        ({}, True, True),
        ({}, " 21.5 ", 21.5),
        ({}, "+3.5", 3.5),
        ({}, "1e-3", 0.001),
        ({}, ".5", 0.5),
        ({}, "5.", 5.0),
        ({}, "\u22123", -3.0),
        ({"decimal": ","}, "21,5", 21.5),
        ({"decimal": ","}, "1.234,5", 1234.5),
        ({"decimal": ","}, "1.234.567", 1_234_567.0),
        ({"decimal": ","}, "12 345,6", 12_345.6),
        ({"decimal": ","}, "12\u202f345,6", 12_345.6),
        ({"decimal": ","}, "-1'234,5", -1234.5),
        ({"decimal": ","}, ",5", 0.5),
        ({"decimal": "."}, "1,234.5", 1234.5),
        ({"decimal": ","}, 21.5, 21.5),
        ({"units": "°C"}, "21.5 °C", 21.5),
        ({"units": "°C"}, "21.5°C", 21.5),
        ({"units": ["kWh", "%"]}, "50%", 50.0),
        ({"units": {"W": 1, "kW": 1000}}, "1.5 kW", 1500.0),
        ({"units": {"W": 1, "kW": 1000}}, "900 W", 900.0),
        ({"decimal": ",", "units": "kWh"}, "1.234,5 kWh", 1234.5),
        ({}, "ON", 1),
        ({}, "False", 0),
        ({"words": {"Open": 1, "closed": 0, "ajar": 0.5}}, "OPEN", 1),
        ({"words": {"Open": 1, "closed": 0, "ajar": 0.5}}, "ajar ", 0.5),
        ({"words": {True: 2}}, "on", 2),
        ({"words": {"not open": 2}}, "Not\u00a0 OPEN", 2),
        ({"words": {"true": 0, "false": 1}}, True, 0),
        ({"words": {True: 0, False: 1}}, False, 1),
        ({"words": {"open": 5}}, True, True),
        ({"words": {1: 0, 2: 7}}, 2, 7),
        ({"words": {1: 0, 2: 7}}, 2.0, 7),
        ({"words": {"1": 0, 2: 7}}, 1, 0),
        ({"words": {1: 0, 2: 7}}, "1.0", 0),
        ({"words": {1: 0, 2: 7}}, 3, 3),
        ({"words": {1: 0}}, True, True),
        ({"decimal": ".", "units": ["€", "CHF"]}, "€ 1,234.50", 1234.5),
        ({"decimal": ".", "units": ["€", "CHF"]}, "CHF 1'234.50", 1234.5),
        ({"units": {"$": 1, "ct": 0.01}}, "-$5", -5.0),
        ({"units": {"$": 1, "ct": 0.01}}, "$ -5", -5.0),
        ({"decimal": "."}, "12,34,567.5", 1_234_567.5),
        ({"decimal": ","}, "1.234,50-", -1234.5),
        ({"decimal": ".", "units": "kWh"}, "12- kWh", -12.0),
        ({}, "21.5\0", 21.5),
        ({}, "21.5\0\0 19.0", 21.5),
        ({}, "\ufeff21.5", 21.5),
        ({}, "on\0", 1),
        ({}, "2\x001\0.\x005\0", 21.5),
        ({}, "\x002\x001\0.\x005", 21.5),
        ({}, "5\0\0\0", 5.0),
        ({}, "5\0\0", 5.0),
    ],
)
def test_value_is_a_number(options: dict[str, Any], written: Any, number: float) -> None:
    """Each is the number that people read there."""
    found = value_reader(options).number(written)

    assert found == number
    assert type(found) is type(number)


@pytest.mark.parametrize(
    ("options", "written"),
    [
        ({}, "21,5"),
        ({}, "21.5 °C"),
        ({}, "1.234,5"),
        ({}, "1_000"),
        ({}, "nan"),
        ({}, "inf"),
        ({}, "0x1F"),
        ({}, "1" * 65),
        ({}, "١٢"),
        ({}, "open"),
        ({}, ""),
        ({}, "-"),
        ({}, "e5"),
        ({"decimal": ","}, "."),
        ({}, [1]),
        ({}, {"a": 1}),
        ({"decimal": ","}, "1.2345,6"),
        ({"decimal": ","}, "1.234 567"),
        ({"decimal": ","}, "12,3,4"),
        ({"decimal": "."}, "12,34"),
        ({"units": "°C"}, "21.5 °F"),
        ({"units": "°C"}, "°C"),
        ({"units": "€"}, "€"),
        ({"units": "F"}, "F12"),
        ({"units": "F"}, "-F12"),
        ({"units": "€"}, "€5€"),
        ({"decimal": "."}, "1,2,345"),
        ({"decimal": "."}, "-5-"),
        ({"decimal": "."}, "5--"),
        ({"decimal": "."}, "-"),
        ({}, "5-"),
        ({"decimal": ","}, "12.34.567"),
        ({"words": {"1": 0}}, [1]),
    ],
)
def test_value_that_is_no_number_is_handed_on(options: dict[str, Any], written: Any) -> None:
    """The daemon counts it and shows it; a guess might be wrong by a factor of a thousand."""
    assert value_reader(options).number(written) == written


@pytest.mark.parametrize("written", ["21.5", "-0.5", "1e-3.0", "1.2345", " 1.5 "])
def test_point_where_a_comma_should_be_is_no_number_to_anybody(written: str) -> None:
    """1.234 of the same source would be a thousand times too large; the daemon reads points."""
    found = value_reader({"decimal": ","}).number(written)
    naming = Naming(measurement="m", field="f", tags={}, catalogue=Catalogue())

    assert naming.sort([(1e9, "a", found)], now=1e9).unusable == {"value": 1}
    assert written.strip() in found


@pytest.mark.parametrize(
    ("nothing", "written"),
    [
        (-999, -999),
        (-999, -999.0),
        (-999, "-999"),
        ([-999, 65535], 65535),
        ("---", "---"),
        ("n/a", " N/A "),
        (["", "null"], ""),
        (nan, nan),
        (-999, None),
        ("NaN", nan),
        (["-inf", "inf"], -inf),
        ("-999", -999),
        (["n/a", False], False),
        (False, "FALSE"),
        ("no  value", "No Value"),
        ("no value", "No\u00a0Value\0"),
    ],
)
def test_value_that_says_nothing_is_none(nothing: Any, written: Any) -> None:
    """No number is stored for what says that there is none, and it is no fault."""
    reader = value_reader({"nothing": nothing})

    assert reader.number(written) is None
    assert reader.number(5) == 5
    assert reader.number("five") == "five"


def test_nothing_is_told_before_scaling() -> None:
    """What says nothing is written in the unit of the source, as people see it there."""
    reader = value_reader({"nothing": "-999 kW", "units": {"kW": 1000}})

    assert reader.number("-999 kW") is None
    assert value_reader({"nothing": -999, "units": {"kW": 1000}}).number("-999 kW") is None


def test_false_that_says_nothing_is_not_zero() -> None:
    """Python takes the two for one."""
    reader = value_reader({"nothing": False})

    assert [reader.number(each) for each in (0, 0.0, True)] == [0, 0.0, True]
    assert value_reader({"nothing": 0}).number(False) is False


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"words": ["on"]}, "words: expected words and numbers, such as open: 1, got ['on']"),
        ({"words": {"on": "yes"}}, "words.on: expected a number, got 'yes'"),
        ({"words": {"on": nan}}, "words.on: expected a number, got nan"),
        (
            {"nothing": {"a": 1}},
            "nothing: expected numbers, texts, true or false, such as -999, got {'a': 1}",
        ),
        (
            {"nothing": [[]]},
            "nothing: expected numbers, texts, true or false, such as -999, got []",
        ),
        ({"decimal": ";"}, 'decimal: expected "," or ".", got \';\''),
        (
            {"units": 5},
            (
                "units: expected what stands beside a number, such as kWh, or each with what to "
                "multiply by, such as kW: 1000, got 5: 1"
            ),
        ),
        (
            {"units": {"kW": "x"}},
            (
                "units: expected what stands beside a number, such as kWh, or each with what to "
                "multiply by, such as kW: 1000, got 'kW': 'x'"
            ),
        ),
    ],
)
def test_wrong_option_is_told(options: dict[str, Any], problem: str) -> None:
    """Where it stands, what would be right, what stands there."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 -- the whole text is compared
        value_reader(options)
    assert str(caught.value) == problem

    with pytest.raises(ValueError, match=r"^values\.heat\."):
        value_reader(options, where="values.heat")


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([",", "."]))
def test_number_is_read_as_it_was_written(number: float, decimal: str) -> None:
    """Whatever a program writes with its own mark before the fraction."""
    text = repr(number).replace(".", decimal)

    assert value_reader({"decimal": decimal}).number(text) == number


@given(st.integers(-(10**15), 10**15), st.sampled_from([".", " ", "'", "\u00a0"]))
def test_groups_of_three_digits_are_one_number(number: int, apart: str) -> None:
    """Python sets commas between groups, and other countries other marks."""
    text = f"{number:,}".replace(",", apart)

    assert value_reader({"decimal": ","}).number(text) == number
