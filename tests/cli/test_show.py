"""How times, sizes and numbers are printed."""

import pytest

from ingestd.cli import show
from ingestd.cli.once import differences
from ingestd.contract.memory import Memory
from ingestd.redaction import Redactor


@pytest.mark.parametrize(
    ("when", "text"),
    [
        (None, "-"),
        (1000.0, "now"),
        (997.0, "3s ago"),
        (1007.0, "in 7s"),
        (1000.0 - 119, "119s ago"),
        (1000.0 - 3600, "60m ago"),
        (1000.0 - 40 * 3600, "40h ago"),
        (1000.0 + 5 * 86400, "in 5d"),
    ],
)
def test_ago_has_about_two_digits(when: float | None, text: str) -> None:
    """Coarse enough to read in a table."""
    assert show.ago(when, now=1000.0) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0, "0s"), (0.0421, "42ms"), (1.4, "1s"), (300.0, "5m")]
)
def test_span_goes_down_to_milliseconds(seconds: float, text: str) -> None:
    """Runs are short."""
    assert show.span(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1536, "1.5 KiB"),
        (2**31, "2.0 GiB"),
        (250 * 2**20, "250 MiB"),
    ],
)
def test_size_has_a_unit(count: int, text: str) -> None:
    """In powers of 1024, as the configuration has them."""
    assert show.size(count) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (1234567, "1,234,567"),
        (4.25, "4.25"),
        (84949659650.0, "84,949,659,650"),
        (0.1 + 0.2, "0.3"),
    ],
)
def test_numbers_are_for_people(value: float | None, text: str) -> None:
    """JSON has them exactly."""
    assert show.number(value) == text


def test_no_text_moves_the_cursor() -> None:
    """A series or an error may hold anything."""
    assert show.visible("a\x1b[2Jb\nc") == r"a\x1b[2Jb\nc"
    assert show.clipped("first\nsecond", 60) == "first"
    assert show.clipped("x" * 100, 10) == "xxxxxxx..."


def test_differences_tell_what_came_went_and_changed() -> None:
    """And of what is hidden nothing but that."""
    before = Memory(state={"a": 1, "b": [1], "c": 3}, hidden={"t": "geheimnis"})
    after = Memory(
        state={"a": 2, "c": 3, "d": {"x": "neues"}, "note": "geheimnis"},
        hidden={"t": "neues"},
        masks={"password": "mark"},
    )

    assert differences(before, after, Redactor(["geheimnis"])) == [
        "state:",
        "  - b: [1]",
        "  ~ a: 1 -> 2",
        "  + d: {x: neues}",
        "  + note: '***'",
        "  ~ hidden: 1 key, changed, not shown",
        "  + masked param: password",
    ]
    assert differences(after, after, Redactor()) == ["state: unchanged"]
