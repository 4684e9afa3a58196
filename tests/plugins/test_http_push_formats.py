"""What senders write, and what is found in it: no sockets, no tasks."""

import base64
import bz2
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestd.plugins.http_push.formats.beaded import beaded
from ingestd.plugins.http_push.formats.bmon import batch, old, single
from ingestd.plugins.http_push.formats.lines import lines
from ingestd.plugins.http_push.formats.message import (
    FormatError,
    Found,
    Message,
    TooLargeError,
    parse_json,
)
from ingestd.plugins.http_push.formats.notehub import notehub
from ingestd.plugins.http_push.formats.plain import readings
from ingestd.plugins.http_push.formats.radiobridge import radio_bridge
from ingestd.plugins.http_push.formats.things import things
from ingestd.plugins.http_push.routes import ROUTES, Route

SAMPLES: Final = Path(__file__).parents[1] / "samples" / "bmon"
NOW: Final = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()


def message(document: Any, *, query: Mapping[str, str] | None = None, **named: str) -> Message:
    """Return a message that has just come."""
    return Message(query or {}, named, document, NOW, 1000, 1_000_000)


def unix(text: str) -> int:
    """Return the Unix seconds of an ISO time."""
    return int(datetime.fromisoformat(text).timestamp())


# -- BMON's own


@pytest.mark.parametrize(
    ("ts", "expected"),
    [
        ("2025-10-07 13:59:30", "2025-10-07T13:59:30Z"),
        ("2025-10-07T13:59:30.9Z", "2025-10-07T13:59:30Z"),
        ("2025-10-07T13:59:30-09:00", "2025-10-07T13:59:30Z"),
        ("10/7/2025 1:59 pm", "2025-10-07T13:59:00Z"),
        ("7 Oct 2025", "2025-10-07T00:00:00Z"),
        ("20251007T135930", "2025-10-07T13:59:30Z"),
        ("06:30", "2026-03-01T06:30:00Z"),
        ("1759845570", "2025-10-07T13:59:30Z"),
    ],
)
def test_a_time_is_read_as_bmon_reads_it(ts: str, expected: str) -> None:
    """As UTC, whatever offset is written, and in nearly every notation."""
    found = single(message({"val": "3.5", "ts": ts}, id="oil_flow"))

    assert found.readings == [(unix(expected), "oil_flow", 3.5)]


@pytest.mark.parametrize("ts", ["yesterday", "", "2025-13-45", "9" * 50, "²" * 10])
def test_a_time_that_is_none_is_not_now(ts: str) -> None:
    """A reading without its time would be wrong for ever."""
    found = single(message({"val": "3.5", "ts": ts}, id="oil_flow"))

    assert (found.readings, found.rejected) == ([], 1)


@pytest.mark.parametrize(
    ("val", "value"), [("71.3", 71.3), ("Closed", 1.0), ("Off", 0.0), ("-4 C", -4.0)]
)
def test_one_reading_comes_without_a_time(val: str, value: float) -> None:
    """It is of now, in whole seconds, and its value may be a word."""
    assert single(message({"val": val}, id="x")).readings == [(int(NOW), "x", value)]
    assert old(message({"val": val, "id": "a.b"})).readings == [(int(NOW), "a.b", value)]


def test_a_batch_as_documented_is_read() -> None:
    """The sample of BMON's documentation."""
    document = json.loads((SAMPLES / "store-many.json").read_text())

    assert batch(message(document)).readings == [
        (1432327040, "28.FFFA1C031400", 71.788),
        (1432327042, "test_cpu_temp", 45.527),
        (1432327040, "28.FF1A2D021400", 65.859),
    ]


def test_bad_readings_of_a_batch_cost_themselves_alone() -> None:
    """Rejected ones are told; those without a value are nothing; NaN comes from Python."""
    document = parse_json(
        b'{"readings": [[1.9, "a", 1], [null, 7, "On"], [1, "b", NaN], [1, "c", null],'
        b' [1, "d"], [1, "e", "??"], ["soon", "f", 1], [1, "", 1], [1700000000000, "g", 1]]}'
    )
    found = batch(message(document))

    assert found.readings == [(1, "a", 1.0), (int(NOW), "7", 1.0)]
    assert found.rejected == 5
    assert "e: expected a number or a known word, got '??'" in found.samples


