"""What loggers and networks write, and what is found in it: no sockets, no tasks."""

import base64
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pytest

from ingestd.plugins.http_push.formats.beaded import beaded
from ingestd.plugins.http_push.formats.bmon import batch, old, single
from ingestd.plugins.http_push.formats.message import (
    FormatError,
    TooLargeError,
    parse_json,
)
from ingestd.plugins.http_push.formats.notehub import notehub
from ingestd.plugins.http_push.formats.radiobridge import radio_bridge
from ingestd.plugins.http_push.things import Things
from tests.support.pushmessages import NOW, message, packed

SAMPLES: Final = Path(__file__).parents[1] / "samples" / "bmon"


def unix(text: str) -> int:
    """Return the Unix seconds of an ISO time."""
    return int(datetime.fromisoformat(text).timestamp())


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
    """It is UTC, whichever offset is written, and may be in nearly every notation."""
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
    """The text is the sample of BMON's documentation."""
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


def test_words_of_a_particle_board_are_no_values() -> None:
    """It says so of sensors that are not there; half a number is none."""
    data = "T=None U=NoSensor X=Offline V=12abc W=7.5.2 Z=3"
    document = {"format": "particle", "coreid": "c", "published_at": "2015-11-24T06:21:16Z"}

    found = batch(message({**document, "data": data}))

    assert [(name, value) for _, name, value in found.readings] == [("c_Z", 3.0)]
    assert found.rejected == 4


def test_monnit_message_without_values_says_nothing() -> None:
    """It tells of the sensor's battery, for instance."""
    messages = [{"sensorID": 1, "messageDate": "2026-01-22 05:36:00"}]

    found = batch(message({"format": "monnit", "sensorMessages": messages}))

    assert (found.readings, found.rejected) == ([], 0)


def test_monnit_tells_the_first_of_its_values() -> None:
    """The time is UTC in any notation; what is no message of a sensor is rejected."""
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


UPLINK_2: Final = {
    "dev_id": "roof-7",
    "hardware_serial": "A81758FFFE0523DB",
    "counter": 3,
    "payload_fields": {"temperature": "21.5", "vdd": 3600, "event": "uplink"},
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
    found = Things().find(message(uplink))

    at, device = unix("2026-02-03T02:35:43Z"), "A81758FFFE0523DB"
    assert found.readings == [
        (at, f"{device}_temperature", 21.5),
        (at, f"{device}_vdd", 3600.0),
        (at, f"{device}_snr", 9.5),
    ]


def test_an_uplink_that_is_not_decoded_says_what_to_do() -> None:
    """There is nothing to store, and it is no fault of the sender; nor is a join."""
    silent = {**UPLINK_3, "uplink_message": {**UPLINK_3["uplink_message"], "decoded_payload": {}}}  # type: ignore[dict-item]  # mypy knows no shapes

    assert "payload formatter" in Things().find(message(silent)).note
    joined = {"end_device_ids": UPLINK_3["end_device_ids"], "join_accept": {}}
    assert Things().find(message(joined)).note == "No Data Found"


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
    """They are given in Fahrenheit; one without a temperature is rejected."""
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


def test_notehub_fields_of_a_body() -> None:
    """The body or its product says so; the device's number comes without its kind."""
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
    """They are written as Python writes a list of tuples, with None and nan among the values."""
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
