"""What texts and numbers mean as times, and what is none."""

import re
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.plugins._times import NoTime, Twice, notation

BERLIN = ZoneInfo("Europe/Berlin")
# 2026-07-01 10:15 in UTC, 12:15 in Berlin.
QUARTER_PAST = 1_782_900_900
MIDNIGHT = 1_782_943_200  # of the day after, in Berlin


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-07-01T10:15:00Z", QUARTER_PAST),
        ("2026-07-01t10:15:00z", QUARTER_PAST),
        ("2026-07-01T12:15:00", QUARTER_PAST),
        ("2026-07-01 12:15", QUARTER_PAST),
        ("2026-07-01 12:15:00.000", QUARTER_PAST),
        ("2026-07-01T12:15:00,000000000", QUARTER_PAST),
        ("2026-07-01T12:15:00+02:00", QUARTER_PAST),
        ("2026-07-01 12:15:00 +0200", QUARTER_PAST),
        ("2026-07-01T12:15:00+02", QUARTER_PAST),
        ("2026-07-01 12:15:00 +0200 CEST", QUARTER_PAST),
        ("2026-07-01T12:15:00+02:00[Europe/Berlin]", QUARTER_PAST),
        ("2026-07-01T06:15:00[America/New_York]", QUARTER_PAST),
        ("2026-07-01 10:15:00 UTC", QUARTER_PAST),
        ("2026-07-01 10:15:00 GMT", QUARTER_PAST),
        ("2026-07-01 12:15:00 CEST", QUARTER_PAST),
        ("20260701T101500Z", QUARTER_PAST),
        ("2026/07/01 12:15:00", QUARTER_PAST),
        ("2026-7-1 12:15", QUARTER_PAST),
        (" 2026-07-01T10:15:00Z ", QUARTER_PAST),
        ("2026-07-01T24:00:00", MIDNIGHT),
        ("2026-07-01 24:00", MIDNIGHT),
        ("2026-07-01T23:59:60", MIDNIGHT),
        ("2026-07-01T21:59:60Z", MIDNIGHT),
        ("2026-07-02", MIDNIGHT),
        ("2026-07-02+02:00", MIDNIGHT),
        ("2026-07-02+0200", MIDNIGHT),
        ("2026-07-01-02:00", MIDNIGHT + 4 * 3600 - 86_400),
        ("2026-07-02Z", MIDNIGHT + 2 * 3600),
        ("2026-07-01-12:15:00", QUARTER_PAST),
        ("Wed, 01 Jul 2026 10:15:00 GMT", QUARTER_PAST),
        ("Wed, 1 Jul 2026 12:15:00 +0200", QUARTER_PAST),
        ("01 Jul 2026 12:15:00", QUARTER_PAST),
        ("Wednesday, 01-Jul-2026 10:15:00 GMT", QUARTER_PAST),
        ("Wed Jul 01 2026 12:15:00 GMT+0200 (Central European Summer Time)", QUARTER_PAST),
        ("Wed Jul  1 12:15:00 2026", QUARTER_PAST),
        ("Wed Jul  1 12:15:00 CEST 2026", QUARTER_PAST),
        ("Wednesday, 01-Jul-26 10:15:00 GMT", QUARTER_PAST),
        ("2026-07-01T12:15:00\u00a0+02:00", QUARTER_PAST),
        ("2026-07-01T08:15:00\u221202:00", QUARTER_PAST),
        ("2026-07-01 12:15:00 UTC+2", QUARTER_PAST),
        ("2026-07-01 12:15:00 GMT+02:00", QUARTER_PAST),
        ("2026-07-01 06:15:00 America/New_York", QUARTER_PAST),
        ("20260701 121500", QUARTER_PAST),
        ("2026-182T10:15:00Z", QUARTER_PAST),
        ("2026182T101500Z", QUARTER_PAST),
        ("2026-183", MIDNIGHT),
        ("2026-07-01T10:15:00Z/2026-07-01T10:30:00Z", QUARTER_PAST),
        ("2026-07-01T12:15/PT15M", QUARTER_PAST),
        ("2026-07-01T10:15:00+00:00/..", QUARTER_PAST),
        ("/Date(1782900900000)/", QUARTER_PAST),
        ("/Date(1782900900000+0200)/", QUARTER_PAST),
        (r"\/Date(1782900900000)\/", QUARTER_PAST),
        (QUARTER_PAST, QUARTER_PAST),
        (QUARTER_PAST + 0.5, QUARTER_PAST + 0.5),
    ],
)
def test_what_tells_itself_needs_no_format(value: Any, expected: float) -> None:
    """A time without a zone is of the source's."""
    assert notation(None, BERLIN).read(value) == expected


