"""Readings become points, or are counted by what is wrong with them."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from math import inf, isfinite, nan
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ingestd.collecting import points as readings
from ingestd.collecting.collectors import naming_of
from ingestd.collecting.points import Conversion, Naming
from ingestd.config.catalogue import Catalogue, SeriesDescription
from ingestd.config.model import CollectorConfig
from ingestd.contract.builtins import result_as_builtins
from ingestd.errors import ReadingError
from ingestd.model import Point, Series
from ingestd.plugins._limits import LATEST
from ingestd.sinks import lineprotocol
from ingestd.sinks.lineprotocol import Dialect, Prefixes
from tests.support import influx2
from tests.support.foreign import READING, Colour, HostileZone, Level, NotATime, Stamp, cycle
from tests.support.readings import ALASKA, NOW, naming, point


def refused(*some: Any, zone: ZoneInfo | None = None, **series: SeriesDescription) -> Conversion:
    """Sort readings of which at least one is unusable, with a good one on either side."""
    found = naming(zone, **series).sort([(1, "first", 1), *some, (2, "last", 2)], now=NOW)
    assert [(s.name, us, v) for s, us, v in found.points][:: len(found.points) - 1] == [
        ("first", 1_000_000, 1.0),
        ("last", 2_000_000, 2.0),
    ]
    return found


@pytest.mark.parametrize(
    ("time", "expected_us"),
    [
        (5, 5_000_000),
        (-5, -5_000_000),
        (1.5, 1_500_000),
        (1_700_000_000.123456, 1_700_000_000_123_456),
        (None, 1_700_000_000_000_000),
        (datetime(2024, 1, 1, tzinfo=UTC), 1_704_067_200_000_000),
        (datetime(2024, 1, 1, 3, tzinfo=timezone(timedelta(hours=3))), 1_704_067_200_000_000),
        (datetime(2023, 12, 31, 15, tzinfo=ALASKA), 1_704_067_200_000_000),
        (Stamp(2024, 1, 1, 0, 0, 0, 5, tzinfo=UTC), 1_704_067_200_000_005),
        (np.float64(1.5), 1_500_000),
        (np.int64(5), 5_000_000),
        (Decimal("1.5"), 1_500_000),
        (Level.HIGH, 3_000_000),
        (LATEST, LATEST * 1_000_000),
    ],
)
def test_times_are_kept_to_the_microsecond(time: Any, expected_us: int) -> None:
    """Seconds, aware datetimes and None are times, and so is what derives from them."""
    assert point((time, "level", 1))[1] == expected_us


@pytest.mark.parametrize(
    "time",
    [
        datetime(2023, 12, 31, 15),  # noqa: DTZ001 -- naive on purpose
        Stamp(2023, 12, 31, 15),
        np.datetime64("2023-12-31T15:00"),
    ],
)
def test_naive_times_are_local_where_the_collector_says(time: Any) -> None:
    """With `timezone:` a naive datetime is local time there; without, its instant is unknown."""
    assert point((time, "level", 1), zone=ALASKA)[1] == 1_704_067_200_000_000
    assert refused((time, "level", 1)).unusable == {"naive_time": 1}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, 1.0),
        (True, 1.0),
        (" 1.5e3 ", 1500.0),
        ("-7", -7.0),
        (Decimal("0.1"), 0.1),
        (np.float32(0.5), 0.5),
        (np.int8(-3), -3.0),
        (np.bool_(0), 0.0),
        (np.array(2.5), 2.5),
        (Level.HIGH, 3.0),
        (2**63, 2.0**63),
    ],
)
def test_values_become_floats(value: Any, expected: float) -> None:
    """Numbers, flags, NumPy's scalars and numeric texts are values."""
    found = point((1, "level", value))[2]

    assert found == expected
    assert type(found) is float


