"""The limits of names, tags, times and numbers: what a plugin calls good, the daemon stores."""

from typing import Any, Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingestd.collecting.points import Naming
from ingestd.config import Catalogue
from ingestd.plugins._limits import (
    LATEST,
    LONGEST_NAME,
    LONGEST_NUMBER,
    MILLISECONDS,
    is_name,
    is_tag,
    is_time,
)
from ingestd.plugins.http_push.formats.lines import lines
from ingestd.plugins.http_push.formats.message import Found, Message, finite, sift
from ingestd.plugins.http_push.formats.plain import readings

NOW: Final = 1_700_000_000.0
EDGES: Final = [
    *(limit + step for limit in (LATEST, MILLISECONDS) for step in (-1, 0, 1)),
    *(-limit - step for limit in (LATEST, MILLISECONDS) for step in (-1, 0, 1)),
]
TIMES: Final = st.sampled_from(EDGES) | st.integers() | st.floats(allow_nan=False)
WORDS: Final = st.text(max_size=8) | st.sampled_from(
    ["", " ", "series", "a\u00a0b", "a" * LONGEST_NAME, "a" * (LONGEST_NAME + 1)]
)


def daemon_takes(reading: tuple[Any, ...]) -> bool:
    """Say whether the daemon makes a point of a reading."""
    naming = Naming(measurement="m", field="f", tags={}, catalogue=Catalogue())
    return bool(naming.sort([reading], now=NOW).points)


def told(query: dict[str, str], document: Any) -> Message:
    """Return a message that was pushed."""
    return Message(query, {}, document, NOW, most_bytes=10**6, most_held=10**6)


@pytest.mark.parametrize(
    ("text", "name", "tag"),
    [
        ("a", True, True),
        ("a b", True, True),
        ("\u00e9\U0001f321", True, True),
        ("a" * 1024, True, True),
        ("a" * 1025, False, False),
        (" ", False, True),
        ("", False, False),
        ("a\n", False, False),
        ("a\u00a0b", False, False),
        ("\ud800", False, False),
        (5, False, False),
        (None, False, False),
    ],
)
def test_names_and_tags_are_printable_and_not_endless(text: Any, *, name: bool, tag: bool) -> None:
    """A name must be seen, too; what a tag says may be a space."""
    assert is_name(text) is name
    assert is_tag("room", text) is tag
    assert is_tag(text, "kitchen") is tag


def test_no_tag_is_called_series() -> None:
    """The daemon writes the name of a series under it."""
    assert not is_tag("series", "a")
    assert is_tag("a", "series")


@pytest.mark.parametrize(
    ("seconds", "good"),
    [(0, True), (9.2e9, True), (-9.2e9, True), (9_200_000_001, False), (-1e10, False)],
)
def test_times_are_those_that_influxdb_can_count(seconds: float, *, good: bool) -> None:
    """Its nanoseconds have 63 bits."""
    assert is_time(seconds) is good


@given(TIMES, WORDS)
@example(float("inf"), "a")
def test_a_sender_is_told_of_readings_that_the_daemon_would_not_store(
    time: float, name: str
) -> None:
    """What is answered as taken is stored, and nothing else is turned away."""
    found = Found()

    sift([(time, name, 1.0)], found, told({}, None))

    assert bool(found.readings) == daemon_takes((time, name, 1.0))


@pytest.mark.parametrize(
    ("time", "message"),
    [
        (LATEST, None),
        (LATEST + 1, "a: expected a year from 1679 to 2261, got 9200000001"),
        (MILLISECONDS, "a: expected Unix seconds, got 100000000000, milliseconds?"),
        (float("-inf"), "a: expected a year from 1679 to 2261, got -inf"),
    ],
)
def test_senders_and_operators_read_the_same_of_a_time(time: float, message: str | None) -> None:
    """The reason of the plugin's answer can be found in the daemon's log."""
    found = Found()
    naming = Naming(measurement="m", field="f", tags={}, catalogue=Catalogue())

    sift([(time, "a", 1.0)], found, told({}, None))

    assert found.samples == ([] if message is None else [message])
    assert naming.sort([(time, "a", 1.0)], now=NOW).samples == found.samples


@given(WORDS, WORDS.filter(bool))
def test_tags_are_taken_as_the_daemon_takes_them(name: str, text: str) -> None:
    """No sender loses a reading by a tag that could be stored, such as one of spaces."""
    found = readings(told({}, [[NOW, "a", 1, {name: text}]]))

    assert bool(found.readings) == daemon_takes((NOW, "a", 1.0, {name: text}))


def test_a_line_may_have_a_tag_of_spaces() -> None:
    """In the line protocol, too, it is a text like any other."""
    found = lines(told({}, rb"power,room=\  value=1"))

    assert found.readings == [(NOW, "power", 1.0, {"room": " "})]


@given(
    st.text("0123456789+-.eE_ infatyNIFATY", max_size=12)
    | st.integers()
    | st.floats()
    | st.text(max_size=4)
)
@example("1_000")
@example("0" * LONGEST_NUMBER)
def test_what_senders_write_as_a_number_is_one_for_the_daemon(value: Any) -> None:
    """A text that only Python reads, such as 1_000, is none."""
    assert (finite(value) is not None) == daemon_takes((NOW, "a", value))
