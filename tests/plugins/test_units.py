"""Durations and sizes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.plugins._units import duration, format_duration, size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("250ms", 0.25),
        ("5s", 5.0),
        ("1.5h", 5400.0),
        ("1h30m", 5400.0),
        ("7d", 604_800.0),
        ("2w", 1_209_600.0),
        ("36525d", 3_155_760_000.0),
    ],
)
def test_durations_are_numbers_with_units(text: str, seconds: float) -> None:
    """Every unit counts for what people expect."""
    assert duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "5", "5 sec", "s", "5S", "-5s", "1h 30m", "5s,", "1e3s", "\u0665s", "5y", "nan", "101w1"],
)
def test_anything_else_is_no_duration(text: str) -> None:
    """A number without a unit is refused, and so is everything that only looks like one."""
    with pytest.raises(ValueError, match="expected a duration such as 5s, 2m or 1h"):
        duration(text)


def test_endless_durations_are_refused() -> None:
    """A duration that would overflow a clock is refused."""
    with pytest.raises(ValueError, match="at most 100 years"):
        duration("99999999999999999999w")
    with pytest.raises(ValueError, match="at most 100 years"):
        duration("36525d1ms")


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0", 0),
        ("512B", 512),
        ("1KiB", 1024),
        ("64MiB", 67_108_864),
        ("1.5GiB", 1_610_612_736),
        ("1TiB", 1_099_511_627_776),
        ("1kB", 1000),
        ("1MB", 1_000_000),
        ("2GB", 2_000_000_000),
        ("1TB", 1_000_000_000_000),
        ("4611686018427387904B", 2**62),
    ],
)
def test_sizes_are_numbers_with_units(text: str, count: int) -> None:
    """Binary and decimal units each count for what they are."""
    assert size(text) == count


@pytest.mark.parametrize("text", ["", "64", "64M", "64 MiB", "-1B", "64mib", "MiB"])
def test_anything_else_is_no_size(text: str) -> None:
    """A size without a proper unit is refused."""
    with pytest.raises(ValueError, match="expected a size such as 64MiB or 2GB"):
        size(text)


def test_endless_sizes_are_refused() -> None:
    """A size that no counter holds is refused."""
    with pytest.raises(ValueError, match="at most 4 million TiB"):
        size("99999999999999999999TiB")
    with pytest.raises(ValueError, match="at most 4 million TiB"):
        size("4611686018427387905B")


@given(st.integers(min_value=0, max_value=36_525 * 86_400_000))
def test_durations_survive_being_written_and_read(milliseconds: int) -> None:
    """What is shown to people is what they may write."""
    seconds = milliseconds / 1000

    assert duration(format_duration(seconds)) == seconds


def test_durations_are_short_for_people() -> None:
    """The largest units come first, and nothing that is zero."""
    assert format_duration(5400.25) == "1h30m250ms"
    assert format_duration(0) == "0s"


@given(st.text(max_size=20))
def test_arbitrary_text_is_read_or_refused(text: str) -> None:
    """Nothing but ValueError comes out of any text."""
    for read in (duration, size):
        try:
            assert read(text) >= 0
        except ValueError as exc:
            assert str(exc).startswith("expected")  # noqa: PT017 - either way is fine
