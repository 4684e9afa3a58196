"""Transforms of BMON that are a scale and an offset are told from all others, without being run."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.bmon.importing.transforms import Linear, makes_rate, read_transform


@pytest.mark.parametrize(
    ("expression", "scale", "offset"),
    [
        ("", 1.0, 0.0),
        ("  ", 1.0, 0.0),
        ("val", 1.0, 0.0),
        ("val * 1.8 + 32", 1.8, 32.0),
        (" VAL*1.8+32 ", 1.8, 32.0),
        ("32 + 1.8 * val", 1.8, 32.0),
        ("(val - 32) / 1.8", 1 / 1.8, -32 / 1.8),
        ("val / 1000", 0.001, 0.0),
        ("1 - val", -1.0, 1.0),
        ("-val", -1.0, 0.0),
        ("+val * 2", 2.0, 0.0),
        ("val * 10**-3", 0.001, 0.0),
        ("val + val / 2", 1.5, 0.0),
        ("float(val) * sqrt(4)", 2.0, 0.0),
        ("val * pi / 180", math.pi / 180, 0.0),
        ("radians(val - 90)", math.pi / 180, -math.pi / 2),
        ("degrees(val)", 180 / math.pi, 0.0),
        ("val * log10(1000) + exp(0)", 3.0, 1.0),
        ("val / cos(radians(60))", 2.0, 0.0),
    ],
)
def test_a_scale_and_an_offset_are_found(expression: str, scale: float, offset: float) -> None:
    """However they are written."""
    found = read_transform(expression, {})

    assert found is not None
    assert (found.scale, found.offset) == pytest.approx((scale, offset))


@pytest.mark.parametrize(
    "expression",
    [
        "val ** 2",
        "val * val",
        "2 ** val",
        "1 / val",
        "1 if val > 70 else 0",
        "val > 5",
        "int(val)",
        "sqrt(val)",
        "max(val, 0)",
        "val // 10",
        "val % 10",
        "5",
        "val * 0",
        "val - val",
        "val / 0",
        "val * 1e400",
        "val * 10**400",
        "val * 10.0**400",
        "val * True",
        "val * 'a'",
        "val +",
        "val + other",
        "ts",
        "rate * 3600",
        "count_rate",
        "__import__('os').system('true')",
        "val; val",
        "sqrt(-1) * val",
        "val * log(0)",
        "exp(1000) + val",
        "fabs(val)",
        "val" + " + 1" * 100,
        "-" * 190 + "val * x",
        "val.real",
        "val\0",
    ],
)
def test_everything_else_is_not(expression: str) -> None:
    """A person has to look at it."""
    assert read_transform(expression, {}) is None


@pytest.mark.parametrize(
    ("parameters", "found"),
    [
        ({}, Linear()),
        ({"slope": 1.8, "offset": 32}, Linear(1.8, 32.0)),
        ({"offset": -2}, Linear(1.0, -2.0)),
        ({"slope": "1.8"}, None),
        ({"slope": 0}, None),
        ({"slope": True}, None),
        ({"slope": 10**400}, None),
        ({"slope": 2, "id_other": "a"}, None),
    ],
)
def test_the_function_of_bmon_is_known(parameters: dict[str, Any], found: Linear | None) -> None:
    """It is called with names."""
    assert read_transform("linear", parameters) == found


@pytest.mark.parametrize("expression", ["rate * 3600", "Rate", "count_rate"])
def test_rates_are_told_apart(expression: str) -> None:
    """They need the reading before."""
    assert makes_rate(expression)
    assert not makes_rate("val * 2")


NUMBERS = st.sampled_from(["2", "-3", "0.5", "1.8", "(32)"])
EXPRESSIONS = st.recursive(
    st.one_of(st.just("val"), NUMBERS),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda each: f"({' '.join(each)})"),
        st.tuples(inner, NUMBERS).map(" / ".join).map("({})".format),
        inner.map("(-{})".format),
    ),
    max_leaves=6,
)


@given(expression=EXPRESSIONS, value=st.floats(-1e4, 1e4))
def test_what_is_found_is_what_python_makes_of_it(expression: str, value: float) -> None:
    """As BMON evaluates it, but for the last digits."""
    found = read_transform(expression, {})
    if found is None:
        return
    expected = eval(expression, {"__builtins__": {}}, {"val": value})

    assert value * found.scale + found.offset == pytest.approx(expected, rel=1e-9, abs=1e-3)
