"""Times that are told by how many seconds they are behind another one."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ingestd.plugins import http_json, mqtt
from ingestd.plugins._shapes import Reading, description_of
from ingestd.plugins.mqtt.options import entries_of
from ingestd.plugins.mqtt.ready import Message
from ingestd.plugins.mqtt.routes import Routes

VALUE: dict[str, Any] = {"series": "s", "value": "v"}


def read(document: Any, zone: str = "UTC", **options: Any) -> list[Reading]:
    """Return the readings of a document."""
    reader = description_of(options, zone=ZoneInfo(zone)).reader()
    return [*reader.readings(reader.records_of(document))]


def test_seconds_are_numbers_or_their_text() -> None:
    """What is neither costs its own reading."""
    values = {"0": 5, "300": 6, "0.5": 7, "x": 8, "nan": 9}
    document = {"begin": "2026-07-01T10:00:00Z", "values": values}

    found = read(
        document,
        records="values.*",
        time="parent.parent.begin",
        time_plus="key",
        series="s",
        value="@",
    )

    begin = datetime(2026, 7, 1, 10, tzinfo=UTC).timestamp()
    assert found[:3] == [(begin, "s", 5), (begin + 300, "s", 6), (begin + 0.5, "s", 7)]
    assert [str(time) for time, *_ in found[3:]] == [
        "time_plus: expected seconds there, got 'x'",
        "time_plus: expected seconds there, got 'nan'",
    ]


def test_other_units_than_seconds_add_up() -> None:
    """As the hours of a day have it, which may be 25 long, or its minutes."""
    records = [
        {"day": "2026-10-25", "hour": 24, "minute": "30", "v": 1},
        {"day": "2026-10-25", "hour": 3, "minute": 0.5, "v": 2},
        {"day": "2026-10-25", "hour": "x", "minute": 0, "v": 3},
        {"day": "2026-10-25", "hour": 1, "v": 4},
    ]
    begin = datetime(2026, 10, 24, 22, tzinfo=UTC).timestamp()

    found = read(
        records,
        "Europe/Berlin",
        time="day",
        time_plus={"hours": "hour", "minutes": "minute"},
        **VALUE,
    )

    assert [time for time, *_ in found[:2]] == [begin + 24.5 * 3600, begin + 3 * 3600 + 30]
    assert found[2][0] == "time_plus: expected hours there, got 'x'"
    assert found[3][0].reason == "no_time"


def test_units_may_be_keys_and_around_the_record() -> None:
    """As quarters of an hour in a table."""
    document = {"day": "2026-07-01", "hours": {"12": {"15": 5, "30": 6}}}

    found = read(
        document,
        records="hours.{hour}.{minute}",
        time="parent.parent.parent.day",
        time_plus={"hours": "hour", "minutes": "minute"},
        series="s",
        value="@",
    )

    noon = datetime(2026, 7, 1, 12, tzinfo=UTC).timestamp()
    assert found == [(noon + 900, "s", 5), (noon + 1800, "s", 6)]


@pytest.mark.parametrize("told", ["PT15M", "15m", "900"])
def test_a_duration_tells_its_unit(told: str) -> None:
    """As in ISO 8601, or as the operator writes it."""
    ((time, *_),) = read([{"t": 100, "plus": told, "v": 1}], time="t", time_plus="plus", **VALUE)

    assert time == 1000


@pytest.mark.parametrize(
    ("plus", "told"),
    [
        ({"fortnights": "a"}, "time_plus: expected a path to seconds, or paths to days, hours"),
        ({}, "time_plus: expected a path to seconds, or paths to days, hours"),
        ({"hours": "a["}, "time_plus.hours: "),
        ({"hours": 5}, "time_plus.hours: "),
    ],
)
def test_wrong_units_are_told_by_check(plus: Any, told: str) -> None:
    """Before anything is read."""
    (problem,) = http_json.check(url="http://h/", **VALUE, time="t", time_plus=plus)

    assert problem.startswith(told)


def test_a_time_that_is_missing_stays_missing() -> None:
    """Whichever of the two it is."""
    records = [{"plus": 5, "v": 1}, {"t": 100, "v": 2}, {"t": 100, "plus": 5, "v": 3}]

    found = read(records * 5, time="t", time_plus="plus", **VALUE)

    assert [getattr(time, "reason", time) for time, *_ in found[:3]] == ["no_time", "no_time", 105]


def test_seconds_pass_while_the_clock_is_set_forward() -> None:
    """Two hours behind one o'clock it is four."""
    records = [{"t": "2026-03-29 01:00", "plus": 7200, "v": 1}]

    ((time, *_),) = read(records, "Europe/Berlin", time="t", time_plus="plus", **VALUE)

    assert time == datetime(2026, 3, 29, 2, tzinfo=UTC).timestamp()


def test_a_message_has_such_times_too() -> None:
    """As in http_json."""
    entries = entries_of(["a/b"], qos=1, time="t", time_plus="plus", **VALUE)
    message = Message("a/b", b'{"t": 1782900900, "plus": 60, "v": 1}', 0.0, 1, 1)

    ((time, *_),) = Routes(entries, zone=None).readings([message])

    assert time == 1782900960


@pytest.mark.parametrize(
    ("check", "where"),
    [
        (http_json.check, {"url": "http://h/"}),
        (mqtt.check, {"url": "mqtt://h", "topics": ["a/b"]}),
    ],
)
def test_seconds_need_a_time_to_be_added_to(check: Any, where: dict[str, Any]) -> None:
    """By itself the option means nothing."""
    problems = check(**where, **VALUE, time_plus="plus")

    assert problems == ["time_plus: expected `time` beside it, to know what it is added to"]