def test_particle_as_documented_is_read() -> None:
    """Averages are dated back by the age that the message tells."""
    document = json.loads((SAMPLES / "store-particle.json").read_text())
    at = unix("2015-11-24T06:21:16Z")
    board = "260034000c47343432313031"

    assert batch(message(document)).readings == [
        (at, f"{board}_T1", 73.2),
        (at, f"{board}_T2", 73.3),
        (at - 300, f"{board}_T3", 73.2),
    ]


def test_particle_without_sense() -> None:
    """A word among the variables is rejected; a message that misses a part altogether is none."""
    base = {"format": "particle", "coreid": "c", "published_at": "2015-11-24T06:21:16Z"}

    found = batch(message({**base, "data": "T1=1 what =3 T2=x"}))
    assert (len(found.readings), found.rejected) == (1, 3)
    for document in ({**base, "data": "T=1a a=x"}, {**base}, {**base, "published_at": "?"}):
        with pytest.raises(FormatError):
            batch(message(document))


def test_monnit_tells_the_first_of_its_values() -> None:
    """The time is UTC in whatever notation; what is no message of a sensor is rejected."""
    messages = [
        {"sensorID": "55512", "messageDate": "1/22/2026 5:36:00 AM", "plotValues": "70.1|21.2"},
        {"sensorID": 55513, "messageDate": "2026-01-22 05:36:00", "plotValues": 1},
        {"sensorID": "55514", "plotValues": "1"},
        "?",
    ]
    found = batch(message({"format": "monnit", "sensorMessages": messages}))

    at = unix("2026-01-22T05:36:00Z")
    assert found.readings == [(at, "55512", 70.1), (at, "55513", 1.0)]
    assert found.rejected == 2
    assert batch(message({"format": "monnit"})).note == "No Data Found"


# -- LoRaWAN

UPLINK_2: Final = {
    "dev_id": "roof-7",
    "hardware_serial": "A81758FFFE0523DB",
    "counter": 3,
    "payload_fields": {"temperature": "21.5", "vdd": 3600, "event": "uplink", "note": {"a": 1}},
    "metadata": {
        "time": "2026-02-03T02:35:43.883078268Z",
        "gateways": [{"snr": 8}, {"snr": 9.5}, {"rssi": -90}],
    },
}
UPLINK_3: Final = {
    "end_device_ids": {"device_id": "roof-7", "dev_eui": "A81758FFFE0523DB"},
    "received_at": "2026-02-03T02:35:44Z",
    "uplink_message": {
        "f_cnt": 3,
        "frm_payload": "Bw4kCAGO",
        "decoded_payload": {"temperature": 21.5, "vdd": 3600},
        "rx_metadata": [{"snr": 9.5}, {}],
        "received_at": "2026-02-03T02:35:43.390609031Z",
    },
}


@pytest.mark.parametrize("uplink", [UPLINK_2, UPLINK_3], ids=["v2", "v3"])
def test_an_uplink_gives_its_decoded_fields(uplink: dict[str, Any]) -> None:
    """Both versions of the network give the same series, values and times."""
    found = things(message(uplink))

    at, device = unix("2026-02-03T02:35:43Z"), "A81758FFFE0523DB"
    assert found.readings == [
        (at, f"{device}_temperature", 21.5),
        (at, f"{device}_vdd", 3600.0),
        (at, f"{device}_snr", 9.5),
    ]


def test_an_uplink_that_is_not_decoded_says_what_to_do() -> None:
    """There is nothing to store, and it is no fault of the sender; nor is a join."""
    silent = {**UPLINK_3, "uplink_message": {**UPLINK_3["uplink_message"], "decoded_payload": {}}}  # type: ignore[dict-item]  # mypy knows no shapes

    assert "payload formatter" in things(message(silent)).note
    assert things(message({"join_accept": {}})).note == "No Data Found"


