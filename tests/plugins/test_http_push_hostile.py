"""What strangers may write into any format: endless, huge or without sense."""

import base64
import bz2
from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ingestd.collecting.points import Naming
from ingestd.config import Catalogue
from ingestd.plugins.http_push.formats.beaded import beaded
from ingestd.plugins.http_push.formats.bmon import batch, old, single
from ingestd.plugins.http_push.formats.lines import lines
from ingestd.plugins.http_push.formats.message import (
    FormatError,
    Found,
    Message,
    TooLargeError,
)
from ingestd.plugins.http_push.formats.notehub import notehub
from ingestd.plugins.http_push.formats.plain import readings
from ingestd.plugins.http_push.formats.radiobridge import radio_bridge
from ingestd.plugins.http_push.routes import ROUTES, Route
from ingestd.plugins.http_push.things import Things
from tests.support.deadline import WITHIN
from tests.support.pushmessages import NOW, message

ENDLESS: Final = "1" * 200_000


@pytest.mark.timeout(WITHIN)
@pytest.mark.parametrize("text", [ENDLESS, f"{ENDLESS}x", f"1.{ENDLESS}x", f"1e{ENDLESS}x"])
def test_endless_numbers_are_refused_at_once(text: str) -> None:
    """A text of a megabyte is no number, and it does not take hours to say so."""
    assert lines(message(f"cpu value={text} 1\n".encode())).rejected == 1
    assert batch(message({"readings": [[1, "a", text]]})).rejected == 1
    assert readings(message([[1, "a", text]])).rejected == 1
    for listed in (f"[({text}, 'a', 1)]", f"[(1, {text}, 1)]", f"[(1, 'a', {text})]"):
        inside = base64.b64encode(bz2.compress(listed.encode())).decode()
        document = {"reading_type": "ts_id_val_bz2", "readings": inside}
        with pytest.raises(FormatError, match="readings: expected"):
            notehub(Message({}, {}, document, NOW, 1_000_000, 1_000_000))


def test_what_becomes_more_than_it_is_is_refused() -> None:
    """A long name for each of many short fields, and many short readings in a small body."""
    wide = f"{'m' * 1000} {','.join(f'f{n}=1' for n in range(2000))} 1".encode()
    packed = base64.b64encode(bz2.compress(b"[" + b"(1,'a',1)," * 20_000 + b"(1,'a',1)]")).decode()
    unpacked = {"reading_type": "ts_id_val_bz2", "readings": packed}

    with pytest.raises(TooLargeError, match="expected readings of at most 1000000 bytes"):
        lines(message(wide))
    with pytest.raises(TooLargeError, match="expected readings of at most 1000000 bytes"):
        readings(message([[1, "a", 1]] * 10_000))
    with pytest.raises(TooLargeError, match="expected readings of at most 1000000 bytes"):
        notehub(Message({}, {}, unpacked, NOW, 1_000_000, 1_000_000))


HUGE: Final = 10**400


@pytest.mark.parametrize(
    ("find", "document"),
    [
        (
            batch,
            {"format": "particle", "coreid": "c", "data": "T=1a", "published_at": float("nan")},
        ),
        (batch, {"format": "particle", "coreid": "c", "data": "T=1a", "published_at": HUGE}),
        (batch, {"format": "particle", "coreid": "c", "data": "T=1a a=nan", "published_at": 1}),
        (radio_bridge, {"payload_fields": {"EVENT_TYPE": "01", "BATTERY_LEVEL": HUGE}}),
        (notehub, {"reading_type": "standalone", "best_id": "b", "when": HUGE, "temp": 1}),
        (beaded, b'<?xml version="1.0" encoding="klingon"?>\n<a></a>'),
    ],
)
def test_numbers_that_are_no_finite_ones_are_told(
    find: Callable[[Message], Found], document: Any
) -> None:
    """JSON of Python may hold NaN, Infinity, and integers of any length."""
    with pytest.raises(FormatError):
        find(message(document))


@pytest.mark.parametrize("event", [["01"], {"01": 1}, 1, None])
def test_radio_bridge_events_are_texts(event: Any) -> None:
    """Anything else is an event that tells nothing."""
    assert radio_bridge(message({"payload_fields": {"EVENT_TYPE": event}})).note == "No Data"


def test_huge_numbers_cost_themselves_alone() -> None:
    """A plain reading may have one as its time or its value."""
    found = readings(message([[HUGE, "a", 1], [1, "a", HUGE], [1, "a", 1]]))

    assert (found.readings, found.rejected) == ([(1, "a", 1.0, {})], 2)

    card = {"reading_type": "standalone", "best_id": "b", "when": 1, "temp": HUGE, "voltage": 3}
    found = notehub(message(card))

    assert (found.readings, found.rejected) == ([(1, "b_vdd", 3.0)], 1)


@pytest.mark.parametrize("error", [OverflowError, TypeError, ValueError, RecursionError])
def test_what_a_format_trips_over_is_the_fault_of_the_message(error: type[Exception]) -> None:
    """The sender is told, and there is no traceback for what a stranger wrote."""

    def trip(_: Message) -> Found:
        raise error

    route = Route("odd", ROUTES[0].path, ROUTES[0].parse, trip)
    with pytest.raises(FormatError, match="odd: expected another message"):
        route.readings(message({}))


