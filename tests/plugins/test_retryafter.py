"""For how long servers ask to be left alone, in all the ways in which they do."""

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from ingestd.plugins._retryafter import (
    LONGEST,
    UNITS,
    is_too_much,
    pause_asked_for,
    retry_after_in_body,
    retry_after_seconds,
)

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0),
        ("3", 3),
        (" 120 ", 120),
        ("0.5", 0.5),
        ("3s", 3),
        ("3 S", 3),
        ("500ms", 0.5),
        ("2m", 120),
        ("1.5h", 5400),
        ("1d", 86400),
        (format_datetime(datetime.fromtimestamp(NOW + 90, UTC), usegmt=True), 90),
        (format_datetime(datetime.fromtimestamp(NOW + 90, UTC).replace(tzinfo=None)), 90),
        (format_datetime(datetime.fromtimestamp(NOW - 90, UTC)), 0),
        ("", None),
        ("soon", None),
        ("3 fortnights", None),
        ("-3", None),
        ("nan", None),
        ("inf", None),
        ("9" * 400, None),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", None),
    ],
)
def test_retry_after_in_all_its_spellings(header: str, seconds: float | None) -> None:
    """Every text means so many seconds, or nothing."""
    assert retry_after_seconds(header, now=NOW) == seconds


@given(st.floats(0, 1e6).map(lambda seconds: round(seconds, 3)), st.sampled_from(sorted(UNITS)))
def test_retry_after_in_every_unit(number: float, unit: str) -> None:
    """A number means the same with and without a space before its unit, up to a day."""
    expected = min(number * UNITS[unit], LONGEST)
    for text in (f"{number:.3f}{unit}", f"{number:.3f} {unit.upper()}"):
        assert retry_after_seconds(text, now=NOW) == pytest.approx(expected)


@given(st.integers(0, 7_000_000_000))
def test_retry_after_as_a_date(seconds: int) -> None:
    """A date counts from now, one that is over means now, and none is later than in a day."""
    moment = datetime.fromtimestamp(seconds, UTC)

    found = retry_after_seconds(format_datetime(moment, usegmt=True), now=NOW)

    assert found == min(max(0.0, seconds - NOW), LONGEST)


@given(st.text() | st.from_regex(r"[0-9a-zA-Z:,.+ -]{0,40}", fullmatch=True))
def test_any_other_header_says_nothing(header: str) -> None:
    """Nothing that a server writes is an error, or a wait without an end."""
    found = retry_after_seconds(header, now=NOW)

    assert found is None or 0 <= found < float("inf")


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        ('{"backOffSuggestion": 2}', 2),
        ('{"retry_after": 0.5}', 0.5),
        ('\ufeff{"retry_after": 0.5}', 0.5),
        ('{"retryAfter": "3s"}', 3),
        ('{"retry_after": null, "retryAfter": 4}', 4),
        ('{"retry_after": true}', None),
        ('{"retry_after": -1}', 0),
        ('{"retry_after": NaN}', None),
        ('{"retry_after": 1e999}', None),
        ('{"retry_after": ' + "9" * 400 + "}", None),
        (f'{{"period": "minute", "period_end": {NOW + 9}}}', 9),
        (f'{{"period_end": {NOW - 9}}}', 0),
        (f'{{"period_end": {NOW * 1000}}}', None),
        ('{"period_end": "soon"}', None),
        ('{"retryAfterSeconds": 7}', 7),
        ('{"retry_after_ms": 1500}', 1.5),
        ('{"retry_after_ms": "1500"}', 1.5),
        ('{"error": {"code": 429, "retry_after": 7}}', 7),
        ('{"error": {"details": [{"reason": "x"}, {"retryDelay": "7s"}]}}', 7),
        ('{"ok": false, "parameters": {"retry_after": 7}}', 7),
        ('{"retry_after": 5, "error": {"retry_after": 7}}', 5),
        (f'{{"retryAfter": "{NOW + 9}"}}', 9),
        (f'{{"retryAfter": {NOW + 9}}}', 9),
        ('{"a": ' * 9 + '{"retry_after": 7}' + "}" * 9, None),
        ('{"message": "busy"}', None),
        ("[5]", None),
        ('[{"retry_after": 7}]', 7),
        ("busy", None),
        ("", None),
        ("[" * 100_000, None),
    ],
)
def test_retry_after_in_a_body(body: str, seconds: float | None) -> None:
    """Some servers say it in JSON only, under one of three names."""
    assert retry_after_in_body(body, now=NOW) == seconds
    assert retry_after_in_body(body.encode(), now=NOW) == seconds


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"X-Retry-After": "7"}, 7),
        ({"X-RateLimit-Retry-After": "7"}, 7),
        ({"Retry-After-Ms": "1500"}, 1.5),
        ({"x-ms-retry-after-ms": "1500"}, 1.5),
        ({"Retry-After": "7", "X-RateLimit-Reset": "50"}, 7),
        ({"Retry-After": f"{NOW + 50}"}, 50),
        ({"RateLimit-Reset": "50", "RateLimit-Remaining": "0"}, 50),
        ({"X-RateLimit-Reset-After": "0.5"}, 0.5),
        ({"X-RateLimit-Reset": f"{NOW + 50}"}, 50),
        ({"X-RateLimit-Reset": f"{NOW * 1000 + 50_000}"}, 50),
        ({"X-Rate-Limit-Reset": f"{NOW + 50}"}, 50),
        ({"X-RateLimit-Reset": f"{datetime.fromtimestamp(NOW + 50, UTC):%FT%TZ}"}, 50),
        ({"RateLimit": "limit=100, remaining=0, reset=50"}, 50),
        ({"RateLimit": '"default";r=0;t=50'}, 50),
        ({"X-RateLimit-Reset": f"{NOW + 50}", "X-RateLimit-Remaining": "12"}, None),
        ({"X-RateLimit-Reset": f"{NOW - 50}"}, None),
        ({"X-RateLimit-Reset": "0"}, None),
        ({"X-RateLimit-Reset": "soon"}, None),
        ({"X-RateLimit-Reset": "9" * 400}, None),
    ],
)
def test_who_was_asked_too_much_says_when_to_come_back(
    headers: dict[str, str], seconds: float | None
) -> None:
    """In headers of many names; a quota that is not spent is not what it is about."""
    found = pause_asked_for(CIMultiDict(headers), b"", now=NOW, status=429)

    assert found == (None if seconds is None else pytest.approx(seconds))


def test_a_quota_is_no_pause_of_a_server_that_is_away() -> None:
    """Its headers come with all answers."""
    assert pause_asked_for({"X-RateLimit-Reset": "3600"}, b"", now=NOW, status=503) is None
    assert pause_asked_for({"X-Retry-After": "7"}, b"", now=NOW, status=503) == 7


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": f"{NOW + 50}"}, 50),
        (403, {"Retry-After": "60"}, 60),
        (403, {"X-RateLimit-Remaining": "9", "X-RateLimit-Reset": f"{NOW + 50}"}, None),
        (403, {"X-RateLimit-Reset": f"{NOW + 50}"}, None),
        (401, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": f"{NOW + 50}"}, None),
    ],
)
def test_forbidden_may_mean_that_a_quota_is_spent(
    status: int, headers: dict[str, str], seconds: float | None
) -> None:
    """As GitHub has it; otherwise it is about what was asked."""
    found = CIMultiDict(headers)

    assert pause_asked_for(found, b"", now=NOW, status=status) == seconds
    assert is_too_much(status, found) == (seconds is not None)