@pytest.mark.parametrize(
    ("fields", "name", "value"),
    [
        ({"EVENT_TYPE": "01", "BATTERY_LEVEL": "2.9"}, "battery", 2.9),
        ({"EVENT_TYPE": "07", "SENSOR_STATE": 0}, "state", 1.0),
        ({"EVENT_TYPE": "07", "SENSOR_STATE": "1"}, "state", 0.0),
        ({"EVENT_TYPE": "09", "TEMPERATURE": 20}, "temp", 68.0),
    ],
)
def test_radio_bridge_tells_events(fields: dict[str, Any], name: str, value: float) -> None:
    """Closed contacts are 1 and temperatures are Fahrenheit, as in BMON."""
    found = radio_bridge(message({**UPLINK_2, "payload_fields": fields}))

    assert found.readings == [(unix("2026-02-03T02:35:43Z"), f"A81758FFFE0523DB_{name}", value)]


def test_radio_bridge_may_have_nothing_to_tell() -> None:
    """A join or another event is no mistake; an event without its number is one."""
    assert radio_bridge(message({"dev_id": "x"})).note == "No Data"
    assert radio_bridge(message({"payload_fields": {"EVENT_TYPE": "02"}})).note == "No Data"
    with pytest.raises(FormatError, match=r"payload_fields\.TEMPERATURE: expected a finite number"):
        radio_bridge(message({"payload_fields": {"EVENT_TYPE": "09", "TEMPERATURE": "warm"}}))


# -- beadedStream

BEADED: Final = b"""--boundary
Content-Type: text/xml

<?xml version="1.0" encoding="UTF-8"?>
<Devices-Detail-Response xmlns="http://www.embeddeddatasystems.com/schema/owserver">
<owd_DS18B20 Description="thermometer"><SensorID>28FF01</SensorID>
<TemperatureCalibrated Units="Centigrade">10.0</TemperatureCalibrated></owd_DS18B20>
<owd_DS18S20><TemperatureCalibrated>-40</TemperatureCalibrated><SensorID>10AA</SensorID></owd_DS18S20>
<owd_DS18B20><SensorID>28FF02</SensorID></owd_DS18B20>
<owd_DS2438><SensorID>26</SensorID></owd_DS2438>
</Devices-Detail-Response>
--boundary--
"""


def test_beaded_thermometers_are_found_in_xml_between_junk() -> None:
    """In Fahrenheit; one without a temperature is rejected."""
    found = beaded(message(BEADED))

    assert found.readings == [(int(NOW), "bs_28FF01", 50.0), (int(NOW), "bs_10AA", -40.0)]
    assert found.rejected == 1
    assert beaded(message(b"<a></a>")).note == "No Data Found"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"hello", "expected lines of XML"),
        (b"<a><b></a>", "expected XML"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]>\n<a>&b;</a>', "DOCTYPE"),
        (b'<!DOCTYPE a SYSTEM "file:///etc/passwd">\n<a/>', "DOCTYPE"),
        (b"<a>" * 1000, "levels"),
    ],
)
def test_bad_and_dangerous_xml_is_refused(body: bytes, problem: str) -> None:
    """No entity is ever defined, so none can grow or fetch anything."""
    with pytest.raises(FormatError, match=problem):
        beaded(message(body))


# -- Notehub


def packed(text: str) -> str:
    """Return what a Notecard makes of a list."""
    return base64.b64encode(bz2.compress(text.encode())).decode()


def test_notehub_fields_of_a_body() -> None:
    """By what it says, or by its product; the device's number comes without its kind."""
    base = {"device": "dev:864475", "when": 1700000000, "body": {"power": 5, "state": "On"}}
    expected = [(1700000000, "864475_power", 5.0), (1700000000, "864475_state", 1.0)]

    for how in ({"reading_type": "fields_in_body"}, {"product": "org.example:pv_monitoring"}):
        assert notehub(message({**base, **how})).readings == expected


