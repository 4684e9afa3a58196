"""What the daemon asks of every store, asked of real ones.

Each kind of store runs through the same tests. ``Kind`` says what is different:
how fine its times are, and how much of a number it keeps.
"""

import math
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from ingestd.config.model import EmbeddedStore, InfluxStore, VictoriaStore
from ingestd.errors import QueryError, StoreUnavailable, UnreadableBody, UnsendablePayload
from ingestd.model import Point, Series, StoredPoint
from ingestd.sinks.embedded import EmbeddedSink
from ingestd.sinks.influxdb import InfluxSink1, InfluxSink2
from ingestd.sinks.protocol import Sink
from ingestd.sinks.victoriametrics import VictoriaSink
from tests.support.influx2 import Influx2
from tests.support.ports import free_port
from tests.support.searchable import make_searchable

pytestmark = pytest.mark.slow

NOW_US = int(time.time()) * 1_000_000 - 3_600_000_000
AWKWARD = (
    "plain",
    "with space",
    "comma,equals=",
    "double \"quotes\" and 'single'",
    "back\\slash",
    "back\\\\slashes, and \\, more \\ of = them",
    "µ°C Ωμέγα 电表 😀",
    "tab\there",
    "separators \u2028 and \u0085",
    "#hash",
    "{json: [1]}",
    "${env} $1 %s *",
    "x" * 500,
)


@dataclass(frozen=True)
class Store:
    """A store and how to look at it.

    Attributes:
        sink: Ours, not yet opened.
        prefix: Begins the name of every series of this test.
        unit_us: The finest difference of time it keeps, in microseconds.
        digits: How much of a number it keeps, as a relative error.
        make_searchable: Returns once what was written can be read, if that takes a while.
    """

    sink: Sink
    prefix: str
    unit_us: int
    digits: float
    make_searchable: Callable[[], None] | None = None

    async def keep(self, *points: Point) -> None:
        """Write points and see that none was refused."""
        encoded = self.sink.encode(points)
        assert not encoded.refused
        assert encoded.body is not None
        assert encoded.body.points == len(points)
        await self.sink.write(encoded.body.data)
        await self.settle()

    async def settle(self) -> None:
        """Wait until what was written can be read."""
        if self.make_searchable:
            self.make_searchable()

    async def read(self, name: str, **tags: str) -> list[StoredPoint]:
        """Return everything of a series."""
        return await self.sink.read(name, start_us=0, end_us=NOW_US * 2, tags=tags)

    def series(self, name: str = "", **more: str) -> Series:
        """Return a series of this test."""
        return Series(self.prefix + name, tuple(sorted(more.items())))


@pytest.fixture(params=["influxdb1", "influxdb2", "victoriametrics", "embedded"])
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, unique: str
) -> AsyncIterator[Store]:
    """Give each kind of store in turn, opened."""
    async with Influx2() as server:
        made = make(request, tmp_path, unique, server)
        await made.sink.open()
        yield made
        await made.sink.close()


def make(request: pytest.FixtureRequest, tmp_path: Path, unique: str, server: Influx2) -> Store:
    """Return a store of the kind that the test asks for."""
    kind = request.param
    if kind == "influxdb1":
        url = request.getfixturevalue("influxdb_url")
        config = InfluxStore(name="s", url=url, version=1, database=unique, create=True)
        return Store(InfluxSink1(config), unique, 1, 0)
    if kind == "influxdb2":
        config = InfluxStore(
            name="s", url=server.url, org="campus", bucket=unique, token="secret", create=True
        )
        return Store(InfluxSink2(config), unique, 1, 0)
    if kind == "victoriametrics":
        url = request.getfixturevalue("victoriametrics_url")
        sink = VictoriaSink(VictoriaStore(name="s", url=url))
        return Store(sink, unique, 1000, 1e-11, partial(make_searchable, url))
    return Store(EmbeddedSink(EmbeddedStore(name="s", path=tmp_path / "readings.db")), unique, 1, 0)