@pytest.mark.parametrize(
    ("time_format", "value", "expected"),
    [
        ("unix", "1782900900", QUARTER_PAST),
        ("unix", " 1782900900.5 ", QUARTER_PAST + 0.5),
        ("unix", "1782900900,5", QUARTER_PAST + 0.5),
        ("unix_ms", "1782900900000", QUARTER_PAST),
        ("unix_ms", 1_782_900_900_500, QUARTER_PAST + 0.5),
        ("unix_us", 1_782_900_900_500_000, QUARTER_PAST + 0.5),
        ("unix_ns", "1782900900000001000", QUARTER_PAST + 1e-6),
        ("%a, %d %b %Y %H:%M:%S %Z", "Wed, 01 Jul 2026 10:15:00 GMT", QUARTER_PAST),
        ("%Y-%m-%d %H:%M:%S %Z", "2026-07-01 12:15:00 CEST", QUARTER_PAST),
        ("%Y-%m-%d %H:%M:%S %Z", "2026-07-01 12:15:00 S", QUARTER_PAST),
        ("%Y-%m-%dT%H:%M:%SZ", "2026-07-01T10:15:00Z", QUARTER_PAST),
        ("%d.%m.%Y %H:%M UTC", "01.07.2026 10:15 UTC", QUARTER_PAST),
        ("%d.%m.%Y %H:%M %z", "01.07.2026 12:15 +02:00", QUARTER_PAST),
        ("%d.%m.%Y %H:%M", "1.7.2026  12:15", QUARTER_PAST),
        ("%d.%m.%Y %H:%M", "01.07.2026 24:00", MIDNIGHT),
        ("%Y%m%d%H%M%S", "20260701240000", MIDNIGHT),
        ("%H:%M:%S %d/%m/%Y", "23:59:60 01/07/2026", MIDNIGHT),
        ("%m/%d/%Y %I:%M:%S %p", "7/1/2026 12:15:00 PM", QUARTER_PAST),
        ("%m/%d/%Y %I:%M %p", "07/02/2026 12:00 a.m.", MIDNIGHT),
        ("%m/%d/%y %I:%M%p", "07/01/26 12:15pm", QUARTER_PAST),
        ("%B %d, %Y %H:%M", "July 1, 2026 12:15", QUARTER_PAST),
        ("%y%m%d%H%M%S", 260_701_121_500, QUARTER_PAST),
        ("%y%m%d%H%M%S", 260_701_121_500.0, QUARTER_PAST),
        ("%y%m%d%H%M%S", "260701121500", QUARTER_PAST),
        ("%y%m%d%H%M", 901_010_000, 1_230_764_400),  # 2009: the first zero is lost
        # What stands between the directives may say the zone, and in quotes it says nothing.
        ("%Y-%m-%dT%H:%M:%S+00:00", "2026-07-01T10:15:00+00:00", QUARTER_PAST),
        ("%d.%m.%Y %H:%M +0100", "01.07.2026 11:15 +0100", QUARTER_PAST),
        ("%d.%m.%Y %H:%M UTC+2", "01.07.2026 12:15 UTC+2", QUARTER_PAST),
        ("%Y-%m-%dT%H:%M:%S.000Z", "2026-07-01T10:15:00.000Z", QUARTER_PAST),
        ("%Y-%m-%dT%H:%M:%SZ[UTC]", "2026-07-01T10:15:00Z[UTC]", QUARTER_PAST),
        ("UTC %d.%m.%Y %H:%M", "UTC 01.07.2026 10:15", QUARTER_PAST),
        ("%d.%m.%Y %H:%M Uhr (UTC)", "01.07.2026 10:15 Uhr (UTC)", QUARTER_PAST),
        ("%d.%m.%Y %H:%M GMT%z", "01.07.2026 12:15 GMT+2", QUARTER_PAST),
        ("%Y-%m-%dT%H:%M:%S'Z'", "2026-07-01T12:15:00Z", QUARTER_PAST),
        ("%Y-%m-%dT%H:%M:%S'+00:00'", "2026-07-01T12:15:00+00:00", QUARTER_PAST),
        # As portals write for their users.
        ("%m/%d/%Y, %I:%M:%S %p", "7/1/2026, 12:15:00\u202fPM", QUARTER_PAST),
        ("%d/%m/%Y %I:%M %p", "01/07/2026 12:15 p.\u00a0m.", QUARTER_PAST),
        ("%A, %d. %B %Y %H:%M", "Mittwoch, 1. Juli 2026 12:15", QUARTER_PAST),
        ("%A %d %b %Y %H:%M", "Donnerstag 01 jul. 2026 12:15", QUARTER_PAST),
        ("%d %b %Y %H:%M", "1 juil. 2026 12:15", QUARTER_PAST),
        ("%F %T.%f", "2026-07-01 12:15:00.500000000", QUARTER_PAST + 0.5),
        ("%Y-%jT%H:%M", "2026-182T12:15", QUARTER_PAST),
        ("%G-W%V-%u", "2026-W27-4", MIDNIGHT),
        ("dsmr", "260701121500S", QUARTER_PAST),
        ("dsmr", "260701111500W", QUARTER_PAST),  # a meter that stayed in winter time
        ("rfc2822", "Wed, 01 Jul 2026 06:15 EDT", QUARTER_PAST),
        ("dotnet", "/Date(1782900900000-0500)/", QUARTER_PAST),
        ("iso", "2026-07-01 12:15", QUARTER_PAST),
    ],
)
def test_a_format_says_what_is_meant(time_format: str, value: Any, expected: float) -> None:
    """Zeros that a number loses are put back; zones in a pattern count."""
    assert notation(time_format, BERLIN).read(value) == expected


