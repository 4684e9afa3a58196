"""Line protocol and plain JSON, as senders write them, and what is found in them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import pytest

from ingestd.plugins.http_push.formats.bmon import batch, old, single
from ingestd.plugins.http_push.formats.lines import lines
from ingestd.plugins.http_push.formats.message import (
    FormatError,
    Found,
    Message,
    parse_json,
)
from ingestd.plugins.http_push.formats.notehub import notehub
from ingestd.plugins.http_push.formats.plain import readings
from ingestd.plugins.http_push.things import Things
from tests.support.pushing import Push
from tests.support.pushmessages import NOW, message


def unix(text: str) -> int:
    """Return the Unix seconds of an ISO time."""
    return int(datetime.fromisoformat(text).timestamp())


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
    """To guess would store the points fifty years off."""
    with pytest.raises(FormatError, match=r"precision: expected one of n, ns, .* got 'fortnight'"):
        written("cpu value=1 1", precision="fortnight")


def test_plain_readings_are_those_of_a_plugin() -> None:
    """They may be lists or objects, with times of every kind."""
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
    """Each of them has its own message."""
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
        (Things().find, {**UPLINK_2, "metadata": {}}, "metadata.time: expected an ISO 8601 time"),
        (Things().find, {**UPLINK_2, "hardware_serial": None}, "hardware_serial: expected text"),
        (Things().find, {**UPLINK_2, "payload_fields": [1]}, "payload_fields: expected an object"),
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
    """Its depth and length do not matter."""
    with pytest.raises(FormatError, match="expected JSON"):
        parse_json(body)


@pytest.mark.parametrize(
    ("path", "status"), [("/write", 400), ("/api/v2/write", 204), ("/api/v3/write_lp", 204)]
)
async def test_unsigned_numbers_are_those_of_newer_generations(
    push: Push, path: str, status: int
) -> None:
    """InfluxDB 1.6 refuses them, and so does its address."""
    reply = await push.post(path, data=b"cpu value=7u 1000000000", key="k")

    assert reply.status == status
    assert len(push.readings) == (status == 204)


@pytest.mark.parametrize(
    ("precision", "unit"), [("ns", 1e-6), ("ms", 1e-3), ("s", 1), ("m", 60), ("h", 3600)]
)
def test_a_line_without_a_time_is_of_now_in_the_precision(precision: str, unit: float) -> None:
    """InfluxDB cuts it to whole units, too."""
    document = message(b"cpu value=1", query={"precision": precision})
    late = replace(document, now=NOW + 1234.567891)

    ((time, *_),) = lines(late).readings

    assert time == pytest.approx((NOW + 1234.567891) // unit * unit, abs=1e-6)


@pytest.mark.parametrize("stamp", [1_767_225_600, 1_767_225_600_000, 1_767_225_600 * 10**9])
def test_the_third_generation_may_let_the_size_of_a_time_tell(stamp: int) -> None:
    """Seconds, milliseconds, microseconds and nanoseconds of our time differ in length."""
    ((time, *_),) = written(f"cpu value=1 {stamp}", precision="auto").readings

    assert time == 1_767_225_600