def test_notehub_card_by_itself() -> None:
    """It tells its own temperature, in Fahrenheit as BMON keeps it, and its voltage."""
    base = {"best_id": "attic", "when": 1700000000, "temp": 20, "voltage": 3.1}

    for how in ({"reading_type": "standalone"}, {"product": "org.example:tempmonitor"}):
        assert notehub(message({**base, **how})).readings == [
            (1700000000, "attic_temperature", 68.0),
            (1700000000, "attic_vdd", 3.1),
        ]


@pytest.mark.parametrize(
    "wrap", [dict, lambda **body: {"body": body}], ids=["routed body", "whole event"]
)
def test_notehub_packed_lists(wrap: Callable[..., dict[str, Any]]) -> None:
    """As Python writes a list of tuples, whatever is in it."""
    listed = (
        "[(1700000000.5, 'a_1', 20.5), [1700000001, \"it's\", 'On'], (1, 'b', None), (2, 'c', nan)]"
    )
    document = wrap(reading_type="ts_id_val_bz2", readings=packed(listed))

    found = notehub(message(document))
    assert found.readings == [(1700000000, "a_1", 20.5), (1700000001, "it's", 1.0)]
    assert found.rejected == 0
    assert (
        notehub(message(wrap(reading_type="ts_id_val_bz2", readings=packed("[]")))).readings == []
    )


@pytest.mark.parametrize(
    ("readings", "problem"),
    [
        ("no base64!", "base64"),
        (base64.b64encode(b"no bz2").decode(), "bz2"),
        (None, "base64"),
        (packed("__import__('os')"), r"expected \[\(time"),
        (packed("[(1, 'a', __import__('os'))]"), r"expected \[\(time"),
        (packed("[(1, 'a', 2)] + [1]"), "end of the list"),
        (packed("[(1, 'a', 2)"), r"expected \[\(time"),
        (packed("[" * 900), r"expected \[\(time"),
    ],
)
def test_notehub_lists_that_are_none(readings: Any, problem: str) -> None:
    """Nothing is run, and nothing is nested."""
    with pytest.raises(FormatError, match=problem):
        notehub(message({"reading_type": "ts_id_val_bz2", "readings": readings}))


def test_a_bomb_in_a_packed_list_is_refused() -> None:
    """What would become too large is not unpacked to its end."""
    bomb = packed("[" + " " * 10_000_000 + "]")

    with pytest.raises(TooLargeError, match="at most 1000 bytes"):
        notehub(message({"reading_type": "ts_id_val_bz2", "readings": bomb}))


def test_notehub_of_an_unknown_kind() -> None:
    """It says which there are."""
    with pytest.raises(FormatError, match="fields_in_body, standalone or ts_id_val_bz2, got None"):
        notehub(message({"product": "x"}))


# -- line protocol


def written(text: str, **query: str) -> Found:
    """Return what is found in lines."""
    return lines(message(text.encode(), query=query))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("cpu,host=a usage=1.5 1000000000", [(1.0, "cpu_usage", 1.5, {"host": "a"})]),
        ("cpu value=1i 1500000000", [(1.5, "cpu", 1.0, {})]),
        ("cpu value=7u,idle=-2.5e3 0", [(0, "cpu", 7.0, {}), (0, "cpu_idle", -2500.0, {})]),
        ("cpu value=t,b=F", [(NOW, "cpu", 1.0, {}), (NOW, "cpu_b", 0.0, {})]),
        ('cpu name="x, y=\\"z\\" \n1",value=.5 0', [(0, "cpu", 0.5, {})]),
        ("reading,series=kitchen,site=b value=2 0", [(0, "kitchen", 2.0, {"site": "b"})]),
        ("reading,series=kitchen amps=2 0", [(0, "kitchen_amps", 2.0, {})]),
        (r"a\ b\,c,k\=1=v\ w f\,g=1 0", [(0, "a b,c_f,g", 1.0, {"k=1": "v w"})]),
        (r"C:\dir value=1 0", [(0, r"C:\dir", 1.0, {})]),
        ("cpu  value=1   1000000000 \r", [(1.0, "cpu", 1.0, {})]),
        ("cpu value=1\r", [(NOW, "cpu", 1.0, {})]),
        ("wetter,ort=Köln °C=3 0", [(0, "wetter_°C", 3.0, {"ort": "Köln"})]),
        ('only text="x" 0', []),
        ("# a comment", []),
    ],
)
def test_a_line_gives_a_reading_for_each_number(line: str, expected: list[Any]) -> None:
    """Named by measurement and field, or by the tag ``series`` that ingestd itself writes."""
    found = written(f"\n{line}\n\n")

    assert (found.readings, found.samples) == (expected, [])


