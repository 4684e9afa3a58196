"""Points over which a store fails, while it takes others."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestd.config.model import InfluxStore
from ingestd.delivery import drain
from ingestd.delivery.suspects import Suspects
from ingestd.errors import StoreUnavailable
from ingestd.model import Body
from ingestd.sinks.influxdb import InfluxSink2
from tests.support.clock import VirtualClock
from tests.support.deadline import WITHIN
from tests.support.influx2 import Behaviour, Influx2, answer
from tests.support.pipeline import (
    Pipeline,
    end_backoff,
    held,
    influx,
    points,
    running,
    until,
)

BROKEN = answer(500, '{"code":"internal error","message":"Index 0 out of bounds"}')


PAUSE = 60.0


def spanning(first_us: int, last_us: int, *, points: int = 1) -> Body:
    """Make a body of points with some times."""
    return Body(b"", points, first_us, last_us)


async def test_a_suspect_body_is_sent_again_after_a_pause() -> None:
    """Each time it was tried, and also when it was left for later."""
    clock = VirtualClock()
    suspects = Suspects(pause=PAUSE, enough=6, clock=clock)
    due = []
    suspects.park(1, spanning(0, 0), [], taken=0)
    for again in (suspects.postpone, lambda place: suspects.strike(place, 0), lambda _: None):
        await clock.advance(PAUSE - 1)
        due.append((suspects.due(), suspects.due_in))
        await clock.advance(1)
        due.append((suspects.due(), suspects.due_in))
        again(1)

    assert due == [([], 1.0), ([1], 0.0)] * 3


def test_a_body_is_a_dead_letter_after_enough_strikes() -> None:
    """Those from before it shrank count on; a sign that the server itself fails clears them."""
    suspects = Suspects(pause=PAUSE, enough=3, clock=VirtualClock())
    suspects.park(1, spanning(0, 0, points=2), [], taken=0)
    assert [suspects.strike(1, 0) for _ in range(2)] == [False, False]
    suspects.clear()
    assert [suspects.strike(1, 0) for _ in range(2)] == [False, False]
    suspects.park(1, spanning(0, 0), [], taken=0)

    assert suspects.strike(1, 0)


def test_others_count_when_they_were_taken_since_the_last_strike() -> None:
    """A store that has taken nothing in between may have been down."""
    suspects = Suspects(pause=PAUSE, enough=3, clock=VirtualClock())
    suspects.park(1, spanning(0, 0), [], taken=4)
    parked = [suspects.others_were_taken(1, taken) for taken in (4, 5)]
    suspects.strike(1, 5)

    assert parked == [False, True]
    assert [suspects.others_were_taken(1, taken) for taken in (5, 6)] == [False, True]


def test_what_is_suspect_is_known_by_its_place() -> None:
    """With the points that it holds, until it has left the spool."""
    suspects = Suspects(pause=PAUSE, enough=3, clock=VirtualClock())
    before = bool(suspects), suspects.ids, suspects.points
    suspects.park(1, spanning(0, 0, points=2), [], taken=0)
    suspects.park(5, spanning(0, 0, points=3), [], taken=0)
    parked = bool(suspects), suspects.ids, suspects.points
    suspects.forget(1)
    suspects.forget(9)

    assert before == (False, frozenset(), 0)
    assert parked == (True, frozenset({1, 5}), 5)
    assert (suspects.ids, suspects.points) == (frozenset({5}), 3)


def test_a_correction_has_the_time_and_the_key_of_a_suspect_point() -> None:
    """The times are looked at first, since the keys cost more."""
    suspects = Suspects(pause=PAUSE, enough=3, clock=VirtualClock())
    suspects.park(1, spanning(10, 20), [b"a", b"b"], taken=0)
    suspects.park(2, spanning(40, 50), [b"c"], taken=0)
    spans = [(0, 9), (0, 10), (12, 14), (20, 30), (21, 39), (30, 60), (51, 60)]

    assert [span for span in spans if suspects.may_be_corrected_by(spanning(*span))] == [
        (0, 10),
        (12, 14),
        (20, 30),
        (30, 60),
    ]
    assert [suspects.include(keys) for keys in ([b"x", b"b"], [b"c"], [b"x"], [])] == [
        True,
        True,
        False,
        False,
    ]


def poison(server: Influx2, *seconds: int) -> None:
    """Have the server fail over some readings, whatever else is in their body."""
    ends = tuple(f" {second}" for second in seconds)

    def fails(lines: Sequence[str]) -> bool:
        return any(line.endswith(ends) for line in lines)

    server.fails_over = fails


async def test_a_reading_that_the_server_fails_over_is_buried_in_the_end(
    server: Influx2, tmp_path: Path
) -> None:
    """Its neighbours go past it, and it is buried with what the server says."""
    poison(server, 7)
    async with running(tmp_path, {"main": influx(server.url)}) as pipe:
        await pipe.safe(points(*range(1, 41)))
        await until(lambda: pipe.only.account.stored == 39)
        assert pipe.only.dead.count == 0
        second = 100
        while not pipe.only.dead.count:  # it is told from an outage by what is taken in between
            await pipe.safe(points(second := second + 1))

        (letter,) = await pipe.only.dead.listed()
        assert letter.payload.endswith(b" 7000000")
        assert "HTTP 500" in letter.reason
        await until(lambda: pipe.only.spooled == 0)
        assert {at for _, at in held(server)} == set(range(1, second + 1)) - {7, *range(41, 101)}
        assert pipe.balanced()


async def test_without_others_it_waits(server: Influx2, tmp_path: Path) -> None:
    """A store that takes nothing else may be down, so nothing is buried."""
    poison(server, 7)
    async with running(tmp_path, {"main": influx(server.url)}) as pipe:
        await pipe.safe(points(*range(1, 11)))
        await until(lambda: pipe.only.account.stored == 9)
        await until(lambda: pipe.only.sender.suspects.points == 1)
        [parked] = pipe.only.sender.suspects._parked.values()
        first = parked.due
        await until(lambda: parked.due > first + 10 * 0.02)

        assert parked.strikes <= 1
        assert (pipe.only.dead.count, pipe.only.spooled) == (0, 1)


async def test_what_corrects_it_does_not_go_past_it(server: Influx2, tmp_path: Path) -> None:
    """Should the store take the old value after all, the new one still comes later."""
    poison(server, 7)
    sinks = {"main": influx(server.url)}
    async with running(tmp_path, sinks, suspect_pause=60) as pipe:
        await pipe.safe(points(*range(1, 11)))
        await until(lambda: pipe.only.sender.suspects.points == 1)
        await pipe.safe(points(7, value=2.0))
        await pipe.safe(points(20))
        await until(lambda: pipe.only.account.stored == 10)
        poison(server)
        for parked in pipe.only.sender.suspects._parked.values():
            parked.due = 0.0
        await until(lambda: pipe.only.spooled == 0)

        assert held(server)["level", 7] == 2.0
        assert pipe.balanced()


async def parked(server: Influx2, pipe: Pipeline, *seconds: int) -> None:
    """Have the server fail over some readings until they are suspect, together in one body."""
    poison(server, *seconds)
    await pipe.safe(points(*range(1, 41)))
    await until(lambda: pipe.only.sender.suspects.points == len(seconds))
    await until(lambda: pipe.only.account.stored == 40 - len(seconds))
    assert pipe.only.spool.holds.bodies == 1
    (told,) = pipe.logged(
        "the store fails over some points and takes others; these are tried again"
    )
    assert (told["level"], told["points"]) == ("warning", len(seconds))


async def test_a_suspect_reading_that_is_taken_after_all_leaves_the_others(
    server: Influx2, tmp_path: Path
) -> None:
    """They stay in the spool, and are suspect still."""
    async with running(tmp_path, {"main": influx(server.url)}) as pipe:
        await parked(server, pipe, 7, 8, 9)
        poison(server, 7, 9)
        await pipe.safe(points(100))
        await until(lambda: pipe.only.sender.suspects.points == 2)

        assert (pipe.only.account.stored, pipe.only.spool.holds.points) == (39, 2)
        assert {second for _, second in held(server)} == {*range(1, 41), 100} - {7, 9}
        poison(server)
        await pipe.safe(points(101))
        await until(lambda: not pipe.only.spooled)
        assert {second for _, second in held(server)} == {*range(1, 41), 100, 101}
        assert pipe.balanced()


async def test_a_suspect_reading_that_is_refused_is_buried_with_the_reason(
    server: Influx2, tmp_path: Path
) -> None:
    """The store may have been mended, so that it says now what is wrong; the others go on."""
    async with running(tmp_path, {"main": influx(server.url)}) as pipe:
        await parked(server, pipe, 7, 8, 9)
        poison(server, 9)
        server.refuse = lambda line: "hates seven" if line.endswith(" 7") else ""
        await pipe.safe(points(100))
        await until(lambda: pipe.only.spool.holds.points == 1)

        (letter,) = await pipe.only.dead.listed()
        assert "hates seven" in letter.reason
        assert letter.payload.endswith(b" 7000000")
        assert {second for _, second in held(server)} == {*range(1, 41), 100} - {7, 9}
        assert pipe.balanced()


async def test_an_outage_among_suspect_readings_leaves_those_behind_it(
    server: Influx2, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was taken before is out of the spool, and nothing is buried."""
    monkeypatch.setattr(drain, "LOOK_AT_OUTAGE", 0.02)
    async with running(tmp_path, {"main": influx(server.url)}) as pipe:
        await parked(server, pipe, 7, 8, 9)
        server.script += [Behaviour(), Behaviour(), answer(503, retry_after="60")]
        poison(server)
        await pipe.safe(points(100))
        await until(lambda: not pipe.only.outage.up and pipe.only.spool.holds.points == 2)

        assert {second for _, second in held(server)} == {*range(1, 41), 100} - {8, 9}
        assert "503" in pipe.only.outage.message
        end_backoff(pipe.only.outage)
        await pipe.safe(points(101))
        await until(lambda: not pipe.only.spooled)
        assert {second for _, second in held(server)} == {*range(1, 41), 100, 101}
        assert pipe.only.dead.count == 0
        assert pipe.balanced()


