"""What answers of servers mean; the texts are those that servers really send."""

import pytest

from ingestd.errors import BodyRejected, BodyTooLarge, StoreUnavailable
from ingestd.sinks.answers import Reply, error_of, named

NOW = 1_700_000_000.0
LINES = [
    "m,series=a value=1.0 10",
    "m,series=b value=2.0 30",
    "m,series=c value=3.0 20",
    "n\\ x,series=it's value=4.0 40",
]


def test_success() -> None:
    """Every server that we write lines to says 204 when everything is stored."""
    assert error_of(Reply(204), where="w", now=NOW) is None


@pytest.mark.parametrize(
    "reply",
    [
        *(Reply(status, "x") for status in (401, 403, 404, 405, 408, 425, 429, 500, 502, 503, 504)),
        Reply(302, location="https://sso.example.org/login"),
        Reply(301),
        Reply(200),
        Reply(200, "<html>", "text/html"),
        Reply(200, "<!DOCTYPE html><html>please log in", "text/plain"),
        Reply(400, "<html><title>400 Bad Request</title>", ""),
        Reply(400, "Client sent an HTTP request to an HTTPS server.\n", "text/plain"),
        Reply(400, "your quota is used up", "text/plain"),
        Reply(422, "{}", "application/json"),
        Reply(400, "<html>The plain HTTP request was sent to HTTPS port", "text/html"),
        Reply(500, '{"error":"retention policy not found: nope"}', "application/json"),
        Reply(500, '{"error":"timeout"}', "application/json"),
    ],
)
def test_outage(reply: Reply) -> None:
    """What passes by itself, or can be mended by an operator, is an outage."""
    assert isinstance(error_of(reply, where="w", now=NOW), StoreUnavailable)


def test_outage_carries_retry_after() -> None:
    """The delivery learns how long to wait."""
    error = error_of(Reply(503, retry_after="3s"), where="w", now=NOW)

    assert isinstance(error, StoreUnavailable)
    assert error.retry_after == 3


@pytest.mark.parametrize("content_type", ["application/json", "text/html"])
def test_too_large(content_type: str) -> None:
    """A body can be too large for the server or for a proxy before it."""
    assert isinstance(error_of(Reply(413, "x", content_type), where="w", now=NOW), BodyTooLarge)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(400, '{"error":"unable to parse"}', "application/json"),
        Reply(422, '{"message":"no such field"}', "application/json"),
        Reply(
            500,
            '{"code":"internal error","message":"unexpected error writing points to database: '
            'partial write: points beyond retention policy dropped=1"}',
        ),
    ],
)
def test_refusal(reply: Reply) -> None:
    """A body that the server understood and will not have is refused."""
    assert isinstance(error_of(reply, where="w", now=NOW), BodyRejected)


def test_message_is_found_behind_a_byte_order_mark() -> None:
    """Gateways on Windows write it before their JSON."""
    error = error_of(Reply(503, '\ufeff{"message":"overloaded"}'), where="w", now=NOW)

    assert str(error) == "w: HTTP 503: overloaded"


def test_message_is_short_and_says_where() -> None:
    """People read where it happened and the server's own words, not a page of them."""
    error = error_of(
        Reply(503, '{"code":"unavailable","message":"engine is\\n overloaded ' + "x" * 9999 + '"}'),
        where="http://h/write",
        now=NOW,
    )

    assert str(error).startswith("http://h/write: HTTP 503: engine is overloaded xxx")
    assert len(str(error)) < 400


def test_redirect_does_not_show_its_query() -> None:
    """A login address may carry tokens behind its question mark."""
    reply = Reply(302, location="https://sso.example.org/login?token=abc")

    assert "sso.example.org/login" in str(error_of(reply, where="w", now=NOW))
    assert "abc" not in str(error_of(reply, where="w", now=NOW))


@pytest.mark.parametrize(
    ("text", "bad"),
    [
        pytest.param(
            '{"error":"partial write: unable to parse \'m,series=b value=2.0 30\': invalid number'
            ' dropped=0"}',
            {1},
            id="InfluxDB 1, one line not understood",
        ),
        pytest.param(
            '{"error":"unable to parse \'m,series=a value=1.0 10\': invalid number\\nunable to '
            "parse 'n\\\\ x,series=it's value=4.0 40': invalid field format\"}",
            {0, 3},
            id="InfluxDB 1, lines not understood",
        ),
        pytest.param(
            '{"error":"partial write: field type conflict: input field \\"value\\" on measurement'
            ' \\"n x\\" is type float, already exists as type integer dropped=1"}',
            {3},
            id="InfluxDB 1, a type conflict that explains itself",
        ),
        pytest.param(
            '{"error":"partial write: field type conflict: input field \\"value\\" on measurement'
            ' \\"m\\" is type float, already exists as type integer dropped=2"}',
            set(),
            id="InfluxDB 1, a type conflict in some shards only",
        ),
        pytest.param(
            '{"error":"partial write: points beyond retention policy dropped=2"}',
            {0, 2},
            id="InfluxDB 1, too old",
        ),
        pytest.param(
            '{"code":"unprocessable entity","message":"failure writing points to database: partial '
            "write: dropped 1 points outside retention policy of duration 24h0m0s - oldest point "
            "m,series=a at 2022-05-09T10:22:00Z dropped because it violates a Retention Policy "
            'Lower Bound at 2025-03-05T16:34:57Z, newest point ... dropped=1 for database: 91"}',
            {0},
            id="InfluxDB 2, too old",
        ),
        pytest.param(
            '{"message":"partial write: dropped 2 points outside retention policy - oldest point x '
            "violates a Retention Policy Lower Bound, newest point y violates a Retention Policy"
            ' Upper Bound dropped=2"}',
            set(),
            id="InfluxDB 2, too old and too new",
        ),
        pytest.param(
            '{"error":"partial write: max-values-per-tag limit exceeded (1/1): dropped=1"}',
            set(),
            id="InfluxDB 1, dropped for a reason that names none",
        ),
        pytest.param(
            '{"code":"invalid","line":2,"message":"failed to parse line protocol: errors '
            "encountered on line(s): error parsing line 2 (1-based): Invalid measurement\\n"
            'error parsing line 4 (1-based): no fields"}',
            {1, 3},
            id="InfluxDB Cloud, numbers in the text",
        ),
        pytest.param(
            '{"code":"invalid","line":3,"message":"no such column"}',
            {2},
            id="InfluxDB Cloud, a number apart",
        ),
        pytest.param(
            '{"error":"partial write of line protocol occurred","data":[{"original_line":"x",'
            '"line_number":2,"error_message":"invalid"},{"line_number":99},{"line_number":"x"}]}',
            {1},
            id="InfluxDB 3, a list",
        ),
        pytest.param(
            '{"error":"parsing failed for write_lp endpoint","data":{"original_line":"x",'
            '"line_number":3,"error_message":"invalid"}}',
            {2},
            id="InfluxDB 3, one",
        ),
        pytest.param('{"error": 7, "message": ["x"], "line": true}', set(), id="strange"),
        pytest.param("[1, 2]", set(), id="not an object"),
        pytest.param("not JSON", set(), id="not JSON"),
    ],
)
def test_named_lines_are_found(text: str, bad: set[int]) -> None:
    """A server that names lines in one of many ways is understood; others name none."""
    found = named(text, LINES)

    assert set(found) == bad
    assert all(0 < len(why) < 400 for why in found.values())
