"""What the text of an option may be."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.config import options
from ingestd.plugins._units import duration


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (options.flag, "yes", True),
        (options.flag, "Off", False),
        (options.whole, "0123", 123),
        (options.whole, "200_000", 200_000),
        (options.number, "-1.5e3", -1500.0),
        (options.url, "http://[::1]:8086/base/", "http://[::1]:8086/base"),
        (options.listen, "[::1]:8470", "[::1]:8470"),
        (options.listen, "unix:/run/ingestd/api.sock", "unix:/run/ingestd/api.sock"),
        (options.listen, "off", "off"),
        (options.label, "roof_1.a-b", "roof_1.a-b"),
        (options.moment, "2000-01-01", 946_684_800.0),
        (options.moment, "2000-01-01T01:00+01:00", 946_684_800.0),
    ],
)
def test_good_values_are_read(read: Callable[[str], object], text: str, value: object) -> None:
    """Each kind of option takes what it should."""
    assert read(text) == value


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (options.text, ""),
        (options.text, "  "),
        (options.text, "two\nlines"),
        (options.text, "nul\0"),
        (options.label, "a b"),
        (options.label, "-x"),
        (options.label, "a/b"),
        (options.field_name, "time"),
        (options.tag_name, "series"),
        (options.tag_name, "time"),
        (options.flag, "1"),
        (options.whole, "1.5"),
        (options.whole, "9" * 5000),
        (options.number, "nan"),
        (options.number, "inf"),
        (options.factor, "0.0"),
        (options.one_of(("once", "none")), "twice"),
        (options.bounded(duration, "1s"), "999ms"),
        (options.bounded(duration, "1s", "1m"), "61s"),
        (options.url, "127.0.0.1:8086"),
        (options.url, "ftp://host"),
        (options.url, "http://"),
        (options.url, "http://host:port"),
        (options.url, "http://[::1"),
        (options.url, "http://user@host"),
        (options.url, "http://host?db=x"),
        (options.listen, "8470"),
        (options.listen, ":8470"),
        (options.listen, "::1:8470"),
        (options.listen, "host:99999"),
        (options.listen, "unix:relative"),
        (options.moment, "2000"),
        (options.moment, "20000101"),
        (options.moment, "yesterday"),
        (options.moment, "9999-01-01"),
    ],
)
def test_bad_values_are_refused_with_what_was_expected(
    read: Callable[[str], object], text: str
) -> None:
    """Each kind of option says what it expected, and leaves what it got to others."""
    with pytest.raises(ValueError, match=r"^expected"):
        read(text)


@pytest.mark.parametrize(
    ("listen", "private"),
    [
        ("127.0.0.1:1", True),
        ("127.9.9.9:1", True),
        ("[::1]:1", True),
        ("localhost:1", True),
        ("unix:/x", True),
        ("off", True),
        ("0.0.0.0:1", False),
        ("[::]:1", False),
        ("192.168.0.1:1", False),
        ("meters.example.org:1", False),
    ],
)
def test_only_loopback_addresses_are_private(listen: str, *, private: bool) -> None:
    """An address that another machine can reach is not private."""
    assert options.is_private(options.listen(listen)) is private


@given(st.text(max_size=30))
def test_arbitrary_text_is_read_or_refused(text: str) -> None:
    """No reader lets anything but ValueError out."""
    readers: list[Callable[[str], object]] = [
        options.text,
        options.label,
        options.flag,
        options.whole,
        options.number,
        options.factor,
        options.url,
        options.listen,
    ]
    for read in readers:
        try:
            read(text)
        except ValueError as exc:
            assert str(exc).startswith("expected")  # noqa: PT017 - either way is fine
