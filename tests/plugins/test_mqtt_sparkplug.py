"""Sparkplug B: what births and data mean, and what is asked for when something is missing."""

import time
from typing import Any, Final

import pytest

from ingestd.plugins.mqtt.ready import Outgoing
from ingestd.plugins.mqtt.routes import Routes
from tests.support import sparkplugedge as spb
from tests.support.readyroutes import readings_of, ready_routes, told
from tests.support.sparkplugedge import payload, topic

DEGREES: Final = {
    "name": "Motor/Temperature",
    "alias": 7,
    "datatype": spb.DOUBLE,
    "double_value": 61.5,
    "properties": {"engUnit": "°C"},
}
RUNS: Final = {"name": "runs", "alias": 8, "datatype": spb.BOOLEAN, "boolean_value": True}
BD_SEQ: Final = {"name": "bdSeq", "datatype": spb.INT64, "long_value": 3}
NBIRTH: Final = (topic("NBIRTH"), payload(BD_SEQ, seq=0))
DBIRTH: Final = (topic("DBIRTH", "press"), payload(DEGREES, RUNS, seq=1))
PRESS: Final = "plant/line1/press"


@pytest.fixture
def routes() -> Routes:
    """Give routes that read all nodes."""
    return ready_routes({"type": "sparkplug"})


def shown(routes: Routes, *messages: tuple[str, bytes]) -> list[str]:
    """Return the readings of messages as samples have them."""
    begin = time.time()
    return [told(each, since=begin) for each in readings_of(routes, *messages)]


def data(*metrics: dict[str, Any], seq: int, device: str = "press") -> tuple[str, bytes]:
    """Return data of a device."""
    return topic("DDATA", device), payload(*metrics, seq=seq)


def asked(routes: Routes) -> list[Outgoing]:
    """Return the requests that wait to be published."""
    return [*routes.ready.outgoing()]


def test_births_and_data(routes: Routes) -> None:
    """Data have only aliases; names, types and units are those of the birth."""
    found = shown(
        routes,
        NBIRTH,
        DBIRTH,
        data({"alias": 7, "double_value": 62.5, "timestamp": spb.FIRST_MS + 1000}, seq=2),
        data({"alias": 8, "boolean_value": False}, seq=3),
        data({"name": "runs", "boolean_value": True, "is_historical": True}, seq=4),
    )

    assert found == [
        "now  plant/line1/online  1",
        f"now  {PRESS}/online  1",
        f"2026-07-01T10:15:00Z  {PRESS}/Motor/Temperature_celsius  61.5",
        f"2026-07-01T10:15:00Z  {PRESS}/runs  True",
        f"2026-07-01T10:15:01Z  {PRESS}/Motor/Temperature_celsius  62.5",
        f"2026-07-01T10:15:00Z  {PRESS}/runs  False",
        f"2026-07-01T10:15:00Z  {PRESS}/runs  True",
    ]
    assert asked(routes) == []


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ({"datatype": spb.INT8, "int_value": 251}, -5),
        ({"datatype": spb.INT8, "int_value": 2**32 - 5}, -5),
        ({"datatype": spb.INT16, "int_value": 65531}, -5),
        ({"datatype": spb.INT16, "int_value": 2**32 - 5}, -5),
        ({"datatype": spb.INT32, "int_value": 2**32 - 5}, -5),
        ({"datatype": spb.INT64, "long_value": 2**64 - 5}, -5),
        ({"datatype": spb.UINT32, "int_value": 2**32 - 5}, 2**32 - 5),
        ({"datatype": spb.UINT32, "long_value": 2**32 - 5}, 2**32 - 5),
        ({"datatype": spb.STRING, "string_value": "ON"}, 1),
        ({"datatype": spb.DATE_TIME, "long_value": spb.FIRST_MS}, spb.FIRST_MS / 1000),
        ({"datatype": spb.DOUBLE, "is_null": True}, None),
        ({"datatype": spb.DOUBLE, "double_value": 5, "properties": {"Quality": 0}}, None),
        ({"datatype": spb.DOUBLE, "double_value": 5, "properties": {"Quality": 192}}, 5),
        ({"datatype": spb.DATA_SET, "dataset_value": {}}, "a value of datatype 16"),
    ],
)
def test_values_by_their_type(routes: Routes, metric: dict[str, Any], value: Any) -> None:
    """What is no number is passed on to be counted, a null is no value."""
    born = (topic("NBIRTH"), payload({"name": "m", **metric}, seq=0))

    _, reading = readings_of(routes, born)

    assert reading == (spb.FIRST_MS / 1000, "plant/line1/m", value)


def test_texts_and_controls_are_no_readings(routes: Routes) -> None:
    """A name of a maker is no value, nor is what a node can be told to do."""
    texts = [
        {"name": "Properties/Maker", "datatype": spb.STRING, "string_value": "Own"},
        {"name": "Node Control/Rebirth", "datatype": spb.BOOLEAN, "boolean_value": False},
    ]

    assert shown(routes, (topic("NBIRTH"), payload(BD_SEQ, *texts, seq=0))) == [
        "now  plant/line1/online  1"
    ]