async def test_awkward_names_read_back_as_they_were(store: Store) -> None:
    """Names of series and tags come back letter for letter, awkward ones too."""
    series = [
        Series(f"{store.prefix}{text}", (("plain", "v"), (f"t {text[:100]}", text)))
        for text in AWKWARD
    ]
    await store.keep(*((each, NOW_US, float(at)) for at, each in enumerate(series)))

    for at, each in enumerate(series):
        assert await store.read(each.name) == [
            StoredPoint(each.name, dict(each.tags), "reading", "value", NOW_US, float(at))
        ]


async def test_measurement_and_field_read_back(store: Store) -> None:
    """A series keeps its measurement and field."""
    series = Series(store.prefix, (), measurement="air quality, indoor", field="co2=ppm, avg")
    await store.keep((series, NOW_US, 1.5))

    (point,) = await store.read(series.name)

    assert (point.measurement, point.field) == ("air quality, indoor", "co2=ppm, avg")


async def test_numbers_read_back(store: Store) -> None:
    """Every finite number comes back; VictoriaMetrics keeps about twelve digits of it."""
    values = [0.0, -0.0, 1.0, -1.5, 0.1 + 0.2, 1e15, 1e16, 123456789.123456, 1e-7, 2**53 + 1.0]
    values += [1e300, 1e-300, 5e-324, -1.7976931348623157e308] if store.digits == 0 else [1e-9]
    # A series each: VictoriaMetrics blurs what stands beside a huge number.
    await store.keep(*((store.series(f" {at}"), NOW_US, v) for at, v in enumerate(values)))

    for at, value in enumerate(values):
        (point,) = await store.read(f"{store.prefix} {at}")
        assert type(point.value) is float
        assert math.isclose(point.value, value, rel_tol=store.digits, abs_tol=0), value


@pytest.mark.parametrize("step_us", [1_000_000, 1_000, 1])
async def test_times_read_back(store: Store, step_us: int) -> None:
    """Times keep whole seconds, milliseconds and microseconds, as fine as the store can."""
    if step_us < store.unit_us:
        pytest.skip("finer than this store keeps")
    series = store.series()
    times = [NOW_US + at * step_us for at in range(5)]
    await store.keep(*((series, each, 1.0) for each in times))

    assert [point.time_us for point in await store.read(series.name)] == times


async def test_repeat_changes_nothing(store: Store) -> None:
    """A body that is sent again, after a crash for example, leaves every point once."""
    series = store.series()
    points = [(series, NOW_US + at * 1_000_000, float(at)) for at in range(10)]
    await store.keep(*points)
    await store.keep(*points)

    assert [(p.time_us, p.value) for p in await store.read(series.name)] == [
        (time_us, value) for _, time_us, value in points
    ]


async def test_split_and_join_write_the_same(store: Store) -> None:
    """Payloads of several bodies, of different precision, make a body that stores the same."""
    series = [store.series(f" {name}", room="a b, c=d") for name in ("x", "y, =")]
    fine = max(store.unit_us, 1)
    bodies = [
        store.sink.encode([(series[0], NOW_US, 1.0), (series[1], NOW_US + 1_000_000, 2.0)]),
        store.sink.encode([(series[0], NOW_US + 5_000, 3.0)]),
        store.sink.encode([(series[1], NOW_US + 7 * fine, 4.5)]),
    ]
    payloads = [p for e in bodies if e.body for p in store.sink.split(e.body.data)]
    joined = store.sink.join(payloads)

    assert len(payloads) == 4
    assert store.sink.split(joined) == payloads
    await store.sink.write(joined)
    await store.settle()
    assert [(p.time_us, p.value) for p in await store.read(series[0].name)] == [
        (NOW_US, 1.0),
        (NOW_US + 5_000, 3.0),
    ]
    assert [(p.time_us, p.value) for p in await store.read(series[1].name)] == [
        (NOW_US + 7 * fine, 4.5),
        (NOW_US + 1_000_000, 2.0),
    ]


