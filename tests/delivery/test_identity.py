"""Who answers for a store, as the log and the status say it."""

from pathlib import Path

import pytest

from ingestd.delivery import sender
from ingestd.errors import BodyRejected, StoreUnavailable
from ingestd.sinks.identity import Identity
from tests.support.answering import AnsweringSink
from tests.support.pipeline import Pipeline, points, running, until

NGINX = Identity("nginx", "1.22")
EXPECTED = "answers, expected InfluxDB 2: are url, type and version right?)"


async def message_of(pipe: Pipeline) -> str:
    """Have a point not be taken; return what the store is down for."""
    await pipe.safe(points(1))
    return pipe.only.outage.message


async def test_an_outage_that_was_answered_says_by_whom(
    sink: AnsweringSink, tmp_path: Path
) -> None:
    """Another product means that the address is wrong."""
    sink.who = [NGINX]
    sink.answer = lambda _seconds: StoreUnavailable("HTTP 404", answered=True, retry_after=60)
    async with running(tmp_path, {"main": sink}) as pipe:
        assert await message_of(pipe) == f"HTTP 404 (nginx 1.22 {EXPECTED}"


async def test_a_store_that_refuses_everything_is_named(
    sink: AnsweringSink, tmp_path: Path
) -> None:
    """The request may be what it refuses."""
    sink.answer = lambda _seconds: BodyRejected("no")
    async with running(tmp_path, {"main": sink}, believed=False) as pipe:
        assert await message_of(pipe) == "no (InfluxDB v2.7.1 answers)"


async def test_nobody_is_named_where_nothing_answered(sink: AnsweringSink, tmp_path: Path) -> None:
    """Whoever answered before has nothing to do with it."""
    sink.answer = lambda _seconds: StoreUnavailable("no route", retry_after=60)
    async with running(tmp_path, {"main": sink}) as pipe:
        assert await message_of(pipe) == "no route"
        assert sink.asked == 0


async def test_who_takes_readings_is_known(sink: AnsweringSink, tmp_path: Path) -> None:
    """It is asked once, with the first reading that it takes."""
    async with running(tmp_path, {"main": sink}, believed=False) as pipe:
        before = pipe.only.sender.identity
        for second in (1, 2):
            await pipe.safe(points(second))

        assert (before, pipe.only.sender.identity) == (Identity(), Identity("InfluxDB", "v2.7.1"))
        assert sink.asked == 1


async def test_who_answers_is_asked_anew_for_each_outage(
    sink: AnsweringSink, tmp_path: Path
) -> None:
    """And for as long as nobody has said who it is, but not with each failure."""
    sink.who = [NGINX, Identity(), Identity("Caddy")]
    sink.answer = lambda _seconds: StoreUnavailable("HTTP 404", answered=True)
    async with running(tmp_path, {"main": sink}) as pipe:
        first = await message_of(pipe)
        await until(lambda: pipe.only.outage.failures >= 3)
        asked = sink.asked
        pipe.only.outage.succeeded()
        await until(lambda: "Caddy" in pipe.only.outage.message)
        await until(lambda: pipe.only.outage.failures >= 3)

        assert first == f"HTTP 404 (nginx 1.22 {EXPECTED}"
        assert (asked, sink.asked) == (1, 3)


async def test_one_that_does_not_say_is_not_waited_for(
    sink: AnsweringSink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is only for people."""
    monkeypatch.setattr(sender, "IDENTIFYING", 0.01)
    sink.who = []
    sink.answer = lambda _seconds: StoreUnavailable("HTTP 404", answered=True, retry_after=60)
    async with running(tmp_path, {"main": sink}) as pipe:
        assert await message_of(pipe) == "HTTP 404"