@pytest.mark.parametrize(
    ("reading", "reason"),
    [
        ((1, "level", nan), "non_finite"),
        ((1, "level", -inf), "non_finite"),
        ((1, "level", "nan"), "non_finite"),
        ((1, "level", 10**400), "non_finite"),
        ((1, "level", Decimal("1e999")), "non_finite"),
        ((1, "level", np.float32("nan")), "non_finite"),
        ((1, "level", None), "no_value"),
        ((1, "level", "off"), "value"),
        ((1, "level", ""), "value"),
        ((1, "level", "1_000"), "value"),
        ((1, "level", [1]), "value"),
        ((1, "level", 1j), "value"),
        ((1, "level", b"1"), "value"),
        ((1, "level", Decimal("sNaN")), "value"),
        ((1, "level", np.array([1.0, 2.0])), "value"),
        ((1_700_000_000_000, "level", 1), "milliseconds"),
        ((1_700_000_000_000.5, "level", 1), "milliseconds"),
        ((-1_700_000_000_000, "level", 1), "milliseconds"),
        ((10**5000, "level", 1), "milliseconds"),
        ((LATEST + 1, "level", 1), "time"),
        ((nan, "level", 1), "time"),
        ((inf, "level", 1), "time"),
        ((True, "level", 1), "time"),
        (("2024-01-01", "level", 1), "time"),
        ((NotATime(2024, 1, 1), "level", 1), "time"),
        ((np.datetime64("NaT"), "level", 1), "time"),
        ((datetime(2024, 1, 1, tzinfo=HostileZone()), "level", 1), "time"),
        ((timedelta(1), "level", 1), "time"),
        ((1, "", 1), "series"),
        ((1, "  ", 1), "series"),
        ((1, None, 1), "series"),
        ((1, True, 1), "series"),
        ((1, 1.0, 1), "series"),
        ((1, "two\nlines", 1), "series"),
        ((1, "\ud800", 1), "series"),
        ((1, "x" * 1025, 1), "series"),
        ((1, 10**5000, 1), "series"),
        ((1, object(), 1), "series"),
        ((1, b"level", 1), "series"),
        ((1, "level", 1, {"tag": "a\nb"}), "tags"),
        ((1, "level", 1, {"": "x"}), "tags"),
        ((1, "level", 1, {"tag": object()}), "tags"),
        ((1, "level", 1, {"tag": 10**5000}), "tags"),
        ((1, "level", 1, {5: "x"}), "tags"),
        ((1, "level", 1, {"series": "x"}), "tags"),
        ((1, "level", 1, "tag"), "tags"),
        ((1, "level"), "shape"),
        ((1, "level", 1, {}, 5), "shape"),
        ("abc", "shape"),
        (None, "shape"),
        (5, "shape"),
        ({"time": 1, "series": "level", "value": 1}, "shape"),
        ({1, "level", 2.5}, "shape"),
        ((), "shape"),
        (object(), "shape"),
    ],
)  # fmt: skip
def test_unusable_reading_is_counted_by_its_reason(reading: Any, reason: str) -> None:
    """It is told in a sample, and its siblings are kept."""
    found = refused(reading)

    assert found.unusable == {reason: 1}
    assert len(found.points) == 2
    assert len(found.samples) == 1
    assert len(found.samples[0]) < 1200


@pytest.mark.parametrize(
    ("reading", "told"),
    [
        ((1, "level"), "expected (time, series, value), got (1, 'level')"),
        (b"level=\xff", "expected (time, series, value), got level=\ufffd"),
        ((1, 2.5, 1), "expected the name of a series, got 2.5"),
        ((1, "a\nb", 1), "expected a printable name of at most 1024 characters, got 'a\\nb'"),
        ((1, "level", 1, "k"), "level: expected a dict of tags, got 'k'"),
        ((1, "level", 1, {"k": "a\nb"}), "level: expected text tags, got 'k': 'a\\nb'"),
        ((1, "level", None), "level: no value"),
        ((1, "level", "1_0"), "level: expected a number, got '1_0'"),
        ((1, "level", "off"), "level: expected a number, got 'off'"),
        ((1, "level", 10**400), "level: the value is too large"),
        ((1, "level", inf), "level: expected a finite number, got inf"),
        (("x", "level", 1), "level: expected Unix seconds, an aware datetime or None, got 'x'"),
        ((10**12, "level", 1), "level: expected Unix seconds, got 1000000000000, milliseconds?"),
        (
            (datetime(2024, 1, 1), "level", 1),  # noqa: DTZ001 -- naive on purpose
            (
                "level: expected a time with its zone, or `timezone:` on the collector, "
                "got datetime.datetime(2024, 1, 1, 0, 0)"
            ),
        ),
        ((1, "large", 1e308), "large: value overflows when scaled"),
    ],
)
def test_unusable_reading_is_told_with_what_it_gave(reading: Any, told: str) -> None:
    """And with its series, if it has one."""
    found = refused(reading, large=SeriesDescription(scale=100))

    assert found.samples == [told]
    assert list(found.first.values()) == [told]


def test_samples_are_few_and_counts_are_complete() -> None:
    """A million bad readings make a count, not a million lines."""
    found = refused(*[(1, "level", nan)] * 50, *[(1, "", 1)] * 20)

    assert found.unusable == {"non_finite": 50, "series": 20}
    assert len(found.samples) == 5


@pytest.mark.parametrize("make", [tuple, list, iter])
def test_reading_may_be_any_sequence(make: Any) -> None:
    """Lists and other sequences do, beside tuples."""
    assert point(make([5, "level", 1.5])) == ("level", 5_000_000, 1.5)


def test_rows_of_an_array_are_readings() -> None:
    """A table whose series are numbers needs no conversion."""
    assert point(np.array([5, 17, 2])) == ("17", 5_000_000, 2.0)


