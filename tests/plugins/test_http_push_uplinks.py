"""Uplinks of LoRaWAN networks: which shapes are known, and what their fields become."""

from datetime import datetime
from typing import Any, Final

import pytest

from ingestd.plugins.http_push.formats.message import FormatError, Found
from ingestd.plugins.http_push.things import Things
from tests.support.pushing import Push
from tests.support.pushmessages import NOW, message

EUI: Final = "a84041ffff1ee2b4"
AT: Final = datetime.fromisoformat("2026-02-03T02:35:43Z").timestamp()
# As The Things Stack tells of a door sensor of Dragino.
DOOR: Final[dict[str, Any]] = {
    "end_device_ids": {"device_id": "door-1", "dev_eui": EUI},
    "received_at": "2026-02-03T02:35:44Z",
    "uplink_message": {
        "f_port": 10,
        "decoded_payload": {
            "BAT_V": "3.061",
            "DOOR_OPEN_TIMES": "12",
            "Door_status": "OPEN",
            "ALARM": "false",
            "Work_mode": "Door sensor",
            "water": {"leak": {"status": "Closed"}, "times": 4},
        },
        "rx_metadata": [{"snr": 9.5}, {}],
        "received_at": "2026-02-03T02:35:43.390609031Z",
    },
}
# As ChirpStack 4 tells of a thermometer; its address says ?event=up.
CHIRPSTACK_4: Final[dict[str, Any]] = {
    "deduplicationId": "3ac7e3c4-4401-4b8d-9386-a5c902f9202d",
    "time": "2026-02-03T02:35:43.775023242+00:00",
    "deviceInfo": {"deviceName": "roof", "devEui": EUI, "tags": {"floor": "3"}},
    "devAddr": "00189440",
    "fCnt": 4,
    "fPort": 1,
    "confirmed": False,
    "data": "qg==",
    "object": {"temperature": 21.5, "soil": [{"moisture": 40}, {"moisture": 41.5}]},
    "rxInfo": [{"gatewayId": "0016c001f153a14c", "rssi": -48, "snr": 7}, {"snr": -2.5}],
    "txInfo": {"frequency": 868100000},
}
CHIRPSTACK_3: Final[dict[str, Any]] = {
    "applicationID": "1",
    "deviceName": "roof",
    "devEUI": EUI,
    "rxInfo": [{"gatewayID": "0016c001f153a14c", "rssi": -48, "loRaSNR": 7}],
    "fCnt": 4,
    "fPort": 1,
    "data": "qg==",
    "object": {"temperature": 21.5},
}


def found_in(document: dict[str, Any], **more: Any) -> Found:
    """Return what is found in an uplink."""
    return Things().find(message({**document, **more}))


def values(found: Found) -> dict[str, float]:
    """Return the values, by the names of the fields."""
    assert {name.partition("_")[0] for _, name, _ in found.readings} <= {EUI}
    return {name.partition("_")[2]: value for _, name, value in found.readings}


def test_numbers_as_text_words_and_nested_fields() -> None:
    """Words count whatever their case, as BMON reads them; a text beside numbers is left out."""
    found = found_in(DOOR)

    assert values(found) == {
        "BAT_V": 3.061,
        "DOOR_OPEN_TIMES": 12,
        "Door_status": 0,
        "ALARM": 0,
        "water_leak_status": 1,
        "water_times": 4,
        "snr": 9.5,
    }
    assert {time for time, *_ in found.readings} == {int(AT)}
    assert found.rejected == 0


def test_chirpstack_4_tells_of_an_uplink() -> None:
    """Its time is that of the network; the gateway that heard it best counts."""
    found = found_in(CHIRPSTACK_4, event="up")

    assert values(found) == {
        "temperature": 21.5,
        "soil_0_moisture": 40,
        "soil_1_moisture": 41.5,
        "snr": 7,
    }
    assert {time for time, *_ in found.readings} == {int(AT)}


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"devEUI": "qEBB//8e4rQ="},
        {"object": None, "objectJSON": '{"temperature": 21.5}'},
        {"publishedAt": "2026-02-03T02:35:43.5Z"},
    ],
)
def test_chirpstack_3_tells_of_an_uplink(more: dict[str, Any]) -> None:
    """It has two notations, and says when it was only in newer releases."""
    found = found_in(CHIRPSTACK_3, **more)

    assert values(found) == {"temperature": 21.5, "snr": 7}
    assert {time for time, *_ in found.readings} == {int(AT if "publishedAt" in more else NOW)}


