"""Whether a store is up, and when it is tried again."""

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.delivery.outage import Health, Outage
from tests.support.clock import START, VirtualClock
from tests.support.influx2 import Influx2, answer
from tests.support.pipeline import end_backoff, influx, points, running, until
from tests.support.plugins import LogLines


class Watched:
    """An outage on a clock that stands still, with what it logged."""

    def __init__(self, *, longest: float = 60.0) -> None:
        self.clock, self.log = VirtualClock(), LogLines()
        self.outage = Outage(first=1.0, longest=longest, clock=self.clock, log=self.log)

    async def retried(self) -> None:
        """Wait until the store may be probed, and claim the probe."""
        await self.clock.advance(max(0.0, self.outage.retry_in) + 0.001)  # it ticks in whole steps
        assert self.outage.probe()


async def test_backoff_doubles_up_to_its_bound() -> None:
    """Jitter of up to a half keeps many daemons from coming back together."""
    watched = Watched(longest=10)
    waits = []
    for _ in range(7):
        watched.outage.failed("no")
        waits.append(watched.outage.retry_in)
        await watched.retried()

    for wait, ceiling in zip(waits, [1, 2, 4, 8, 10, 10, 10], strict=True):
        assert ceiling / 2 <= wait <= ceiling


def test_backoff_is_spread() -> None:
    """Two daemons that lost their store together do not come back together."""
    waits = set()
    for _ in range(20):
        watched = Watched()
        watched.outage.failed("no")
        waits.add(watched.outage.retry_in)

    assert len(waits) > 10


def test_backoff_stays_bounded_for_ever() -> None:
    """A store may be away for years."""
    watched = Watched()
    for _ in range(5000):
        watched.outage.failed("no")

    assert watched.outage.retry_in <= 60


@pytest.mark.parametrize(
    ("asked", "expected"), [(300.0, 300.0), (0.01, 0.5), (None, 0.5), (86_400.0, 900.0)]
)
def test_retry_after_is_a_floor(asked: float | None, expected: float) -> None:
    """The store knows best how long, within reason, but not for less than our own backoff."""
    watched = Watched()

    watched.outage.failed("busy", retry_after=asked)

    assert expected <= watched.outage.retry_in <= max(expected, 1.0)


async def test_backoff_begins_anew_after_a_success() -> None:
    """The next outage is another one."""
    watched = Watched()
    for _ in range(5):
        watched.outage.failed("no")
    watched.outage.succeeded()
    assert watched.outage.failures == 0

    watched.outage.failed("no")

    assert watched.outage.retry_in <= 1


async def test_store_that_is_down_gets_one_probe_at_a_time() -> None:
    """A probe is not sent before its time, nor before the one ahead is answered."""
    watched = Watched()
    watched.outage.failed("no")
    assert not watched.outage.probe()

    await watched.retried()
    assert str(watched.outage.health) == "probing"
    assert not watched.outage.probe()

    watched.outage.failed("still no")
    assert not watched.outage.probe()

    await watched.retried()
    watched.outage.succeeded()
    assert all(watched.outage.probe() for _ in range(3))


async def test_backoff_can_be_ended() -> None:
    """A person asks for it: the probe may be sent at once."""
    watched = Watched()
    watched.outage.failed("no")
    assert not watched.outage.probe()

    watched.outage.try_now()

    assert watched.outage.probe()


async def test_probe_that_was_not_sent_can_be_claimed_again() -> None:
    """There may have been nothing to send after all."""
    watched = Watched()
    watched.outage.failed("no")
    await watched.retried()

    watched.outage.give_back()

    assert watched.outage.probe()


def test_giving_back_leaves_a_store_that_is_up_alone() -> None:
    """No probe is claimed while a store is up."""
    watched = Watched()
    watched.outage.give_back()

    assert watched.outage.up


async def test_log_has_one_line_for_each_change() -> None:
    """The second line says how long it took and how often it was tried."""
    watched = Watched()
    for _ in range(3):
        watched.outage.failed("HTTP 503")
        await watched.retried()
    elapsed = watched.clock.monotonic()
    for _ in range(3):
        watched.outage.succeeded()

    (down_level, down, why), (up_level, up, after) = watched.log.lines
    assert (down_level, down, why["error"]) == ("warning", "store unavailable", "HTTP 503")
    assert (up_level, up) == ("info", "store is back")
    assert after == {"seconds": round(elapsed, 1), "failures": 3}


def test_log_says_when_it_is_tried_again() -> None:
    """In seconds, as exact as an operator wants to know it."""
    watched = Watched()

    watched.outage.failed("busy", retry_after=7.26)

    assert watched.log.lines == [
        ("warning", "store unavailable", {"error": "busy", "retry_in": 7.3})
    ]


async def test_since_tells_when_it_changed() -> None:
    """Down since the first failure, up since the first success."""
    watched = Watched()
    await watched.clock.advance(10)
    watched.outage.failed("no")
    await watched.clock.advance(10)
    watched.outage.failed("no")
    assert watched.outage.since == START + 10
    assert not watched.outage.is_up.is_set()

    watched.outage.succeeded()
    assert watched.outage.since == START + 20
    assert watched.outage.is_up.is_set()


async def test_a_step_of_the_clock_makes_no_outage_longer() -> None:
    """A machine that has just started may be put from 1970 to today."""
    watched = Watched()
    before = watched.outage.down_for
    watched.outage.failed("no")
    await watched.clock.advance(10)
    watched.clock.step(1e9)
    watched.outage.failed("no")

    assert (before, watched.outage.down_for) == (None, 10)


@given(st.lists(st.sampled_from(["failed", "succeeded", "probe", "give_back"]), max_size=30))
def test_at_most_one_probe_is_out(steps: list[str]) -> None:
    """In no order of events is a store that is down sent two bodies at once."""
    watched = Watched()
    out = 0
    for step in steps:
        outage = watched.outage
        if step == "probe":
            end_backoff(outage)
            out += outage.probe() and not outage.up
        elif step == "failed":
            outage.failed("no")
            out = 0
        elif step == "succeeded":
            outage.succeeded()
            out = 0
        else:
            outage.give_back()
            out = 0
        assert out == (outage.health is Health.PROBING)
        assert outage.is_up.is_set() == outage.up


async def test_store_is_probed_again_when_all_that_waited_was_damaged(
    influx2: Influx2, tmp_path: Path
) -> None:
    """A probe that found nothing to send must not be the last."""
    influx2.make_bucket("energy")
    influx2.always = answer(503, retry_after="0.1")
    async with running(tmp_path, {"main": influx(influx2.url)}) as pipe:
        await pipe.safe(points(1))

        def harm(db: sqlite3.Connection) -> None:
            db.execute("UPDATE spool SET data = x'00'")

        await pipe.only.spool._database.write(harm)
        await until(lambda: not pipe.only.spooled)
        (told,) = pipe.logged("spooled points were set aside")
        assert (told["level"], told["points"]) == ("error", 1)
        assert told["reason"] == "damaged on disk"
        influx2.always = None
        await pipe.safe(points(2))

        await until(lambda: pipe.only.account.stored == 1)
        assert pipe.balanced()
