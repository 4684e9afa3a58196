"""Local times of what is pushed: the time of arrival tells which pass is meant."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ingestd.plugins import mqtt
from ingestd.plugins._times import NoTime
from ingestd.plugins.http_push.formats.documents import Documents
from ingestd.plugins.http_push.formats.message import Message as Pushed
from ingestd.plugins.http_push.ownroutes import documents_of
from ingestd.plugins.mqtt.options import entries_of
from ingestd.plugins.mqtt.ready import Message
from ingestd.plugins.mqtt.route import route
from ingestd.plugins.mqtt.routes import Routes

BERLIN = ZoneInfo("Europe/Berlin")
LISBON = ZoneInfo("Europe/Lisbon")
CHANGE = datetime(2026, 10, 25, 1, tzinfo=UTC).timestamp()
NIGHT = [CHANGE - 7200 + 900 * at for at in range(16)]
ENTRY = {"filter": "m/+", "time": "t", "series": "{topic}", "value": "v"}


def shown(time: float) -> str:
    """Return what a clock in Berlin shows."""
    return f"{datetime.fromtimestamp(time, BERLIN):%Y-%m-%d %H:%M:%S}"


def message(text: Any, arrival: float, topic: str = "m/a") -> Message:
    """Return a message of MQTT with a time in it."""
    return Message(topic, json.dumps({"t": text, "v": 1}).encode(), arrival, 1, 1)


def routes(**options: Any) -> Routes:
    """Return how messages of MQTT are read."""
    return Routes([route({**ENTRY, **options}, {"qos": 1})], zone=BERLIN)


def documents(**options: Any) -> Documents:
    """Return how what comes over HTTP is read."""
    entry = {"path": "/x", "time": "t", "series": "a", "value": "v", **options}
    return documents_of(entry, frozenset(), BERLIN)


def pushed(document: Any, arrival: float) -> Pushed:
    """Return a request that came at a time."""
    body = json.dumps(document).encode()
    return Pushed(query={}, named={}, document=body, now=arrival, most_bytes=10**6, most_held=10**6)


@pytest.mark.parametrize("delay", [0, 20, 1500])
def test_messages_as_they_are_published(delay: float) -> None:
    """Each alone, through both passes; some a while after they were measured."""
    read = routes()

    found = [read.readings([message(shown(time), time + delay)]) for time in NIGHT]

    assert [time for ((time, *_),) in found] == NIGHT


def test_messages_that_waited_at_the_broker() -> None:
    """Hours later only their order tells, for each topic by itself."""
    late = NIGHT[-1] + 6 * 3600
    batch = [message(shown(time), late, topic) for time in NIGHT for topic in ("m/a", "m/b")]

    found = routes().readings(batch)

    assert [time for time, *_ in found] == [time for time in NIGHT for _ in "ab"]


def test_messages_that_waited_come_in_several_batches() -> None:
    """The order goes on from one to the next."""
    late = NIGHT[-1] + 6 * 3600
    read = routes()
    found: list[Any] = []
    for at in range(0, 16, 4):
        found += read.readings([message(shown(time), late) for time in NIGHT[at : at + 4]])

    assert [time for time, *_ in found] == NIGHT


def test_a_device_that_was_silent_for_most_of_the_hour() -> None:
    """A wide gap is no reason to believe that its message took an hour."""
    read = routes()
    written = [CHANGE - 3600, CHANGE + 1200]

    found = [read.readings([message(shown(time), time + 1)]) for time in written]

    assert [time for ((time, *_),) in found] == written


def test_a_time_that_was_skipped_is_unusable_in_a_message() -> None:
    """It keeps its reason."""
    ((time, *_),) = routes().readings([message("2026-03-29 02:30:00", CHANGE)])

    assert isinstance(time, NoTime)
    assert time.reason == "no_such_time"


@pytest.mark.parametrize(
    ("time_format", "text"),
    [
        ("unix_ms", 1_792_888_200_000),
        ("dsmr", "261025023000S"),
        ("%d.%m.%Y %H:%M %Z", "25.10.2026 02:30 CEST"),
        ("%y%m%d%H%M%S", 261_025_023_000),
    ],
)
def test_formats_of_messages(time_format: str, text: Any) -> None:
    """The half hour after two, before the clock was set back."""
    half_past = CHANGE - 1800

    ((time, *_),) = routes(time_format=time_format).readings([message(text, half_past + 1)])

    assert time == half_past


@pytest.mark.parametrize("delay", [0, 20, 1500])
def test_requests_as_they_come(delay: float) -> None:
    """Each alone, through both passes."""
    found = [
        documents().find(pushed({"t": shown(time), "v": 1}, time + delay)).readings
        for time in NIGHT
    ]

    assert [time for ((time, *_),) in found] == NIGHT


def test_a_request_with_a_whole_night() -> None:
    """Its order tells."""
    night = [{"t": shown(time), "v": 1} for time in NIGHT]

    found = documents(records="@").find(pushed(night, NIGHT[-1] + 6 * 3600))

    assert [time for time, *_ in found.readings] == NIGHT


def test_a_sender_is_told_why_a_time_is_none() -> None:
    """So that it may mend it."""
    skipped = datetime(2026, 3, 29, 2, 30)  # noqa: DTZ001 -- a local time
    texts = [f"{skipped + timedelta(days=each):%Y-%m-%d %H:%M}" for each in (0, 1)]
    night = [{"t": text, "v": 1} for text in (*texts, "1795120512345")]

    found = documents(records="@").find(pushed(night, CHANGE))

    assert (len(found.readings), found.rejected) == (1, 2)
    assert "a clock in Europe/Berlin shows" in found.samples[0]
    assert "milliseconds?" in found.samples[1]


def test_a_topic_may_have_a_zone_of_its_own() -> None:
    """Devices of several places at one broker; in both passes of the hour that comes twice."""
    lisbon = {**ENTRY, "filter": "pt/+", "timezone": "Europe/Lisbon"}
    entries = [route(lisbon, {"qos": 1}), route(ENTRY, {"qos": 1})]

    for zone in (BERLIN, None):
        read = Routes(entries, zone=zone)
        found = [
            read.readings([message(f"{datetime.fromtimestamp(time, LISBON):%F %T}", time, "pt/a")])
            for time in NIGHT
        ]
        assert [time for ((time, *_),) in found] == NIGHT

    ((time, *_),) = Routes(entries, zone=BERLIN).readings([message(shown(NIGHT[0]), NIGHT[0])])
    assert time == NIGHT[0]


def test_a_device_may_have_a_zone_of_its_own() -> None:
    """Then the collector needs none."""
    (entry,) = entries_of([{"type": "tasmota", "timezone": "Europe/Lisbon"}], qos=1)
    payload = b'{"Time": "2026-07-01T11:15:00", "ENERGY": {"Power": 5}}'

    found = Routes([entry], zone=None).readings(
        [Message("tele/plug/SENSOR", payload, CHANGE, 1, 1)]
    )

    assert {time for time, *_ in found} == {datetime(2026, 7, 1, 10, 15, tzinfo=UTC).timestamp()}


def test_a_time_may_name_the_zone_of_an_hour_that_comes_twice() -> None:
    """Then no zone has to be configured."""
    read = Routes([route(ENTRY, {"qos": 1})], zone=None)

    found = [read.readings([message(f"{shown(time)}[Europe/Berlin]", time)]) for time in NIGHT]

    assert [time for ((time, *_),) in found] == NIGHT


def test_a_path_may_have_a_zone_of_its_own() -> None:
    """Loggers of several places send to one collector."""
    found = documents(timezone="Europe/Lisbon").find(
        pushed({"t": "2026-07-01 11:15", "v": 1}, CHANGE)
    )

    assert [time for time, *_ in found.readings] == [
        datetime(2026, 7, 1, 10, 15, tzinfo=UTC).timestamp()
    ]


@pytest.mark.parametrize("topic", ["a", {"filter": "a"}, {"type": "tasmota"}])
def test_a_zone_that_is_none_is_told_by_check(topic: Any) -> None:
    """Wherever it stands."""
    entry = {"filter": topic} if isinstance(topic, str) else topic
    (problem,) = mqtt.check(url="mqtt://h", topics=[{**entry, "timezone": "Europe/Wien"}])

    assert "timezone: expected a time zone" in problem
