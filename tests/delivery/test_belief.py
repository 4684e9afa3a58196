"""A store is believed about readings only after it has shown that it takes readings."""

from pathlib import Path

import pytest

from ingestd.model import Series
from tests.support.influx2 import WEB_PAGE, Behaviour, Influx2, answer
from tests.support.pipeline import held, influx, points, running, until

PLAIN_TO_TLS = Behaviour(
    400,
    "<html><title>400 The plain HTTP request was sent to HTTPS port</title></html>",
    {"Content-Type": "text/html"},
)
QUOTA = Behaviour(400, "the licence of this server has expired", {"Content-Type": "text/plain"})


async def test_a_store_that_refuses_everything_from_the_start_is_an_outage(
    server: Influx2, tmp_path: Path
) -> None:
    """Nothing is buried; once the cause is mended, everything is stored."""
    server.always = answer(400)
    async with running(tmp_path, {"main": influx(server.url)}, believed=False) as pipe:
        await pipe.safe(points(*range(1, 501)))
        await until(lambda: pipe.only.outage.failures >= 3)
        assert (pipe.only.dead.count, pipe.only.spooled) == (0, 500)
        assert server.writes < 100
        assert len(pipe.logged("store unavailable")) == 1

        server.always = None
        await until(lambda: pipe.only.account.stored == 500)
        assert len(held(server)) == 500
        assert pipe.balanced()


async def test_it_is_believed_once_it_has_taken_any_point(server: Influx2, tmp_path: Path) -> None:
    """Of the very first body the bad points are buried, since the others are taken."""
    server.refuse = lambda line: "hates seven" if line.endswith("7") else ""
    async with running(tmp_path, {"main": influx(server.url)}, believed=False) as pipe:
        await pipe.safe(points(*range(1, 101)))
        await until(lambda: pipe.only.account.stored == 90)

        assert pipe.only.dead.count == 10
        assert pipe.balanced()


async def test_bad_points_ahead_of_good_ones_block_nothing(server: Influx2, tmp_path: Path) -> None:
    """The oldest body is all bad, but another one that waits shows that the store is right."""
    server.refuse = lambda line: "" if line.startswith("good") else "hates it"
    good = Series("good", measurement="good")
    async with running(tmp_path, {"main": influx(server.url)}, believed=False) as pipe:
        await pipe.safe(points(*range(1, 21)))
        assert pipe.only.dead.count == 0
        await pipe.safe(points(100, series=good))
        await until(lambda: pipe.only.account.stored == 1)
        await until(lambda: pipe.only.dead.count == 20)

        assert held(server) == {("good", 100): 1.0}
        assert pipe.balanced()


@pytest.mark.parametrize("behaviour", [WEB_PAGE, PLAIN_TO_TLS, QUOTA, Behaviour(200)])
async def test_words_of_another_product_bury_nothing_later_either(
    server: Influx2, tmp_path: Path, behaviour: Behaviour
) -> None:
    """A page, a success that is none, and a text that no store writes are outages."""
    async with running(tmp_path, {"main": influx(server.url)}, believed=False) as pipe:
        await pipe.safe(points(1))
        server.always = behaviour
        await pipe.safe(points(2))
        assert (pipe.only.dead.count, pipe.only.spooled) == (0, 1)
        assert not pipe.only.outage.up

        server.always = None
        await until(lambda: pipe.only.account.stored == 2)
        assert len(held(server)) == 2


async def test_the_log_says_what_to_mend(server: Influx2, tmp_path: Path) -> None:
    """The one line of the outage names the address and what the server speaks."""
    server.always = PLAIN_TO_TLS
    async with running(tmp_path, {"main": influx(server.url)}, believed=False) as pipe:
        await pipe.safe(points(1))

        (told,) = pipe.logged("store unavailable")
        assert server.url in told["error"]
        assert "the url should begin with https://" in told["error"]
