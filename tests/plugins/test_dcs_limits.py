"""Rate limits of a DCS server: how it tells them, and that all callers keep to them."""

import pytest

from ingestd.plugins.dcs.endpoint import JITTER, Endpoint

DATE = "Fri, 01 Mar 2024 12:00:00 GMT"
SPENT = {"X-Rate-Limit-Remaining": "0"}
MINUTE_LATER = "Fri, 01 Mar 2024 12:01:00 GMT"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Retry-After": "60"}, b""),
        ({"Retry-After": "60s"}, b""),
        ({"Retry-After": "1m"}, b'{"backOffSuggestion": 5}'),
        ({"Retry-After": MINUTE_LATER, "Date": DATE}, b""),
        ({"Retry-After": "soon"}, b'{"backOffSuggestion": 60}'),
        ({**SPENT, "X-Rate-Limit-Reset": "2024-03-01T12:01Z", "Date": DATE}, b""),
    ],
)
async def test_pause_lasts_as_long_as_the_server_says(headers: dict[str, str], body: bytes) -> None:
    """A date counts by the server's own clock, since ours may be years ahead."""
    endpoint = Endpoint("https://dcs.example.org", "current")

    endpoint.note(429, headers, body)

    assert 59 < endpoint.pause <= 60 + JITTER