FIELDS: Final = """
    format readings sensorMessages sensorID messageDate plotValues coreid published_at data
    hardware_serial payload_fields metadata time gateways snr EVENT_TYPE BATTERY_LEVEL TEMPERATURE
    SENSOR_STATE uplink_message end_device_ids dev_eui decoded_payload received_at rx_metadata
    reading_type body device best_id when temp voltage series value tags id val ts
"""
KEYS: Final = st.sampled_from(FIELDS.split())
SCALARS: Final = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        [HUGE, -HUGE, "01", "07", "09", "monnit", "particle", "standalone", "fields_in_body"]
    )
    | st.sampled_from(
        ["ts_id_val_bz2", "a=1 T=2a", "2026-01-01", "1|2", "\ud800", "9" * 70, "Infinity"]
    )
)
DOCUMENTS: Final = st.recursive(
    SCALARS,
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(KEYS, inside, max_size=6),
    max_leaves=12,
)
LINES: Final = st.lists(
    st.sampled_from(
        ["cpu", ",", "a", "=", " ", "1", ".5", "i", '"', "\\", "\n", "9" * 25, "t", "#"]
    )
    | st.text(max_size=3),
    max_size=25,
).map(lambda parts: "".join(parts).encode(errors="surrogatepass"))
XML: Final = st.lists(
    st.sampled_from(
        ["<a>", "</a>", "<owd_DS18>", "</owd_DS18>", "<SensorID>", "</SensorID>", "&#0;", "&x;"]
    )
    | st.sampled_from(
        ["<TemperatureCalibrated>", "</TemperatureCalibrated>", "1e999", "\n", "<?xml", "?>"]
    )
    | st.sampled_from([' version="1.0"', ' encoding="utf-7"', "\x00"]),
    max_size=15,
).map(lambda parts: "".join(parts).encode())
PACKED: Final = st.lists(
    st.sampled_from(
        ["[", "]", "(", ")", ", ", "1", "'a'", "None", "nan", "0123", "'\\x'", "1e9", "-"]
    )
    | st.text(max_size=2),
    max_size=20,
).map(lambda parts: f"[(1, 'a', 1), {''.join(parts)}]")


def found_by(find: Callable[[Message], Found], document: Any) -> list[Any]:
    """Return the readings that a format finds, none if it says what it expects instead."""
    try:
        return find(Message({}, {"id": "x"}, document, NOW, 100_000, 100_000)).readings
    except (FormatError, TooLargeError):
        return []


def unusable(readings: list[Any]) -> list[str]:
    """Return why the daemon refuses some of these readings, each alone: none can contradict it."""
    naming = Naming(measurement="m", field="value", tags={}, catalogue=Catalogue())
    return [text for each in readings for text in naming.sort([each], now=NOW).samples]


def refused(readings: list[Any]) -> int:
    """Return how many of these readings the daemon refuses; all have to be good ones alone."""
    naming = Naming(measurement="m", field="value", tags={}, catalogue=Catalogue())
    found = naming.sort(readings, now=NOW)
    assert set(found.unusable) <= {"contradiction"}
    return found.unusable.total()


def contradicted(readings: list[Any]) -> int:
    """Return how many have another value than the last one of their series and time."""
    naming = Naming(measurement="m", field="value", tags={}, catalogue=Catalogue())
    points = [naming.point(each, now=NOW) for each in readings]
    last = {(series, time): value for series, time, value in points}
    return sum(value != last[series, time] for series, time, value in points)


@pytest.mark.slow  # 300 examples
@settings(max_examples=300, deadline=None)
@given(
    DOCUMENTS,
    st.dictionaries(KEYS, DOCUMENTS, max_size=8),
    st.lists(st.lists(SCALARS, min_size=3, max_size=3), max_size=4),
)
@example(None, {}, [[1, "a", 1], [1, "a", 2], [1, "a", 1]])
def test_the_daemon_stores_what_is_found_in_any_document(
    document: Any, fields: dict[str, Any], rows: list[list[Any]]
) -> None:
    """No document is a bug, and no sender is told that a reading is stored which is not.

    Readings of one series and time contradict each other: the last value is stored.
    """
    found = []
    for find in (batch, Things().find, radio_bridge, notehub):
        found += found_by(find, fields)
    for form in ("monnit", "particle"):
        found += found_by(batch, {**fields, "format": form})
    for kind in ("standalone", "fields_in_body", "ts_id_val_bz2"):
        card = {"device": "d", "best_id": "b", "when": 1, **fields, "reading_type": kind}
        found += found_by(notehub, card)
    for find in (single, old):
        found += found_by(find, {key: str(value) for key, value in fields.items()})
    found += found_by(readings, document) + found_by(readings, [document])
    found += found_by(readings, rows) + found_by(batch, {"readings": rows})

    assert unusable(found) == []
    assert refused(found) == contradicted(found)


@pytest.mark.slow  # 300 examples
@settings(max_examples=300, deadline=None)
@given(LINES, XML, PACKED)
def test_the_daemon_stores_what_is_found_in_any_text(
    line: bytes, document: bytes, listed: str
) -> None:
    """The same is true of line protocol, XML and packed lists."""
    inside = base64.b64encode(bz2.compress(listed.encode(errors="replace"))).decode()
    found = found_by(lines, line) + found_by(beaded, document)
    found += found_by(notehub, {"reading_type": "ts_id_val_bz2", "readings": inside})

    assert unusable(found) == []
    assert refused(found) == contradicted(found)