@pytest.mark.parametrize(
    ("time_format", "value", "reason", "told"),
    [
        (None, "1795120512345", "milliseconds", r"milliseconds\?"),
        (None, "1782900900", "time", r"\(unix\?\)"),
        (None, "20260701", "time", "time_format"),
        (None, "17829009.5", "time", "time_format"),
        (None, "07/01/2026 10:15:00 AM", "time", "time_format"),
        (None, "2026-07-01 10:15:00 CST", "time", r"expected UTC, GMT, an offset, .*CEST"),
        (None, "2026-07-01 24:01", "time", "ISO 8601"),
        (None, "2026-13-01", "time", "ISO 8601"),
        (None, "yesterday", "time", "ISO 8601"),
        (None, "2026-366", "time", "ISO 8601"),
        (None, "2026-07-01 12:15 Mars/Base", "time", "ISO 8601"),
        ("%d %b %Y", "1 jui 2026", "time", "%b"),  # June and July begin so in French
        ("%d %B %Y", "1 marraskuuta 2026", "time", "%B"),  # November in Finnish
        (None, "", "time", "ISO 8601"),
        (None, None, "no_time", "got nothing"),
        (None, True, "time", "ISO 8601"),
        (None, [], "time", "ISO 8601"),
        (None, "2026-03-29 02:30", "no_such_time", "a clock in Europe/Berlin shows"),
        ("%Y-%m-%d %H:%M", "2026-03-29 02:30", "no_such_time", "a clock in Europe/Berlin"),
        ("%y%m%d%H%M%S", 260_701_121_500.5, "time", "%y%m%d%H%M%S"),
        ("%y%m%d%H%M%S", True, "time", "%y%m%d%H%M%S"),
        ("%d.%m.%Y", "31.02.2026", "time", "%d.%m.%Y"),
        ("%d.%m.%Y", "1" * 5000, "time", "%d.%m.%Y"),
        ("%m/%d/%Y %I:%M %p", "07/01/2026 13:15 PM", "time", "%I:%M %p"),
        ("unix", "1_782_900_900", "time", "unix"),
        ("unix", "nan", "time", "unix"),
        ("unix", True, "time", "unix"),
        ("unix_ms", 10**400, "time", "unix_ms"),
        ("dsmr", "260701121500", "time", "dsmr"),
        ("iso", "Wed, 01 Jul 2026 10:15:00 GMT", "time", "iso"),
        ("rfc2822", "Wed, 01 Jul 2026 10:15:00 CXT", "time", "expected UTC"),
    ],
)
def test_what_is_no_time_says_why(
    time_format: str | None, value: Any, reason: str, told: str
) -> None:
    """It never means now, and costs one reading only."""
    found = notation(time_format, BERLIN).read(value)

    assert isinstance(found, NoTime)
    assert found.reason == reason
    assert f"{found}".startswith("expected") or reason == "no_such_time"
    assert re.search(told, found)


