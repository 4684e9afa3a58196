"""Times as people type them."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import click
import pytest

from ingestd.cli.backfill import checked_span
from ingestd.cli.settings import MOMENT, spoken

ALASKA = ZoneInfo("America/Anchorage")
NOW = datetime(2026, 3, 10, 12, 30, tzinfo=UTC)


@pytest.fixture
def local_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[ZoneInfo]:
    """Let the machine be in Alaska."""
    monkeypatch.setenv("TZ", ALASKA.key)
    time.tzset()
    yield ALASKA
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        ("now", timedelta(0)),
        ("30d", timedelta(days=30)),
        ("1h30m", timedelta(minutes=90)),
    ],
)
def test_words_and_durations_are_times_back_from_now(text: str, ago: timedelta) -> None:
    """As in `since:` of a plugin."""
    assert spoken(text, now=NOW) == NOW - ago


@pytest.mark.parametrize(("text", "day"), [("today", 9), ("yesterday", 8)])
def test_days_begin_at_midnight_of_the_machines_zone(
    text: str, day: int, local_zone: ZoneInfo
) -> None:
    """Between them lies one change of the clock in Alaska, so a day is not always 24 hours."""
    now = datetime(2026, 3, 9, 9, 0, tzinfo=local_zone)

    assert spoken(text, now=now) == datetime(2026, 3, day, tzinfo=local_zone)


@pytest.mark.parametrize("text", ["tomorrow", "30", "2026-13-01", "next week", "-5d", ""])
def test_what_is_no_time_is_refused_with_all_that_would_be(text: str) -> None:
    """The message names the words, too."""
    with pytest.raises(click.BadParameter, match=r"such as 30d, or now, today, yesterday, got"):
        MOMENT.convert(text, None, None)


def day(text: str) -> datetime:
    """Return a day in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        ("2027-01-01", None, "expected a time before"),
        ("2026-01-02", "2026-01-01", "expected a time before"),
        ("1000-01-01", None, "expected a year from 1970 on, got "),
        ("2026-01-01", "3000-01-01", "expected a time until now, such as --to now"),
        (None, "2026-01-01", "expected --from, such as"),
    ],
)
def test_span_in_which_no_source_has_anything_is_refused(
    start: str | None, end: str | None, message: str
) -> None:
    """A wrong digit in a year would be a backfill of nothing, or of a thousand years."""
    with pytest.raises(click.UsageError, match=message):
        checked_span(start and day(start), end and day(end), now=NOW)  # type: ignore[arg-type]


def test_span_may_end_with_the_day_under_way() -> None:
    """Without --to it ends now."""
    assert checked_span(day("2026-03-01"), None, now=NOW)[1] == NOW.timestamp()
    assert checked_span(day("2026-03-01"), day("2026-03-11"), now=NOW)[1] > NOW.timestamp()
