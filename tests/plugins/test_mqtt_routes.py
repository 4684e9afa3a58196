"""How topics and payloads become readings; no broker is needed for that."""

import gzip
from math import inf, nan
from typing import Any

import pytest

from ingestd.plugins._times import NoTime
from ingestd.plugins.mqtt.ready import Message
from ingestd.plugins.mqtt.route import route
from ingestd.plugins.mqtt.routes import Routes

DEFAULTS: dict[str, Any] = {"qos": 1}


def readings(entry: Any, topic: str, payload: bytes, **defaults: Any) -> list[tuple[Any, ...]]:
    """Return the readings of one message that arrived at time 7."""
    routes = Routes([route(entry, {**DEFAULTS, **defaults})], zone=None)
    return [*routes.readings([Message(topic, payload, 7.0, 1, 1)])]


@pytest.mark.parametrize(
    ("payload", "value"),
    [
        (b"21.5", 21.5),
        (b" -3e2\n", -300.0),
        (b"ON", 1),
        (b"off", 0),
        (b"true", 1),
        (b"1_000", "1_000"),
        (b"unavailable", "unavailable"),
        (b"", ""),
        (b"\xff\xfe", "��"),
        (b'{"a": 1}', '{"a": 1}'),
    ],
)
def test_plain_payloads(payload: bytes, value: Any) -> None:
    """A payload is a number or a word for one; the rest is passed on to be refused."""
    assert readings("home/#", "home/lab", payload) == [(7.0, "home/lab", value)]


@pytest.mark.parametrize(
    ("words", "payload", "value"),
    [
        ({"open": 1, "Closed": 0}, b"CLOSED", 0),
        ({True: 0, False: 1}, b"ON", 0),  # how YAML reads `ON: 0` and `OFF: 1`
        ({True: 0, False: 1}, b"no", 1),
    ],
)
def test_words_of_the_operator(words: dict[Any, Any], payload: bytes, value: float) -> None:
    """Words are compared without regard to case, and survive YAML."""
    assert readings("a", "a", payload, words=words) == [(7.0, "a", value)]


@pytest.mark.parametrize(
    ("payload", "temperature"),
    [
        (b'{"temperature":nan,"humidity":61.5}', nan),
        (b'{"temperature":NaN,"humidity":61.5}', nan),
        (b'{"temperature":-inf,"humidity":61.5}', -inf),
        (b'{"temperature":1e400,"humidity":61.5}', inf),
        (b'{"temperature":,"humidity":61.5}', ""),
        (b'{"temperature":20.5,"humidity":61.5}\0', 20.5),
        (b'\xef\xbb\xbf{"temperature":20.5,"humidity":61.5}', 20.5),
    ],
)
def test_value_that_is_no_json_costs_itself_alone(payload: bytes, temperature: Any) -> None:
    """What is beside it in the message is read; the value itself is counted as unusable."""
    found = readings("a", "a", payload, values={"t": "temperature", "h": "humidity"})

    # As text, because nan is not even itself.
    assert repr(found) == repr([(7.0, "t", temperature), (7.0, "h", 61.5)])


def test_each_value_may_mean_something_of_its_own() -> None:
    """Options hold for the collector, for a topic, and for one value of a message."""
    entry = {
        "filter": "a",
        "nothing": "---",
        "values": {
            "t": {"path": "t", "units": "°C"},
            "p": {"path": "p", "nothing": -999},
            "d": {"path": "d", "words": {"open": 1, "shut": 0}},
        },
    }
    payload = '{"t": "21,5 °C", "p": -999, "d": "OPEN"}'.encode()

    assert readings(entry, "a", payload, decimal=",", words={"open": 5}) == [
        (7.0, "t", 21.5),
        (7.0, "p", None),
        (7.0, "d", 1),
    ]


def test_wrong_option_of_one_value_is_told_with_its_path() -> None:
    """It stands deep in the configuration."""
    for wrong, message in (
        ({"path": "t", "unit": "°C"}, r"^values\.t: expected only path, words, .*, got 'unit'$"),
        ({"path": "t", "decimal": ";"}, r"^values\.t\.decimal: expected"),
        ({"decimal": ","}, r"^value of 't': expected a JMESPath expression, got ''$"),
    ):
        with pytest.raises(ValueError, match=message):
            readings("a", "a", b"{}", values={"t": wrong})


