"""Short cuts for what nearly all sources write read the same as the long ways."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingestd.plugins._shapes import description_of
from ingestd.plugins._shapes.numbers import quick
from ingestd.plugins._times import notation
from ingestd.plugins._values import value_reader
from ingestd.plugins.mqtt.ready import Message
from ingestd.plugins.mqtt.route import route
from ingestd.plugins.mqtt.routes import Routes

OPTIONS: list[dict[str, Any]] = [
    {},
    {"decimal": "."},
    {"decimal": ","},
    {"nothing": -999},
    {"nothing": "0"},
    {"nothing": [float("nan"), "---"]},
    {"words": {"1": 5, "open": 1}},
    {"units": {"kW": 1000, "W": 1}},
    {"units": {"0": 7}},
]
TEXT = st.from_regex(r"[-+]?[0-9]{0,4}([.,][0-9]{0,4})?( ?k?W)?|on|---|1_0|٣", fullmatch=True)
WRITTEN: st.SearchStrategy[Any] = st.one_of(
    TEXT,
    st.floats(),
    st.integers(),
    st.sampled_from([None, True, False, [], {}, "", "-999", "0", "1", "1.234", "1" * 70]),
)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@given(value=WRITTEN)
def test_numbers_are_read_as_by_the_long_way(options: dict[str, Any], value: Any) -> None:
    """Whatever words, marks and units there are."""
    meaning = value_reader(options)

    assert repr(quick(meaning)(value)) == repr(meaning.number(value))


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@given(text=st.one_of(TEXT, st.sampled_from(["-999", "0", "1", "1.234", "1" * 70, "12.5 W"])))
def test_plain_payloads_are_read_as_by_the_long_way(options: dict[str, Any], text: str) -> None:
    """Series and tags, too, which the topic decides."""
    entry = {"filter": "{room}/t", "tags": {"room": "{room}"}, **options}
    routes = Routes([route(entry, {"qos": 1})], zone=None)

    found = routes.readings([Message("lab/t", text.encode(), 7.0, 1, 1)])

    number = value_reader(options).number(text.strip())
    assert repr(found) == repr([(7.0, "lab/t", number, {"room": "lab"})])


TIMES = (
    *("2026-07-01T10:00:00Z", "2026-07-01 10:00:00.25Z", "2026-13-01T10:00:00Z", "2026-07-01Z"),
    *("2026-07-01T24:00:00Z", "2026-07-01T10:00:00+02:00", "2026-07-01T10:00:00", "Z", "", "-Z"),
    *("2026-07-01T10:00:60Z", "2026-10-25T02:30:00", 5, None, "0001-01-01T00:00:00Z"),
)


@pytest.mark.parametrize("time_format", [None, "iso", "unix", "%Y-%m-%dT%H:%M:%SZ", "rfc2822"])
@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
@pytest.mark.parametrize("value", TIMES)
def test_times_are_read_as_by_the_long_way(value: Any, time_format: Any, zone: Any) -> None:
    """Whatever their format and zone are."""
    place = None if zone is None else ZoneInfo(zone)
    options = {"time": "t", "time_format": time_format, "series": "s", "value": "v"}
    reader = description_of(options, zone=place).reader()

    ((time, *_),) = reader.readings([{"t": value, "v": 1}])

    assert repr(time) == repr(notation(time_format, place).read(value))


FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "t": st.sampled_from([*TIMES, "2026-07-01T11:00:00Z"]),
        "id": st.sampled_from(["a", "b", "", 5, None, True, ["a"]]),
        "v": WRITTEN,
        "w": st.floats(allow_nan=False),
    },
)
# As in CSV and XML, where every field is a text; each of its own, some of them none.
TEXTS = st.lists(
    st.fixed_dictionaries(
        {
            "t": st.sampled_from([time for time in TIMES if isinstance(time, str)][:8]),
            "id": st.sampled_from("ab"),
            "v": TEXT,
            "w": st.sampled_from(["1", "-2.50", "3e2", "+.5", "7.", "1e400", "nan", "5_0", "٣"]),
        }
    ),
    min_size=8,
    max_size=9,
)
ALIKE = st.lists(
    st.builds(
        lambda value: {"t": "2026-07-01T10:00:00Z", "id": "a", "v": value, "w": 1},
        st.one_of(st.floats(), st.just("1.5"), WRITTEN),
    ),
    min_size=9,
    max_size=9,
)


PLAIN = st.from_regex(r"[-+]?[0-9]{0,4}(\.[0-9]{0,4})?([eE][-+]?[0-9]{1,3})?", fullmatch=True)
ODD = st.sampled_from(["1e2", "+1", "+1.0", "inf", "1e400", "1" * 70, " 7 ", ""])


@pytest.mark.slow  # 100 examples
@pytest.mark.parametrize(
    "options",
    [*OPTIONS, {"words": {"1e2": 5}}, {"nothing": "+1"}, {"units": "e1"}, {"words": {"inf": 9}}],
    ids=str,
)
@given(
    texts=st.lists(PLAIN, min_size=8, max_size=10)
    | st.lists(PLAIN | ODD | TEXT, min_size=8, max_size=10)
)
@example(texts=["1e2"] * 8)
@example(texts=["inf"] * 8)
def test_many_texts_are_read_as_by_the_long_way(options: dict[str, Any], texts: list[str]) -> None:
    """Also where `float` would read more than numbers, or a number stands for something else."""
    described = {"series": "s", "value": "v", **options}
    reader = description_of(described, zone=None).reader()

    found = [value for *_, value in reader.readings([{"v": text} for text in texts], now=7)]

    assert repr(found) == repr(list(map(value_reader(options).number, texts)))


@pytest.mark.parametrize(
    "options",
    [
        {"series": "{id}_x", "value": "v"},
        {"series": "x", "value": "w", "time": "t"},
        {"values": {"{id}": "v", "y_{id}": "w"}, "time": "t", "decimal": ","},
        {"values": {"{id}": "v", "y_{id}": "w"}, "time": "t"},
        {"values": {"x": "v", "y": "w"}, "time": "t", "time_format": "unix", "nothing": [0, "---"]},
    ],
    ids=str,
)
@given(
    records=st.one_of(st.lists(FIELDS, max_size=20), ALIKE, TEXTS, st.lists(st.none(), min_size=9))
)
@example(records=[{"t": "20260701 100000Z", "id": "a", "v": "1", "w": "1"}] * 8)
def test_many_records_are_read_as_one_by_one(options: dict[str, Any], records: list[Any]) -> None:
    """The order of the readings is the same, too."""
    reader = description_of(options, zone=ZoneInfo("Europe/Berlin")).reader()

    together = reader.readings(records, now=7)

    assert reader.plan is not None
    slowly = replace(reader, plan=None)
    assert repr(in_floats(together)) == repr(in_floats(slowly.readings(records, now=7)))
    one, one_slowly = reader.compiled_for_one(), slowly.compiled_for_one()
    assert [repr(one(each, 7)) for each in records] == [
        repr(one_slowly(each, 7)) for each in records
    ]


def in_floats(readings: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Return readings whose times are no whole numbers: of many, those are quicker."""
    return [(float(time) if type(time) is int else time, *rest) for time, *rest in readings]