def test_series_may_be_a_number() -> None:
    """Sensors without a name have a number, and it is their name."""
    assert point((1, 17, 1))[0] == "17"


def test_tags_of_reading_catalogue_and_collector_are_merged() -> None:
    """The nearer to the reading, the stronger; numbers become text, empty tags go."""
    named = naming(
        level=SeriesDescription(tags={"site": "town", "floor": "2"}, measurement="water")
    )

    series, _, _ = named.point(
        (1, "level", 1, {"none": None, "floor": 3, "empty": "", "room": "a"}), now=NOW
    )
    numbers, _, _ = named.point((1, "flow", 1, {"depth": 1.5, "open": True}), now=NOW)

    assert series.tags == (("floor", "3"), ("room", "a"), ("site", "town"))
    assert numbers.tags == (("depth", "1.5"), ("open", "True"), ("site", "library"))
    assert (series.measurement, series.field) == ("water", "kw")


def test_same_name_and_tags_are_the_same_series() -> None:
    """A series is made once, on the fast path and on the slow one."""
    named = naming()
    fast = named.sort([(1, "level", 1.0)], now=NOW).points[0][0]
    slow = named.sort([(1, "level", True)], now=NOW).points[0][0]
    tagged = named.point((1, "level", 1, {"a": "b"}), now=NOW)[0]

    assert fast is slow
    assert tagged is not fast
    assert tagged is named.point((1, "level", 1, {"a": "b"}), now=NOW)[0]


def test_catalogue_scales_and_bounds_values() -> None:
    """An implausible value is counted, judged after scaling."""
    said = SeriesDescription(scale=0.5, offset=1, low=0, high=10)

    found = refused((1, "level", 18), (1, "level", 19), (1, "level", -3), level=said)

    assert [value for series, _, value in found.points if series.name == "level"] == [10.0]
    assert found.unusable == {"out_of_range": 2}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (SeriesDescription(low=0.0), "at least 0.0"),
        (SeriesDescription(high=-9.0), "at most -9.0"),
        (SeriesDescription(low=0.0, high=1.0), "0.0 to 1.0"),
    ],
)
def test_bounds_are_told_with_the_value_that_is_beyond_them(
    said: SeriesDescription, expected: str
) -> None:
    """An operator may have meant other ones."""
    found = refused((1, "level", -5), level=said)

    assert list(found.samples) == [f"level: expected {expected}, got -5.0"]


@pytest.mark.parametrize(
    "said",
    [
        SeriesDescription(scale=0.5),
        SeriesDescription(offset=1.0),
        SeriesDescription(low=0.0),
        SeriesDescription(high=0.0),
    ],
    ids=["scale", "offset", "low", "high"],
)
def test_catalogue_counts_for_ordinary_readings_too(said: SeriesDescription) -> None:
    """A list of readings that need no second look is scaled and bounded as each alone is."""
    names = naming(level=said)
    ordinary = [(1, "level", 4.0), (2, "level", -4.0)]

    assert bare(names.sort(ordinary, now=NOW).points) == one_by_one(names, ordinary)
    assert bare(names.sort(ordinary, now=NOW).points) != bare(
        naming().sort(ordinary, now=NOW).points
    )


def test_value_that_overflows_when_scaled_is_counted() -> None:
    """What is finite as written may not be once it is scaled."""
    found = refused((1, "level", 1e308), level=SeriesDescription(scale=100))

    assert found.unusable == {"non_finite": 1}