def test_replayed_samples_have_their_own_times() -> None:
    """A device that was out of reach sends what it has kept, in one uplink."""
    kept = [
        {"time": "2026-02-03T01:00:00Z", "temp": "20.5"},
        {"time": 1770084000, "temp": 21},
        {"temp": 22},
    ]
    found = found_in(CHIRPSTACK_4, object={"log": kept}, rxInfo=[])

    assert found.readings == [
        (1770080400, f"{EUI}_log_temp", 20.5),
        (1770084000, f"{EUI}_log_temp", 21.0),
        (int(AT), f"{EUI}_log_2_temp", 22.0),
    ]


def test_a_sample_with_a_time_that_is_none_is_not_of_now() -> None:
    """It would be stored at a time at which it was not measured."""
    with pytest.raises(FormatError, match=r"log_0\.time: expected a time, got 'soon'"):
        found_in(CHIRPSTACK_4, object={"log": [{"time": "soon", "temp": 1}]})


def test_normalized_uplinks_of_the_things_stack() -> None:
    """It sends them beside the others, if somebody has chosen so."""
    uplink = {
        "received_at": "2026-02-03T02:35:43Z",
        "normalized_payload": {"air": {"temperature": 21.5}},
    }
    found = found_in({"end_device_ids": DOOR["end_device_ids"], "uplink_normalized": uplink})

    assert values(found) == {"air_temperature": 21.5}


@pytest.mark.parametrize(
    "text", ["2026-02-03", "7.5.2", "12abc34", "Door sensor", "", "1_000", "9" * 70]
)
def test_a_text_is_a_number_only_as_a_whole(text: str) -> None:
    """Dates and versions begin with digits; what has nothing else to say is refused."""
    assert values(found_in(CHIRPSTACK_4, object={"a": text, "b": 1}, rxInfo=[])) == {"b": 1}


@pytest.mark.parametrize(
    ("text", "value"), [("21.5 °C", 21.5), ("61%", 61), ("-3", -3), (" ON ", 1), ("closeD", 1)]
)
def test_a_number_may_have_a_unit(text: str, value: float) -> None:
    """Formatters of makers write them."""
    assert values(found_in(CHIRPSTACK_4, object={"a": text}, rxInfo=[])) == {"a": value}


def test_what_has_only_texts_is_refused() -> None:
    """Nothing of it could be stored, and its sender hears that."""
    found = found_in(CHIRPSTACK_4, object={"a": "error"}, rxInfo=[])

    assert (found.readings, found.rejected) == ([], 1)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"devices": []}, "of ChirpStack (`deviceInfo.devEui`"),
        ({}, "got an object with nothing"),
        ({"end_device_ids": {"dev_eui": EUI}, "news": {}}, "uplink_message: expected an object"),
        ({**CHIRPSTACK_4, "event": "alarm"}, "event: expected up, or one of"),
        ({**CHIRPSTACK_4, "deviceInfo": {}}, "deviceInfo.devEui: expected text"),
        ({**CHIRPSTACK_4, "object": [1]}, "object: expected an object"),
        ({**CHIRPSTACK_4, "time": "soon"}, "time: expected an ISO 8601 time"),
        ({**CHIRPSTACK_4, "data": "?"}, "the payload: expected base64"),
    ],
)
async def test_an_uplink_of_an_unknown_kind_is_refused(
    push: Push, document: dict[str, Any], expected: str
) -> None:
    """Its sender hears what would be right."""
    reply = await push.post("/uplinks", json=document, key="k")

    assert reply.status == 400
    assert expected in reply.text
    assert push.readings == []


@pytest.mark.parametrize(
    "document",
    [
        {"end_device_ids": {"dev_eui": EUI}, "join_accept": {"session_key_id": "AX"}},
        {"end_device_ids": {"dev_eui": EUI}, "downlink_ack": {}},
        {**CHIRPSTACK_4, "event": "join"},
        {"deviceInfo": {"devEui": EUI}, "margin": 14, "batteryLevel": 75.5},
    ],
)
async def test_other_events_of_a_network_are_no_fault(push: Push, document: dict[str, Any]) -> None:
    """Networks send joins and the like to the same address."""
    reply = await push.post("/uplinks", json=document, key="k")

    assert (reply.status, reply.text) == (200, "No Data Found")


async def test_chirpstack_sends_to_its_address(push: Push) -> None:
    """It adds the event to the address, and has a header for the key."""
    reply = await push.post("/uplinks?event=up", json=CHIRPSTACK_4, key="k")
    joined = await push.post("/uplinks?event=join", json=CHIRPSTACK_4, key="k")

    assert (reply.status, joined.status, joined.text) == (200, 200, "No Data Found")
    assert push.readings[0][1] == f"{EUI}_temperature"
