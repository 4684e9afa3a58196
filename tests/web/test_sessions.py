"""Sessions: how they begin, how long they last, and what a wrong token costs."""

import asyncio

import pytest
import structlog

from ingestd.web.problems import Refusal
from ingestd.web.sessions import LASTING, MOST, MOST_TRIES, SLOWLY, Sessions, address_here
from tests.support.clock import VirtualClock

TOKEN = "open-sesame"


@pytest.fixture
def clock() -> VirtualClock:
    """Return a clock that stands."""
    return VirtualClock()


def sessions_of(clock: VirtualClock, name: str = "/var/lib/ingestd") -> Sessions:
    """Return those of a daemon without any yet."""
    return Sessions(TOKEN, name=name, clock=clock, log=structlog.get_logger())


async def test_a_session_lasts_for_its_time(clock: VirtualClock) -> None:
    """It ends by itself, however often it is used."""
    sessions = sessions_of(clock)
    session = await sessions.log_in(f" {TOKEN}\n", sender="here")

    assert sessions.knows(session)
    await clock.advance(LASTING - 1)
    assert sessions.knows(session)
    await clock.advance(1)
    assert not sessions.knows(session)


async def test_there_are_so_many_sessions_and_no_more(clock: VirtualClock) -> None:
    """The oldest ends for a new one, and all differ."""
    sessions = sessions_of(clock)
    all_of_them = [await sessions.log_in(TOKEN, sender="here") for _ in range(MOST + 1)]

    assert len(set(all_of_them)) == MOST + 1
    assert [sessions.knows(each) for each in all_of_them] == [False, *[True] * MOST]


async def test_a_session_is_left(clock: VirtualClock) -> None:
    """The others go on, and to leave one that there is not does nothing."""
    sessions = sessions_of(clock)
    one, other = [await sessions.log_in(TOKEN, sender="here") for _ in range(2)]
    sessions.log_out(one)
    sessions.log_out("none")

    known = [sessions.knows(each) for each in (one, other, "", "none")]
    assert known == [
        False,
        True,
        False,
        False,
    ]


async def test_another_daemon_knows_no_session_of_this_one(clock: VirtualClock) -> None:
    """Nor has it a cookie of the same name, so that both can be looked at side by side."""
    sessions, other = sessions_of(clock), sessions_of(clock, "/srv/other")
    session = await sessions.log_in(TOKEN, sender="here")

    assert not other.knows(session)
    assert sessions.cookie != other.cookie


async def test_a_seal_belongs_to_a_session(clock: VirtualClock) -> None:
    """That of another session, of none or of another daemon is refused."""
    sessions = sessions_of(clock)
    one, other = [await sessions.log_in(TOKEN, sender="here") for _ in range(2)]
    tokens = sessions.csrf_tokens
    tokens.check(tokens.of(one), one)

    elsewhere = sessions_of(clock).csrf_tokens.of(one)
    for wrong in (tokens.of(other), tokens.of(), elsewhere, one, ""):
        with pytest.raises(Refusal):
            tokens.check(wrong, one)


async def test_wrong_tokens_take_their_time_and_are_few_at_once(clock: VirtualClock) -> None:
    """Beyond that not even the right one is looked at, so that nothing is learnt faster."""
    sessions = sessions_of(clock)
    wrong = [asyncio.ensure_future(sessions.log_in("x", sender="there")) for _ in range(MOST_TRIES)]
    while clock.sleepers < MOST_TRIES:  # noqa: ASYNC110 -- nothing tells
        await asyncio.sleep(0)
    with pytest.raises(Refusal) as refused:
        await sessions.log_in(TOKEN, sender="here")
    assert refused.value.status == 429
    assert not any(each.done() for each in wrong)

    await clock.advance(SLOWLY)
    told = await asyncio.gather(*wrong, return_exceptions=True)
    assert [each.status for each in told if isinstance(each, Refusal)] == [401] * MOST_TRIES
    assert sessions.knows(await sessions.log_in(TOKEN, sender="here"))


@pytest.mark.parametrize(
    "given",
    [
        "//evil.example.org", "http://evil.example.org/", "/\\evil.example.org", "ui/runs", "",
        "/ui/runs\r\nSet-Cookie: a=b", "/ui/\u00e9", "/static/page.css", "javascript:alert(1)",
        "/ui/runs\n",
    ],
)  # fmt: skip
def test_nobody_is_sent_elsewhere(given: str) -> None:
    """Whoever has logged in goes on to a page of ours."""
    assert address_here(given) == "/"


@pytest.mark.parametrize(
    "given", ["/", "/ui/runs", "/ui/runs?failing=true&collector=a%20b", "/?a=1"]
)
def test_everybody_gets_where_they_wanted(given: str) -> None:
    """That is any page, with its query."""
    assert address_here(given) == given