def test_more_series_than_are_remembered_are_still_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache of series is emptied when it is full, even in the middle of a result."""
    monkeypatch.setattr(readings, "SERIES_CACHED", 3)

    found = naming().sort([(1, f"s{n}", 1.0) for n in range(10)], now=NOW)

    assert [series.name for series, _, _ in found.points] == [f"s{n}" for n in range(10)]


def test_ordinary_path_does_not_take_one_type_of_name_for_another() -> None:
    """1, 1.0 and True are equal for Python, but only the first is a name."""
    named = naming()
    named.sort([(1, 1, 1.0)], now=NOW)

    assert named.sort([(1, True, 1.0)], now=NOW).unusable == {"series": 1}
    assert named.sort([(1, 1.0, 1.0)], now=NOW).unusable == {"series": 1}


def one_by_one(named: Naming, some: list[Any]) -> list[tuple[str, Any, int, float]]:
    """Return the points of readings, each looked at alone, without those that a later denies."""
    found = []
    for each in some:
        try:
            found.append(named.point(each, now=NOW))
        except ReadingError:
            continue
    told = bare(found)
    last = {(name, tags, us): value for name, tags, us, value in told}
    return [each for each in told if last[each[:3]] == each[3]]


def bare(points: list[Point]) -> list[tuple[str, Any, int, float]]:
    """Return points without the identity of their series."""
    return [(series.name, series.tags, us, value) for series, us, value in points]


def uncontradicted(points: list[tuple[str, Any, int, float]]) -> list[Any]:
    """Return the points that none behind them gives another value for the same series and time."""
    last = {each[:3]: each[3] for each in points}
    return [each for each in points if last[each[:3]] == each[3]]


@given(st.lists(READING, max_size=8), st.booleans())
@example([(0, "level", 0.0), (0, "level", 1.0)], False)
@settings(max_examples=500)
@pytest.mark.slow  # many examples
def test_ordinary_path_agrees_with_the_careful_one(some: list[Any], alone: bool) -> None:  # noqa: FBT001
    """The points of a list are those that its readings make one by one."""
    named, careful = naming(zone=ALASKA), naming(zone=ALASKA)
    for part in [[each] for each in some] if alone else [some]:
        found = named.sort(part, now=NOW)

        assert bare(found.points) == uncontradicted(one_by_one(careful, part))
        assert len(found.points) + found.unusable.total() == len(part)


@given(st.lists(READING, max_size=8))
@example([[0, cycle(), 0.0], [0, cycle(), 0.0]])
@settings(max_examples=500)
@pytest.mark.slow  # many examples
def test_every_point_is_valid_and_can_be_sent(some: list[Any]) -> None:
    """What is left of any readings can be stored, and reads back the same."""
    points = naming().sort(some, now=NOW).points

    for series, time_us, value in points:
        assert type(series) is Series
        assert type(time_us) is int
        assert abs(time_us) <= LATEST * 1_000_000
        assert type(value) is float
        assert isfinite(value)
        assert all(t.isprintable() and t for t in (series.name, *sum(series.tags, ())))
    for doubles in (False, True):
        lines = lineprotocol.encode(points, Prefixes(Dialect(doubles_backslashes=doubles)))
        assert lines.points + len(lines.refused) == len(points)
        if not doubles:  # the fake server reads as InfluxDB does
            scale = lineprotocol.UNITS[lines.precision] * 1000
            for line in filter(None, lines.text.decode().split("\n")):
                influx2.parse(line, scale)


@given(st.lists(READING, max_size=8))
@settings(max_examples=300)
@pytest.mark.slow  # many examples
def test_readings_from_a_worker_make_the_same_points(some: list[Any]) -> None:
    """Being made result_as_builtins neither saves a reading nor spoils one."""
    directly = naming().sort(list(some), now=NOW)
    travelled = naming().sort(result_as_builtins({"readings": list(some)})["readings"], now=NOW)

    assert bare(travelled.points) == bare(directly.points)
    assert travelled.unusable == directly.unusable


def test_enum_names_are_their_values() -> None:
    """A text of a derived class is the text that it is."""
    assert point((1, Colour.RED, 1))[0] == "red"


def test_tells_of_every_series_that_it_meets_once() -> None:
    """Each is told as it will be stored, from the fast path and from the slow one."""
    met: list[Series] = []
    names = Naming(
        measurement="power", field="kw", tags={"site": "a"}, catalogue=Catalogue(), met=met.append
    )
    for _ in range(2):
        names.sort([(1, "plain", 1.0), (2, "plain", 2.0)], now=NOW)
        names.sort([(1, "odd", "2"), (1, "plain", 1, {"room": "7"}), (1, "", 1)], now=NOW)

    assert [(each.name, each.tags) for each in met] == [
        ("plain", (("site", "a"),)),
        ("odd", (("site", "a"),)),
        ("plain", (("room", "7"), ("site", "a"))),
    ]


@pytest.mark.parametrize(
    ("configured", "expected"),
    [
        ({}, ("reading", "value")),
        ({"measurement": "power", "field": "kw"}, ("power", "kw")),
    ],
)
def test_a_collector_names_its_measurement_and_field(
    configured: dict[str, str], expected: tuple[str, str]
) -> None:
    """They have defaults, so that a collector need not name any."""
    config = CollectorConfig(name="m", plugin="meter", every=1.0, **configured)  # type: ignore[arg-type]
    series, _, _ = naming_of(config, Catalogue({})).point((1, "level", 1), now=NOW)

    assert (series.measurement, series.field) == expected


@pytest.mark.parametrize("in_worker", [True, False])
@pytest.mark.parametrize(("reading", "got"), [(None, "None"), ("abc", "'abc'"), (5, "5")])
def test_what_is_no_reading_is_shown_as_it_was_written(
    reading: Any, got: str, *, in_worker: bool
) -> None:
    """Also where it comes from a worker process, which describes what it cannot send."""
    sent = result_as_builtins({"readings": [reading]})["readings"] if in_worker else [reading]

    assert refused(*sent).first["shape"] == f"expected (time, series, value), got {got}"
