"""What is no time in ISO 8601, or says two things, is refused wherever a time is read."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.plugins._isocolumns import alike, unix_seconds
from ingestd.plugins._isotimes import iso_time
from ingestd.plugins._shapes.together import read_times
from ingestd.plugins._times import NoTime, notation

WRITTEN: Final = "2026-07-01T12:30:15Z"
SECONDS: Final = datetime(2026, 7, 1, 12, 30, 15, tzinfo=UTC).timestamp()
OFFSET: Final = "2026-07-01T14:30:15+02:00"
NONSENSE: Final = (
    "2026-07-01+02:00Z", "2026-07-01+02:00+02:00", "2026-07-01+02", "2026-07-01-12",
    "2026-07-01x12:30:15Z", "2026-07-01\x0012:30:15Z", "2026-07-01112:30:15Z",
    "2026-07-01T12:30:151Z", "2026-07-01T12:305Z", "2026-07-01T12030Z", "2026-07-01T12:30:15:Z",
    "2026-07-01T12:30:15.Z", "2026-07-01T12:30:15:25Z", "2026-07-01T12:30.5Z", "2026-07-01T12.5Z",
    "2026-07-01T12:30:15.2:5Z", "2026-07-01T12:30:15+02:60", "2026-07-01T12:30:15+24:00",
    "2026-07-01T12:30:15+02:00Z", "2026-07-01T12:30:15ZZ", "2026-07-01T12:30:15+02:00 UTC",
    "2026-07-01T12:30:15Z+02:00", "2026-07-01T12:30:15+05:00[Europe/Berlin]",
    "2026-01-01T12:30:15+02:00[Europe/Berlin]", "2026-W27-3+02:00Z", "2026-W27-3T12:30:151Z",
)  # fmt: skip
SENSE: Final = (
    WRITTEN, OFFSET, "2026-07-01T12:30:15.000Z", "2026-07-01 12:30:15Z", "2026-07-01t12:30:15z",
    "2026-07-01-12:30:15Z", "2026-07-01T123015Z", "20260701T123015Z", "2026-W27-3T12:30:15Z",
    "2026W273T123015Z",
    "2026-07-01T14:30:15+02:00[Europe/Berlin]", "2026-07-01T12:30:15Z[Europe/Berlin]",
    "2026-07-01T12:30:15-00:00[Europe/Berlin]", "2026-07-01T14:30:15+02:00 CEST",
    "2026-07-01T14:30:15+02:00[Mars/Base]", "2026-07-01 12:30:15 +0000 UTC",
)  # fmt: skip


@pytest.mark.parametrize("kind", [None, "iso"])
@pytest.mark.parametrize("text", NONSENSE)
def test_nonsense_is_refused(text: str, kind: str | None) -> None:
    """Whether it is written as most times are, or with blanks around it."""
    assert isinstance(notation(kind).read(text), NoTime)
    assert isinstance(notation(kind).read(f" {text} "), NoTime)


@pytest.mark.parametrize("text", SENSE)
def test_what_says_one_thing_is_read(text: str) -> None:
    """Letters and names may explain an offset."""
    assert notation(None).read(text) == notation("iso").read(f" {text}") == SECONDS


@pytest.mark.parametrize("text", NONSENSE)
def test_nonsense_in_a_column_is_refused(text: str) -> None:
    """Its neighbours are read, also where all are of one length."""
    found = read_times([WRITTEN, text, OFFSET], notation(None).read, iso=True)
    alone = read_times([text] * 3, notation(None).read, iso=True)

    assert (found[0], found[2]) == (SECONDS, SECONDS)
    assert {type(found[1]), *map(type, alone)} == {NoTime}


@pytest.mark.parametrize("text", [WRITTEN, OFFSET, "2026-07-01T12:30:15.25Z"])
@given(
    at=st.integers(0, 24),
    character=st.sampled_from("0159TZ:.,+-/ \x00\u0664"),
    instead=st.booleans(),
)
def test_a_wrong_character_is_met_alike_everywhere(
    text: str, at: int, character: str, *, instead: bool
) -> None:
    """A column, a single time, and one with a blank behind it say the same."""
    wrong = text[:at] + character + text[at + instead :]
    read = notation(None).read
    (found,) = read_times([wrong], read, iso=True)

    assert told(found) == told(read(wrong)) == told(read(f"{wrong} "))


def told(found: Any) -> Any:
    """Return a time, or that it is none."""
    return "none" if isinstance(found, NoTime) else found


@pytest.mark.parametrize("text", [WRITTEN, OFFSET, "2026-07-01T12:30:15.250Z"])
def test_a_column_that_is_written_alike_is_known(text: str) -> None:
    """Then all of it is read at once."""
    assert alike([text] * 3)
    assert not alike([text, text[:-1]])
    assert iso_time(text).timestamp() == pytest.approx(SECONDS, abs=0.3)


@given(
    times=st.lists(st.datetimes(datetime(1600, 1, 1), datetime(2600, 1, 1)), min_size=1),  # noqa: DTZ001
    minutes=st.integers(-1439, 1439),
    decimals=st.booleans(),
)
def test_a_column_means_what_its_times_mean(
    times: list[datetime], minutes: int, *, decimals: bool
) -> None:
    """In any zone, with decimals or without, also where numbers of four bytes do not reach."""
    zone = timezone(timedelta(minutes=minutes))
    aware = [each.replace(tzinfo=zone) for each in times]
    texts = [each.isoformat(timespec="microseconds" if decimals else "seconds") for each in aware]

    assert list(unix_seconds(texts)) == [
        (each.replace(microsecond=each.microsecond * decimals)).timestamp() for each in aware
    ]


@pytest.mark.parametrize("count", [1, 15, 16, 65_535, 65_536])
@pytest.mark.parametrize("last", ["2026-07-01T12:30:16Z", "1969-12-31T23:59:59Z"])
def test_a_column_may_have_any_length(count: int, last: str) -> None:
    """Whatever tells its length, and whatever its last time needs."""
    found = unix_seconds([*[WRITTEN] * (count - 1), last])

    assert list(found) == [*[SECONDS] * (count - 1), iso_time(last).timestamp()]