@pytest.mark.parametrize("text", ["2026-10-25 02:30", "25.10.2026 02:30"])
def test_an_hour_that_comes_twice_is_left_open(text: str) -> None:
    """One time alone does not tell; with an offset or a letter it does."""
    form = "%d.%m.%Y %H:%M" if "." in text else None
    found = notation(form, BERLIN).read(text)

    assert found == Twice(1_792_888_200, 1_792_891_800)
    assert notation(None, BERLIN).read("2026-10-25 02:30 CEST") == found.first
    assert notation(None, BERLIN).read("2026-10-25 02:30 CET") == found.second
    assert notation(None, BERLIN).read("2026-10-25T02:30+01:00") == found.second


@pytest.mark.parametrize(
    ("zone", "text"),
    [
        ("Asia/Singapore", "2026-07-01 18:15:00 SGT"),
        ("America/Sao_Paulo", "2026-07-01 07:15 BRT"),
        ("Australia/Lord_Howe", "2026-07-01 20:45 LHST"),
        ("Asia/Dubai", "Wed Jul 01 14:15:00 GST 2026"),
    ],
)
def test_letters_only_name_a_zone_that_has_none_of_its_own(zone: str, text: str) -> None:
    """As Java and devices write them; letters that another zone has are still refused."""
    assert notation(None, ZoneInfo(zone)).read(text) == QUARTER_PAST
    assert isinstance(notation(None, ZoneInfo(zone)).read("2026-07-01 12:15 CEST"), NoTime)


def test_without_a_zone_a_time_stays_naive() -> None:
    """The collector may have one."""
    noon = datetime(2026, 7, 1, 12, 15)  # noqa: DTZ001 -- that is what is tested

    assert notation(None).read("2026-07-01 12:15") == noon
    assert notation("%d.%m.%Y %H:%M").read("01.07.2026 12:15") == noon


@pytest.mark.parametrize(
    ("time_format", "told"),
    [
        ("unixms", "expected unix, unix_ms"),
        (5, "expected unix, unix_ms"),
        ("%H:%M", "expected year, month and day"),
        ("%Y-%m", "expected year, month and day"),
        ("%Y-%m-%d %q", "expected only the directives"),
        ("%Y-%m-%d %Y", "expected each directive once"),
        ("%Y-%m-%d %I:%M", "expected %I and %p"),
        ("%Y-%m-%d %H:%M CST", "expected %Z in the place of CST"),
        ("%c", "expected only the directives"),
    ],
)
def test_a_format_that_leaves_something_open_is_refused(time_format: Any, told: str) -> None:
    """Before anything is read by it."""
    with pytest.raises(ValueError, match=f"^time_format: {told}"):
        notation(time_format, BERLIN)


