"""Line protocol and SenML, read as records."""

import json
from typing import Any

import pytest

from ingestd.plugins._documents import DocumentError, format_of
from ingestd.plugins._documents.senml import records as resolved
from ingestd.plugins.mqtt.options import entries_of
from ingestd.plugins.mqtt.ready import Message
from ingestd.plugins.mqtt.routes import Routes

NOW = 1_782_900_900.0


def records(format: str, data: str) -> list[Any]:  # noqa: A002 -- the option's name
    """Return the records of a document."""
    (found,) = format_of(format, zone=None).documents(data.encode(), most_bytes=100_000)
    return list(found)


def test_a_line_is_a_record() -> None:
    """With its words unescaped; a line that is none costs no other."""
    text = 'a\\ b,t=x\\,y v=1i,s="t",ok=t 5\n# note\nno fields\nc v=2\r\n'

    first, wrong, last = records("influx", text)

    fields = {"v": 1.0, "ok": 1.0}
    assert first == {"measurement": "a b", "tags": {"t": "x,y"}, "fields": fields, "time": 5}
    assert isinstance(wrong, str)
    assert last == {"measurement": "c", "tags": {}, "fields": {"v": 2.0}, "time": None}


def test_what_has_no_line_is_refused() -> None:
    """It is another format, and no empty document."""
    with pytest.raises(DocumentError, match="expected line protocol: line 1: expected"):
        records("influx", '{"v": 1}')
    assert records("influx", "\n") == []


def test_records_of_a_pack_are_resolved() -> None:
    """The second example of RFC 8428, section 5.1.2, and sums, bases and texts besides."""
    name = "urn:dev:ow:10e2073a01080063:"
    pack = [
        {"bn": name, "bt": 1.276020076001e9, "bu": "A", "n": "voltage", "u": "V", "v": 120.1},
        {"n": "current", "t": -5, "v": 1.2},
        {"n": "current", "v": 1.7},
        {"bn": "p/", "bv": 10, "n": "x", "v": 1},
        {"n": "door", "vb": False},
        {"n": "energy", "s": 7.5},
    ]

    found = records("senml", json.dumps(pack))

    assert [(each["n"], each["u"], each["t"] - 1.276020076001e9) for each in found] == [
        (f"{name}voltage", "V", 0),
        (f"{name}current", "A", -5),
        (f"{name}current", "A", 0),
        ("p/x", "A", 0),
        ("p/door", "A", 0),
        ("p/energy", "A", 0),
    ]
    assert [each.get("v") for each in found] == [120.1, 1.2, 1.7, 11, None, 10]
    assert (found[4]["vb"], found[5]["s"]) == (False, 7.5)


@pytest.mark.parametrize(
    ("record", "time"),
    [({}, NOW), ({"t": -60}, NOW - 60), ({"t": 2**28 - 1}, NOW + 2**28 - 1), ({"t": 2**28}, 2**28)],
)
def test_small_times_are_relative_to_now(record: dict[str, Any], time: float) -> None:
    """As most devices without a clock send them."""
    ((found),) = resolved([{"n": "a", "v": 1, **record}], now=NOW)

    assert found["t"] == time


def test_what_is_no_pack_is_refused_and_a_wrong_number_costs_its_record() -> None:
    """The text stays, and is told."""
    with pytest.raises(DocumentError, match="expected a list of SenML records, got dict"):
        records("senml", "{}")
    found = resolved([{"n": "a", "v": "x", "t": "noon"}, {"bn": "s", "bt": 5}], now=NOW)

    assert found == [{"n": "a", "v": "x", "t": "noon"}]


def test_telegraf_may_publish_to_a_broker() -> None:
    """Its own format, in batches."""
    entries = entries_of(
        ["telegraf/#"],
        qos=1,
        format="influx",
        records="fields.{field}",
        time="parent.parent.time",
        time_format="unix_ns",
        series="{parent.parent.tags.host}_{parent.parent.measurement}_{field}",
        value="@",
    )
    at = int(NOW) * 10**9
    payload = f"cpu,host=attic idle=91.5,user=4 {at}\nmem,host=attic free=7i {at}\n".encode()

    found = Routes(entries, zone=None).readings([Message("telegraf/a", payload, NOW, 1, 1)])

    assert [each[:3] for each in found] == [
        (NOW, "attic_cpu_idle", 91.5),
        (NOW, "attic_cpu_user", 4.0),
        (NOW, "attic_mem_free", 7.0),
    ]