ELSEWHERE: Final = (
    b"",
    b'{"series": "a"}',
    b'{"series": [], "index": [0], "time": [1], "value": [2.0]}',
    b"q\nreading,series=a value=1 x",
)


@pytest.mark.parametrize("data", ELSEWHERE)
async def test_body_of_another_kind_is_named_as_such(store: Store, data: bytes) -> None:
    """What was spooled for another kind of store, or is damaged, is told from a refusal."""
    with pytest.raises(UnreadableBody):
        store.sink.split(data)


@pytest.mark.parametrize("payload", ELSEWHERE)
async def test_payload_of_another_kind_is_named_as_such(store: Store, payload: bytes) -> None:
    """A dead letter from before the store's type was changed is not sent as garbage."""
    good = store.sink.encode([(store.series(), NOW_US, 1.0)])
    assert good.body is not None

    with pytest.raises(UnsendablePayload):
        store.sink.join([*store.sink.split(good.body.data), payload])


async def test_payload_shows_its_point(store: Store) -> None:
    """A payload names series, value and time in microseconds, for the reader of dead letters."""
    encoded = store.sink.encode([(store.series(), NOW_US, 47.25)])

    assert encoded.body is not None
    (payload,) = store.sink.split(encoded.body.data)
    assert store.prefix in payload.decode()
    assert "47.25" in payload.decode()
    assert str(NOW_US) in payload.decode()


async def test_unsayable_series_is_refused_and_its_siblings_kept(store: Store) -> None:
    """A name that the store cannot have is set aside with a reason; the batch goes on."""
    good, bad = store.series(" good"), store.series(" lone \ud800 surrogate")

    encoded = store.sink.encode([(good, NOW_US, 1.0), (bad, NOW_US, 2.0), (good, NOW_US + 1, 3.0)])

    assert encoded.body is not None
    assert encoded.body.points == 3 - len(encoded.refused)
    ((payload, reason),) = [each for each in encoded.refused if b"surrogate" in each[0]]
    assert payload
    assert "Unicode" in reason


async def test_read_takes_start_but_not_end(store: Store) -> None:
    """A window holds its start and not its end, so that windows side by side share nothing."""
    series = store.series()
    await store.keep(*((series, NOW_US + at * 1_000_000, float(at)) for at in range(5)))

    found = await store.sink.read(
        series.name, start_us=NOW_US + 1_000_000, end_us=NOW_US + 3_000_000, tags={}
    )

    assert [point.value for point in found] == [1.0, 2.0]


async def test_tags_narrow_what_is_read(store: Store) -> None:
    """Series of one name differ by their tags, and reading can ask for some."""
    name = f"{store.prefix} shared"
    rooms = [Series(name, (("floor", "1"), ("the room", room))) for room in ("a", 'b\'s "x"')]
    await store.keep(*((each, NOW_US, float(at)) for at, each in enumerate(rooms)))

    assert sorted(point.value for point in await store.read(name)) == [0.0, 1.0]
    assert [p.value for p in await store.read(name, **{"the room": 'b\'s "x"'})] == [1.0]
    assert await store.read(name, floor="2") == []


async def test_latest_gives_the_newest_of_each_series(store: Store) -> None:
    """Each series is there once, with its newest point, unless that is too old."""
    series = [store.series(f" {at}") for at in range(3)]
    await store.keep(
        (series[0], NOW_US + 2_000_000, 1.0),
        (series[0], NOW_US + 1_000_000, 2.0),
        (series[1], NOW_US + 1_123_000, 3.0),
        (series[2], NOW_US - 60_000_000, 4.0),
    )

    found = await store.sink.latest(since_us=NOW_US)
    ours = {p.series: (p.time_us, p.value) for p in found if p.series.startswith(store.prefix)}

    assert ours == {
        series[0].name: (NOW_US + 2_000_000, 1.0),
        series[1].name: (NOW_US + 1_123_000, 3.0),
    }
    (first,) = [point for point in found if point.series == series[0].name]
    assert (first.measurement, first.field, first.tags) == ("reading", "value", {})


