"""Readings become what BMON would have stored."""

from datetime import UTC, datetime
from math import inf, nan
from typing import Any

import numpy as np
import pytest

from ingestd.plugins._bmonrules import convert, message
from tests.support.deadline import WITHIN

NOW = 1_700_000_000.75


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("True", 1.0),
        ("Door Closed", 1.0),
        ("On", 1.0),
        ("Motion Detected", 1.0),
        ("Light Detected", 1.0),
        ("Voltage Detected", 1.0),
        ("False", 0.0),
        ("Open", 0.0),
        ("Off", 0.0),
        ("No Motion", 0.0),
        ("None", 0.0),
        ("Voltage Off", 1.0),
        ("Not On", 1.0),
        ("On or Off", 1.0),
        ("No Light", 0.0),
        ("72.5", 72.5),
        ("-3", -3.0),
        ("72.5 F", 72.5),
        ("72.", 72.0),
        ("12|13", 12.0),
        ("-0.25C", -0.25),
        ("1.5e-3", 0.0015),
        (" 5 ", 5.0),
        ("+7", 7.0),
        (".5", 0.5),
        ("3e", 3.0),
    ],
)
def test_text_is_a_word_that_is_known_or_its_leading_number(text: str, expected: float) -> None:
    """Words count before numbers, and those that mean yes before those that mean no."""
    converted = convert([(1, "door", text)], now=NOW)

    assert converted.readings == [(1, "door", expected)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (5, 5.0),
        (True, 1.0),
        (False, 0.0),
        (2.5, 2.5),
        (np.float32(2.5), 2.5),
        (np.int64(7), 7.0),
        (np.True_, 1.0),
        (np.array(3.5), 3.5),
    ],
)
def test_numbers_are_what_they_are(value: Any, expected: float) -> None:
    """Truth values and NumPy's numbers are, too."""
    ((_, _, got),) = convert([(1, "level", value)], now=NOW).readings

    assert (got, type(got)) == (expected, float)


@pytest.mark.parametrize("value", [None, nan, inf, -inf, np.float64("nan"), np.float32("inf")])
def test_what_says_nothing_is_skipped(value: Any) -> None:
    """BMON counts it neither as stored nor as rejected."""
    converted = convert([(1, "level", value)], now=NOW)

    assert (converted.readings, converted.skipped, converted.rejected) == ([], 1, 0)


@pytest.mark.parametrize(
    "reading",
    [
        (1, "a"),
        (1, "a", 2, {}),
        "abc",
        {"a": 1},
        None,
        5,
        (1, "a", "warm"),
        (1, "a", "nan"),
        (1, "a", ""),
        (1, "a", "²"),
        (1, "a", []),
        (1, "a", b"5"),
        (1, "a", {"value": 5}),
        (1, "a", np.array([5])),
        (1, "a", 10**400),
        (nan, "a", 5),
        (inf, "a", 5),
        ("yesterday", "a", 5),
        ([], "a", 5),
        (datetime(2024, 1, 1), "a", 5),  # noqa: DTZ001 -- of an unknown zone
    ],
)
def test_what_is_no_reading_is_rejected_and_spares_its_siblings(reading: Any) -> None:
    """In BMON a reading of two or four parts costs all the others, and the state."""
    converted = convert([(1, "before", 1), reading, (2, "after", 2)], now=NOW)

    assert converted.readings == [(1, "before", 1.0), (2, "after", 2.0)]
    assert (converted.skipped, converted.rejected, len(converted.samples)) == (0, 1, 1)


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        (1432327040, 1432327040),
        (1432327040.999, 1432327040),
        (-1.5, -1),
        (None, 1_700_000_000),
        (np.int64(1432327040), 1432327040),
        (np.float64(1432327040.5), 1432327040),
        ("1432327040", 1432327040),
        (datetime(2024, 1, 1, tzinfo=UTC), 1704067200),
    ],
)
def test_times_are_whole_seconds(time: Any, expected: int) -> None:
    """A fraction is cut off; no time means now."""
    ((got, _, _),) = convert([(time, "level", 1)], now=NOW).readings

    assert (got, type(got)) == (expected, int)


@pytest.mark.parametrize("name", [5, 28.5, np.int64(5), "28.FF1A2D021400", "a-b"])
def test_ids_are_text(name: Any) -> None:
    """A script may give a number, also one of NumPy's, as the id of a sensor."""
    ((_, got, _),) = convert([[1, name, 1]], now=NOW).readings

    assert got == str(name)


@pytest.mark.timeout(WITHIN)
@pytest.mark.parametrize("text", ["1" * 200_000, "1" * 65, "1" * 200_000 + "x", "5" + " " * 65])
def test_endless_numbers_are_rejected_at_once(text: str) -> None:
    """What is longer than any number is none, and it does not take hours to say so."""
    converted = convert([(1, "a", text)], now=NOW)

    assert converted.unusable == {"value": 1}


def test_the_samples_are_few() -> None:
    """A script that gives nothing else does not fill the records."""
    converted = convert([(1, "level", "warm")] * 1000, now=NOW)

    assert (converted.rejected, len(converted.samples)) == (1000, 5)
    assert converted.samples[0] == "level: expected a number or a known word, got 'warm'"


def test_the_message_is_what_bmon_says() -> None:
    """Scripts' administrators and loggers have read this text for years."""
    assert message(15, 0) == "15 readings stored successfully, 0 rejected."


def test_ids_that_differ_only_in_case_are_told() -> None:
    """SQLite takes them for one table, so in BMON they are one sensor."""
    names = ["Boiler_1", "boiler_1", "BOILER_1", "level", "Flow"]

    found = convert([(1, name, 1) for name in names], now=5.0)

    (told,) = found.notes
    assert told.startswith("BOILER_1 and Boiler_1 and boiler_1 differ only in case: in BMON one")
    assert len(found.readings) == 5