async def test_a_server_that_fails_over_everything_is_down(server: Influx2, tmp_path: Path) -> None:
    """However long it fails, nothing is suspect, and all is stored when it is back."""
    server.always = BROKEN
    async with running(tmp_path, {"main": influx(server.url)}) as pipe:
        await pipe.safe(points(*range(1, 101)))
        await until(lambda: pipe.only.outage.failures >= 5)
        assert (pipe.only.spooled, pipe.only.sender.suspects.points) == (100, 0)

        server.always = None
        await until(lambda: pipe.only.account.stored == 100)
        assert pipe.only.dead.count == 0


@dataclass
class ModelSink(InfluxSink2):
    """A store in memory with poison points and outages that are counted in requests.

    Attributes:
        poison: The seconds of the points that it fails over.
        outages: For how many requests it works and fails, in turns.
    """

    poison: frozenset[bytes]
    outages: list[int]
    has: dict[bytes, bytes] = field(default_factory=dict)
    requests: int = 0

    def __post_init__(self) -> None:
        super().__init__(
            InfluxStore(name="main", url="http://127.0.0.1:9", org="o", bucket="b", token="t")
        )

    async def write(self, data: bytes) -> None:
        """Take all of a body, or fail."""
        await asyncio.sleep(0)
        self.requests += 1
        lines = self.split(data)
        if self._is_down() or not self.poison.isdisjoint(map(self.key, lines)):
            raise StoreUnavailable("HTTP 500", answered=True, perhaps_body=True)
        self.has |= {self.key(line): line for line in lines}

    def _is_down(self) -> bool:
        left = self.requests
        for turn, length in enumerate(self.outages):
            if left <= length:
                return turn % 2 == 1
            left -= length
        return False