@pytest.mark.parametrize(
    ("filter_", "series", "topic", "expected"),
    [
        ("home/+/+/state", "{2}_{3}", "home/lab/temp/state", "lab_temp"),
        ("home/{room}/{sensor}/state", "{room}_{sensor}", "home/lab/temp/state", "lab_temp"),
        ("home/#", "{topic}", "home/lab/temp", "home/lab/temp"),
        ("home/#", None, "home/lab/temp", "home/lab/temp"),
        ("$share/workers/home/{room}/t", "{1}.{room}", "home/lab/t", "home.lab"),
        ("home/#", "{3}", "home/lab", ""),
        ("$SYS/broker/{what}", "broker_{what}", "$SYS/broker/uptime", "broker_uptime"),
    ],
)
def test_series_is_made_of_the_topic(
    filter_: str, series: str | None, topic: str, expected: str
) -> None:
    """Levels count from one, may have names, and a shared group is none of them."""
    assert readings(filter_, topic, b"1", series=series) == [(7.0, expected, 1.0)]


def test_values_time_series_and_tags_come_from_json() -> None:
    """What is no level of the topic is looked up in the payload, behind a byte order mark too."""
    entry = {
        "filter": "z/{device}",
        "values": {"{device}_{kind}_celsius": "m.t", "{device}_percent": "m.h"},
        "time": "at",
        "time_format": "unix_ms",
        "tags": {"device": "{device}", "kind": "{kind}", "none": "{missing}"},
    }
    payload = b'\xef\xbb\xbf{"at": 1700000000500, "kind": "roof", "m": {"t": 21.5, "h": 40}}'

    tags = {"device": "d1", "kind": "roof"}
    assert readings(entry, "z/d1", payload) == [
        (1_700_000_000.5, "d1_roof_celsius", 21.5, tags),
        (1_700_000_000.5, "d1_percent", 40, tags),
    ]


SAMPLES: dict[str, Any] = {"time": "ts", "series": "{room}_{q}", "value": "v"}


@pytest.mark.parametrize(
    ("payload", "options"),
    [
        (b'[{"ts": 1, "q": "t", "v": 5}, {"ts": 2, "q": "t", "v": 6}]', {"records": "@"}),
        (
            b'{"t": {"1": 5, "2": 6}}',
            {"records": "{q}.{ts}", "value": "@", "time_format": "unix"},
        ),
        (
            b'{"q": "t", "s": [{"ts": 1, "v": 5}, {"ts": 2, "v": 6}]}',
            {"records": "s", "series": "{room}_{parent.q}"},
        ),
        (b'{"q": "t", "ts": [1, 2], "v": [5, 6]}', {"layout": "columns"}),
        (b'[["ts", "q", "v"], [1, "t", 5], [2, "t", 6]]', {"layout": "rows"}),
        (b"ts;q;v\n1;t;5\n2;t;6\n", {"format": "csv", "time_format": "unix"}),
        (b'{"ts": 1, "q": "t", "v": 5}\n{"ts": 2, "q": "t", "v": 6}\n', {"format": "ndjson"}),
        (
            b'<m><s q="t" ts="1">5</s><s q="t" ts="2">6</s></m>',
            {"records": "s", "value": "text", "time_format": "unix"},
        ),
    ],
    ids=["list", "keys", "parent", "columns", "rows", "csv", "ndjson", "xml"],
)
def test_a_message_may_hold_several_records(payload: bytes, options: dict[str, Any]) -> None:
    """Each makes readings of its own, in whatever shape and format the payload is."""
    entry = {"filter": "home/{room}", **SAMPLES, **options}

    expected = [(1.0, "lab_t", 5.0), (2.0, "lab_t", 6.0)]
    assert readings(entry, "home/lab", payload) == expected
    assert readings(entry, "home/lab", gzip.compress(payload)) == expected


def test_a_list_without_records_is_one_record() -> None:
    """A path in it is JMESPath, as in any other payload."""
    entry = {"filter": "a", "values": {"first": "[0]", "second": "[1]"}}

    assert readings(entry, "a", b"[5, 6]") == [(7.0, "first", 5), (7.0, "second", 6)]