def test_a_request_may_have_a_part_of_a_date() -> None:
    """A folder for each month, for one."""
    how = notation("%Y/%m", BERLIN, where="since_format", asking=True)

    assert how.since(QUARTER_PAST) == "2026/07"


@pytest.mark.parametrize(
    ("time_format", "text"),
    [
        (None, "2026-07-01T10:15:00Z"),
        ("iso", "2026-07-01T10:15:00Z"),
        ("unix", "1782900900"),
        ("unix_ns", "1782900900000000000"),
        ("%Y-%m-%d %H:%M:%S", "2026-07-01 12:15:00"),
        ("%Y-%m-%dT%H:%M:%S%z", "2026-07-01T12:15:00+0200"),
        ("%Y-%m-%dT%H:%M:%SZ", "2026-07-01T10:15:00Z"),
        ("%Y-%m-%dT%H:%M:%S.000Z", "2026-07-01T10:15:00.000Z"),
        ("%Y-%m-%dT%H:%M:%S'Z'", "2026-07-01T12:15:00Z"),
        ("%Y-%m-%dT%H:%M:%S+01:00", "2026-07-01T11:15:00+01:00"),
        ("rfc2822", "Wed, 01 Jul 2026 10:15:00 GMT"),
        ("dotnet", "/Date(1782900900000)/"),
        ("dsmr", "260701121500S"),
    ],
)
def test_an_instant_is_written_as_the_source_does(time_format: str | None, text: str) -> None:
    """In its zone, unless the format says that it is UTC."""
    assert notation(time_format, BERLIN).write(QUARTER_PAST) == text


@given(st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)), st.integers(-12 * 60, 14 * 60))  # noqa: DTZ001
def test_mails_of_any_zone_are_read(moment: datetime, minutes: int) -> None:
    """As Python's library writes them."""
    sent = moment.replace(microsecond=0).astimezone(
        datetime.strptime(f"{minutes // 60:+03d}{minutes % 60:02d}", "%z").tzinfo
    )

    assert notation(None).read(format_datetime(sent)) == sent.timestamp()


@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2068, 1, 1)),  # noqa: DTZ001
    st.sampled_from(
        ["%Y-%m-%d %H:%M:%S", "%d.%m.%y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p", "%Y%m%d%H%M%S.%f"]
    ),
)
def test_patterns_agree_with_the_library(moment: datetime, pattern: str) -> None:
    """For what both can read."""
    text = moment.strftime(pattern)

    assert notation(pattern).read(text) == datetime.strptime(text, pattern)  # noqa: DTZ007


@given(st.text(max_size=40) | st.integers() | st.floats() | st.none())
@pytest.mark.parametrize("time_format", [None, "unix_ms", "dsmr", "%Y-%m-%d %H:%M %Z"])
def test_anything_is_a_time_or_is_refused(time_format: str | None, value: Any) -> None:
    """No text and no number lets an error out."""
    found = notation(time_format, BERLIN).read(value)

    assert type(found) in {float, int, Twice, NoTime}


@given(st.text("0123456789+-.:TZW /", max_size=20))
def test_what_looks_like_a_time_is_one_or_is_refused(text: str) -> None:
    """Digits alone are none: about one of 200 numbers would pass for a date."""
    found = notation(None, BERLIN).read(text)

    assert type(found) in {float, Twice, NoTime}
    if text.strip().isdigit():
        assert isinstance(found, NoTime)


def test_every_quarter_of_an_hour_of_a_day_with_24() -> None:
    """Sources that end a day with 24:00 begin the next one with 00:15."""
    how = notation("%d.%m.%Y %H:%M", BERLIN)
    texts = [f"01.07.2026 {at // 4:02d}:{at % 4 * 15:02d}" for at in range(1, 97)]

    first = MIDNIGHT - timedelta(days=1).total_seconds()
    assert [how.read(text) for text in texts] == [first + 900 * at for at in range(1, 97)]