def key(second: int) -> bytes:
    """Return the key of a point of the pipeline's series."""
    sink = influx("http://127.0.0.1:9")
    body = sink.encode(points(second)).body
    assert body is not None
    [payload] = sink.split(body.data)
    return sink.key(payload)


@given(
    bad=st.sets(st.integers(1, 60), max_size=6),
    outages=st.lists(st.integers(1, 40), max_size=8),
    sizes=st.lists(st.integers(1, 20), min_size=1, max_size=6),
)
@settings(max_examples=12, deadline=None)
@pytest.mark.slow
def test_nothing_good_is_buried(
    tmp_path_factory: pytest.TempPathFactory,
    bad: set[int],
    outages: list[int],
    sizes: list[int],
) -> None:
    """In any history of outages every good point is stored, and every poison one buried."""
    sink = ModelSink(poison=frozenset(map(key, bad)), outages=outages)
    asyncio.run(history(tmp_path_factory.mktemp("state"), sink, bad, sizes))


async def history(state: Path, sink: ModelSink, bad: set[int], sizes: Sequence[int]) -> None:
    """Give the points of some batches, and go on with good ones until the poison is buried."""
    async with running(state, {"main": sink}, suspect_pause=0.005, linger=0.001) as pipe:
        second = 0
        for size in sizes:
            await pipe.safe(points(*range(second + 1, second + size + 1)))
            second += size
        given_bad = {each for each in bad if each <= second}
        last = await go_on(pipe, len(given_bad))
        letters = await pipe.only.dead.listed()

        assert {sink.key(each.payload) for each in letters} == set(map(key, given_bad))
        good = [each for each in range(1, second + 1) if each not in given_bad]
        assert sink.has.keys() == set(map(key, [*good, *range(1001, last + 1)]))
        assert pipe.balanced()


async def go_on(pipe: Pipeline, buried: int) -> int:
    """Give one good point after the other until so many are buried and nothing waits."""
    second = 1000
    async with asyncio.timeout(WITHIN):
        while pipe.only.dead.count != buried or pipe.only.spooled:
            await pipe.safe(points(second := second + 1))
    return second