@pytest.mark.parametrize(
    ("precision", "stamp"),
    [
        ("ns", 3_600_000_000_000),
        ("u", 3_600_000_000),
        ("us", 3_600_000_000),
        ("ms", 3_600_000),
        ("s", 3600),
        ("m", 60),
        ("h", 1),
    ],
)
def test_the_precision_is_that_of_the_request(precision: str, stamp: int) -> None:
    """Both versions of the API have names for them."""
    assert written(f"cpu value=1 {stamp}", precision=precision).readings[0][0] == 3600


def test_microseconds_are_kept() -> None:
    """A time in nanoseconds comes as a float whose microseconds are right."""
    ((time, *_),) = written("cpu value=1 1767225600123456789").readings

    assert round(time * 1e6) == 1767225600123457


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        ("cpu", "expected tags and a space"),
        (",a=b value=1", "expected a measurement"),
        ("cpu,a= value=1", "expected tags and a space"),
        ("cpu value=", "expected a field"),
        ("cpu value=one", "value: expected a number or a text"),
        ("cpu value=1 soon", "expected a time"),
        ("cpu value=1 1 1", "expected a time"),
        ("cpu,a=b\x07 value=1", "expected printable tags"),
        ("cpu value=1e999 1", "value: expected a number or a text"),
        ("cpu value=1 1" + "0" * 19, "expected a year"),
        ('cpu value="open', "expected a field"),
    ],
)
def test_bad_lines_are_told_and_cost_themselves_alone(bad: str, problem: str) -> None:
    """The lines around them are read."""
    found = written(f"a value=1 0\n{bad}\nb value=2 0")

    assert [reading[1] for reading in found.readings] == ["a", "b"]
    assert problem in found.samples[0]


def test_an_unknown_precision_is_told() -> None:
    """Rather than stored fifty years off."""
    with pytest.raises(FormatError, match=r"precision: expected one of n, ns, .* got 'fortnight'"):
        written("cpu value=1 1", precision="fortnight")


# -- plain JSON


def test_plain_readings_are_those_of_a_plugin() -> None:
    """As lists or as objects, with times of every kind."""
    told = [
        [1.5, "a", 1],
        [None, "a", "2.5", {"site": "b"}],
        ["2026-01-01T00:00:00+01:00", "a", True],
        {"time": 2, "series": "a", "value": 3, "tags": {"k": "v"}},
    ]
    expected = [
        (1.5, "a", 1.0, {}),
        (NOW, "a", 2.5, {"site": "b"}),
        (unix("2025-12-31T23:00:00Z"), "a", 1.0, {}),
        (2, "a", 3.0, {"k": "v"}),
    ]

    assert readings(message(told)).readings == expected
    assert readings(message({"readings": told})).readings == expected


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        ([1, "a"], "expected [time, series, value]"),
        ("a", "expected [time, series, value]"),
        ([1, "a", "On"], "expected a finite number"),
        ([1, "a", None], "expected a finite number"),
        ([1, "a", float("nan")], "expected a finite number"),
        ([1, "a", 10**400], "expected a finite number"),
        (["2026-01-01T00:00:00", "a", 1], "expected Unix seconds"),
        (["soon", "a", 1], "expected Unix seconds"),
        ([True, "a", 1], "expected Unix seconds"),
        ([1, "", 1], "expected a printable name"),
        ([1, None, 1], "expected a printable name"),
        ([1, ["a"], 1], "expected a printable name"),
        ([1, "a", 1, {"k": 1}], "expected an object of text tags"),
        ([1, "a", 1, {"series": "b"}], "expected an object of text tags"),
        ([1, "a", 1, []], "expected an object of text tags"),
        ([1e15, "a", 1], "milliseconds?"),
        ([5e10, "a", 1], "expected a year"),
    ],
)
def test_bad_plain_readings_are_told(bad: Any, problem: str) -> None:
    """One by one."""
    found = readings(message([bad, [1, "good", 1]]))

    assert [reading[1] for reading in found.readings] == ["good"]
    assert problem in found.samples[0]


