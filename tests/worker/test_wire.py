"""What may pass between the daemon and its workers: plain values, and nothing that acts."""

import pickle
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ingestd.worker import wire

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    "value",
    [
        {"text": ["a", 1, 2**70, 0.5, None, True, (b"x", bytearray(b"y")), {1}, frozenset({2})]},
        datetime.fromisoformat("2024-01-01T12:00"),
        datetime(2024, 1, 1, 12, tzinfo=UTC),
        datetime(2024, 1, 1, 12, tzinfo=BERLIN),
        datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=BERLIN),
        date(2024, 1, 1),
        time(1, 2, 3, tzinfo=timezone(timedelta(hours=2))),
        time(1, tzinfo=BERLIN),
        timedelta(days=1, microseconds=1),
        BERLIN,
    ],
    ids=repr,
)
def test_plain_values_arrive_as_they_were(value: Any) -> None:
    """Builtins, dates, times and their zones are all that plugins and params hold."""
    assert wire.decode(wire.encode(value)[wire.LENGTH_BYTES :]) == value


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("zoneinfo", "_tzpath.os.system"),
        ("zoneinfo", "_tzpath"),
        ("zoneinfo", "ZoneInfo.from_file"),
        ("datetime", "sys.modules"),
        ("datetime", "datetime.fromisoformat"),
        ("builtins", "eval"),
        ("os", "system"),
    ],
)
def test_no_message_reaches_code(module: str, name: str) -> None:
    """A worker that a plugin has taken over can name nothing in the daemon to be called."""
    parts = b"".join(pickle.SHORT_BINUNICODE + bytes([len(s)]) + s.encode() for s in (module, name))
    body = pickle.PROTO + b"\x04" + parts + pickle.STACK_GLOBAL + pickle.STOP

    with pytest.raises(pickle.UnpicklingError, match=f"{module}.{name} has no business here"):
        wire.decode(body)