def test_records_that_are_not_there_are_one_unusable_reading() -> None:
    """What is wrong is said in the place of the value, where it is counted and shown."""
    ((time, series, problem),) = readings({"filter": "a", "records": "b.c"}, "a", b'{"x": 1}')

    assert (time, series) == (7.0, "a")
    assert "records: expected a list or an object there, got nothing; the keys" in problem


def test_entry_has_options_of_its_own() -> None:
    """An entry's value replaces the collector's values, and the first that fits counts."""
    entries = [
        route({"filter": "a/+/state", "value": "state", "series": "{2}"}, {**DEFAULTS, **VALUES}),
        route("a/#", {**DEFAULTS, **VALUES}),
    ]
    routes = Routes(entries, zone=None)

    found = routes.readings(
        [
            Message("a/x/state", b'{"state": "ON"}', 7.0, 1, 1),
            Message("a/x", b'{"v": 2}', 8.0, 2, 1),
        ]
    )

    assert found == [(7.0, "x", 1), (8.0, "a/x_v", 2)]


VALUES: dict[str, Any] = {"values": {"{topic}_v": "v"}}


@pytest.mark.parametrize(
    ("payload", "reading"),
    [
        (b"{", (7.0, "a", "no JSON: b'{'")),
        (b"12", ("no_time", "a", None)),
        (b'{"v": null, "t": 1}', (1, "a", None)),
        (b'{"v": [1], "t": 1}', (1, "a", [1])),
        (b'{"v": 5, "t": "soon"}', ("time", "a", 5)),
        (
            b'{"v": 5, "t": "2026-07-01T00:00:00Z"}',
            (1_782_864_000, "a", 5),
        ),
    ],
)
def test_bad_payloads_are_passed_on_to_be_counted(payload: bytes, reading: tuple[Any, ...]) -> None:
    """Nothing raises, and a time that is missing never becomes the time of arrival."""
    ((time, series, value),) = readings({"filter": "a", "value": "v", "time": "t"}, "a", payload)

    assert (series, value) == reading[1:]
    assert (time.reason if isinstance(time, NoTime) else time) == reading[0]


@pytest.mark.parametrize(
    ("filter_", "topic", "fits"),
    [
        ("a/b", "a/b", True),
        ("a/b", "a/b/c", False),
        ("a/+", "a/b", True),
        ("a/+", "a", False),
        ("a/+", "a/", True),
        ("a/#", "a", True),
        ("a/#", "a/b/c", True),
        ("+/b", "a/b", True),
        ("#", "$SYS/x", False),
        ("+/x", "$SYS/x", False),
        ("$share/g/a/+", "a/b", True),
    ],
)
def test_filters_fit_as_for_the_broker(filter_: str, topic: str, fits: object) -> None:
    """The rules are those of the MQTT standard."""
    assert route(filter_, DEFAULTS).matches(topic) is fits


def test_message_of_an_ended_subscription_is_no_reading() -> None:
    """A session may still deliver what is not wanted any more."""
    assert readings("a", "b", b"1") == []


@pytest.mark.parametrize(
    ("entry", "defaults", "message"),
    [
        (5, {}, "topics: expected a filter"),
        ({"filter": "a", "qoss": 1}, {}, "topics: expected only charset, .* got 'qoss'"),
        ({"filter": "a", "qos": 2}, {}, "qos: expected 0 or 1, got 2"),
        ("a/#/b", {}, "topics: expected whole levels"),
        ("a+/b", {}, "topics: expected whole levels"),
        ("a/{x}y", {}, "topics: expected whole levels"),
        ("", {}, "topics: expected whole levels"),
        ("$share/g", {}, "topics: expected '\\$share/<group>/<filter>'"),
        ("a", {"value": "v", "values": {"a": "b"}}, "value, values: expected one of them"),
        ("a", {"value": "v["}, "value: expected JMESPath, got 'v\\['"),
        ("a", {"series": ""}, None),
        ("a", {"values": []}, "values: expected series and path"),
    ],
)
def test_wrong_options_say_what_is_right(
    entry: Any, defaults: dict[str, Any], message: str | None
) -> None:
    """Mistakes are found before the broker is asked."""
    if message is None:
        assert route(entry, {**DEFAULTS, **defaults}).filter == "a"
        return
    with pytest.raises(ValueError, match=message):
        route(entry, {**DEFAULTS, **defaults})