@pytest.mark.parametrize(
    ("find", "document", "problem"),
    [
        (readings, {}, "expected a list of"),
        (readings, 7, "expected a list of"),
        (batch, {}, "readings: expected"),
        (batch, {"format": "morse"}, "format: expected monnit, particle or none, got 'morse'"),
        (batch, {"format": "monnit", "sensorMessages": 1}, "sensorMessages: expected a list"),
        (single, {}, "expected val="),
        (old, {"val": "1"}, "expected id="),
        (things, {**UPLINK_2, "metadata": {}}, "metadata.time: expected an ISO 8601 time"),
        (things, {**UPLINK_2, "hardware_serial": None}, "hardware_serial: expected text"),
        (things, {**UPLINK_2, "payload_fields": [1]}, "payload_fields: expected an object"),
        (notehub, {"reading_type": "standalone", "best_id": "x"}, "when: expected Unix seconds"),
    ],
)
def test_a_document_of_another_kind_is_told(
    find: Callable[[Message], Found], document: Any, problem: str
) -> None:
    """It says what was expected, and where."""
    with pytest.raises(FormatError) as caught:
        find(message(document, id="x"))

    assert problem in str(caught.value)


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 100_000, b"\xff", b"nope"])
def test_what_is_no_json_is_told(body: bytes) -> None:
    """However deep or long it is."""
    with pytest.raises(FormatError, match="expected JSON"):
        parse_json(body)


# -- what would take for ever

ENDLESS: Final = "1" * 200_000


@pytest.mark.timeout(10)
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


# -- whatever may come

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


def outcome_of(find: Callable[[Message], Found], document: Any) -> Found | None:
    """Return what a format finds, or None if it says that there is nothing to find."""
    try:
        return find(Message({}, {"id": "x"}, document, NOW, 100_000, 100_000))
    except (FormatError, TooLargeError):
        return None


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(DOCUMENTS, st.dictionaries(KEYS, DOCUMENTS, max_size=8))
def test_no_document_is_a_bug(document: Any, fields: dict[str, Any]) -> None:
    """Every format finds readings or says what it expects, whatever a stranger writes."""
    for find in (batch, things, radio_bridge, notehub):
        outcome_of(find, fields)
    for form in ("monnit", "particle"):
        outcome_of(batch, {**fields, "format": form})
    for kind in ("standalone", "fields_in_body", "ts_id_val_bz2"):
        outcome_of(
            notehub, {"device": "d", "best_id": "b", "when": 1, **fields, "reading_type": kind}
        )
    for find in (single, old):
        outcome_of(find, {key: str(value) for key, value in fields.items()})
    for found in (outcome_of(readings, document), outcome_of(readings, [document])):
        assert found is None or all(abs(reading[0]) < 1e11 for reading in found.readings)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(LINES, XML, PACKED)
def test_no_text_is_a_bug(line: bytes, document: bytes, listed: str) -> None:
    """The same for what is no JSON."""
    outcome_of(lines, line)
    outcome_of(beaded, document)
    inside = base64.b64encode(bz2.compress(listed.encode(errors="replace"))).decode()
    outcome_of(notehub, {"reading_type": "ts_id_val_bz2", "readings": inside})