async def test_scan_gives_everything_once(store: Store) -> None:
    """A copy sees every point of the window once, in chunks."""
    series = [store.series(f" {at}") for at in range(2)]
    times = [NOW_US + at * 1_000_000 for at in range(12_000)]
    await store.keep(*((each, time_us, 1.0) for each in series for time_us in times))

    chunks = [chunk async for chunk in store.sink.scan(start_us=times[0], end_us=times[-1])]
    ours = [p for chunk in chunks for p in chunk if p.series.startswith(store.prefix)]

    assert len(chunks) > 1
    assert sorted((p.series, p.time_us) for p in ours) == sorted(
        (each.name, time_us) for each in series for time_us in times[:-1]
    )


async def test_nothing_to_encode(store: Store) -> None:
    """No points make no body."""
    encoded = store.sink.encode([])

    assert encoded.body is None
    assert not encoded.refused


async def test_body_knows_its_times(store: Store) -> None:
    """A body tells the earliest and latest time in it, and its size before compression."""
    series = store.series()
    encoded = store.sink.encode([(series, NOW_US + 9_000, 1.0), (series, NOW_US, 2.0)])

    assert encoded.body is not None
    assert (encoded.body.first_us, encoded.body.last_us) == (NOW_US, NOW_US + 9_000)
    assert encoded.raw_bytes > 50


async def test_check_is_content(store: Store) -> None:
    """A store that works gives no warning."""
    assert await store.sink.check() == []


async def test_closes_twice_and_opens_again(store: Store) -> None:
    """Closing is harmless at any time, and a closed sink can be opened."""
    await store.sink.close()
    await store.sink.close()
    await store.sink.open()

    await store.keep((store.series(), NOW_US, 1.0))


def influxdb1_away(tmp_path: Path) -> Sink:
    """Return a sink for an InfluxDB 1 that is not there."""
    url = f"http://127.0.0.1:{free_port()}"
    return InfluxSink1(InfluxStore(name="s", url=url, version=1, database="d", create=True))


def influxdb2_away(tmp_path: Path) -> Sink:
    """Return a sink for an InfluxDB 2 that is not there."""
    url = f"http://127.0.0.1:{free_port()}"
    config = InfluxStore(name="s", url=url, org="o", bucket="b", token="secret", create=True)
    return InfluxSink2(config)


def victoriametrics_away(tmp_path: Path) -> Sink:
    """Return a sink for a VictoriaMetrics that is not there."""
    return VictoriaSink(VictoriaStore(name="s", url=f"http://127.0.0.1:{free_port()}"))


def embedded_away(tmp_path: Path) -> Sink:
    """Return a sink for a file that cannot be made."""
    (tmp_path / "file").write_text("not a folder")
    return EmbeddedSink(EmbeddedStore(name="s", path=tmp_path / "file" / "readings.db"))


@pytest.mark.parametrize(
    "away", [influxdb1_away, influxdb2_away, victoriametrics_away, embedded_away]
)
async def test_unreachable_store_is_unavailable(
    away: Callable[[Path], Sink], tmp_path: Path
) -> None:
    """A store that is not there says so in the words the daemon waits for."""
    sink = away(tmp_path)
    encoded = sink.encode([(Series("a"), NOW_US, 1.0)])
    assert encoded.body is not None

    with pytest.raises(StoreUnavailable):
        await sink.open()
    with pytest.raises(StoreUnavailable):
        await sink.check()
    with pytest.raises(StoreUnavailable) as caught:
        await sink.write(encoded.body.data)
    with pytest.raises(QueryError):
        await sink.latest(since_us=0)
    with pytest.raises(QueryError):
        await sink.read("a", start_us=0, end_us=1, tags={})
    with pytest.raises(QueryError):
        _ = [chunk async for chunk in sink.scan(start_us=0, end_us=1)]
    assert "secret" not in str(caught.value)
    await sink.close()