@pytest.mark.parametrize(
    ("before", "then"),
    [
        ([], data({"alias": 7, "double_value": 1}, seq=5)),  # nothing is known
        ([NBIRTH], data({"alias": 7, "double_value": 1}, seq=1)),  # the device is not
        ([NBIRTH, DBIRTH], data({"alias": 9, "double_value": 1}, seq=2)),  # the metric is not
        ([NBIRTH, DBIRTH], data({"alias": 7, "double_value": 1}, seq=3)),  # one is missing
    ],
)
def test_node_is_asked_for_its_birth(
    routes: Routes, before: list[Any], then: tuple[str, bytes]
) -> None:
    """Data that may mean something else are counted; the node is asked once, not for each."""
    readings_of(routes, *before)
    assert asked(routes) == []

    (reading,) = readings_of(routes, then)
    readings_of(routes, then)

    assert reading[1] == PRESS
    assert "asked for" in reading[2]
    ((where, what),) = asked(routes)
    assert where == "spBv1.0/plant/NCMD/line1"
    (metric,) = spb.PAYLOAD.FromString(what).metrics
    assert (metric.name, metric.datatype, metric.boolean_value) == (
        "Node Control/Rebirth",
        spb.BOOLEAN,
        True,
    )


def test_another_birth_may_number_anew(routes: Routes) -> None:
    """Data after a gap are not read by the numbers before it."""
    other = {**DEGREES, "name": "Motor/Speed", "properties": {"engUnit": "rpm"}}
    readings_of(routes, NBIRTH, DBIRTH)

    lost = shown(routes, data({"alias": 7, "double_value": 1500}, seq=9))
    born = (topic("DBIRTH", "press"), payload(other, seq=1))
    found = shown(routes, NBIRTH, born, data({"alias": 7, "double_value": 1500}, seq=2))

    assert lost == [f"now  {PRESS}  data before a birth, which is asked for"]
    assert found[-1] == f"2026-07-01T10:15:00Z  {PRESS}/Motor/Speed_rpm  1500.0"


def test_birth_may_have_longer_names_than_data(routes: Routes) -> None:
    """As a well-known library publishes them; the name of the birth is that of the series."""
    born = payload({**RUNS, "name": "DATA/runs"}, seq=1)
    readings_of(routes, NBIRTH, (topic("DBIRTH", "press"), born))

    found = shown(routes, data({"name": "runs", "boolean_value": False}, seq=2))

    assert found == [f"2026-07-01T10:15:00Z  {PRESS}/DATA/runs  False"]
    assert asked(routes) == []


def test_sequence_goes_round(routes: Routes) -> None:
    """After 255 comes 0, and a message that comes twice is no gap."""
    readings_of(routes, NBIRTH, DBIRTH)

    for seq in (*range(2, 256), 0, 0, 1):
        readings_of(routes, data({"alias": 7, "double_value": 1}, seq=seq))

    assert asked(routes) == []


def test_death_of_an_old_connection_comes_late(routes: Routes) -> None:
    """It is that of another birth; the one that fits makes the births void."""
    late = (topic("NDEATH"), payload({**BD_SEQ, "long_value": 2}))
    death = (topic("NDEATH"), payload(BD_SEQ))
    readings_of(routes, NBIRTH, DBIRTH)

    assert shown(routes, late) == []
    assert len(shown(routes, data({"alias": 7, "double_value": 1}, seq=2))) == 1
    assert shown(routes, death) == ["now  plant/line1/online  0"]
    assert "before a birth" in shown(routes, data({"alias": 7, "double_value": 1}, seq=3))[0]


def test_death_of_a_device(routes: Routes) -> None:
    """The node lives on."""
    readings_of(routes, NBIRTH, DBIRTH)

    assert shown(routes, (topic("DDEATH", "press"), payload(seq=2))) == [f"now  {PRESS}/online  0"]
    assert asked(routes) == []


def test_new_connection_makes_births_void(routes: Routes) -> None:
    """Another birth may have been missed before it."""
    readings_of(routes, NBIRTH, DBIRTH)

    routes.ready.connected()
    (reading,) = readings_of(routes, data({"alias": 7, "double_value": 1}, seq=2))

    assert "before a birth" in reading[2]
    assert len(asked(routes)) == 1


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (b"\xff\xff\xff", "expected a payload of Sparkplug B, got b'"),
        (payload(seq=0, uuid="SPBV1.0_COMPRESSED", body=b"x"), "a compressed payload"),
    ],
)
def test_payload_that_cannot_be_read_is_counted(routes: Routes, message: bytes, told: str) -> None:
    """It costs nothing but itself."""
    (reading,) = readings_of(routes, (topic("NDATA"), message))

    assert reading[2].startswith(told)


def test_groups_are_chosen() -> None:
    """Nothing that is said to nodes is asked for."""
    routes = ready_routes({"type": "sparkplug", "groups": ["a"]})

    assert [each.filter for each in routes.subscriptions()] == [
        "spBv1.0/a/NBIRTH/+",
        "spBv1.0/a/NDEATH/+",
        "spBv1.0/a/NDATA/+",
        "spBv1.0/a/DBIRTH/+/+",
        "spBv1.0/a/DDEATH/+/+",
        "spBv1.0/a/DDATA/+/+",
    ]
