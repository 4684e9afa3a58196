"""Sessions: how they begin, how long they last, and what a wrong token costs."""

import asyncio

import pytest
import structlog

from ingestd.web.desk import LASTING, MOST, MOST_TRIES, SLOWLY, Desk, address_here
from ingestd.web.problems import Refusal
from tests.support.clock import VirtualClock

TOKEN = "open-sesame"


@pytest.fixture
def clock() -> VirtualClock:
    """Return a clock that stands."""
    return VirtualClock()


def desk_of(clock: VirtualClock, name: str = "/var/lib/ingestd") -> Desk:
    """Return a desk."""
    return Desk(TOKEN, name=name, clock=clock, log=structlog.get_logger())


async def test_a_session_lasts_for_its_time(clock: VirtualClock) -> None:
    """It ends by itself, however often it is used."""
    desk = desk_of(clock)
    session = await desk.enter(f" {TOKEN}\n", sender="here")

    assert desk.knows(session)
    await clock.advance(LASTING - 1)
    assert desk.knows(session)
    await clock.advance(1)
    assert not desk.knows(session)


async def test_there_are_so_many_sessions_and_no_more(clock: VirtualClock) -> None:
    """The oldest ends for a new one, and all differ."""
    desk = desk_of(clock)
    sessions = [await desk.enter(TOKEN, sender="here") for _ in range(MOST + 1)]

    assert len(set(sessions)) == MOST + 1
    assert [desk.knows(each) for each in sessions] == [False, *[True] * MOST]


async def test_a_session_is_left(clock: VirtualClock) -> None:
    """The others go on, and to leave one that there is not does nothing."""
    desk = desk_of(clock)
    one, other = [await desk.enter(TOKEN, sender="here") for _ in range(2)]
    desk.leave(one)
    desk.leave("none")

    assert [desk.knows(each) for each in (one, other, "", "none")] == [False, True, False, False]


async def test_another_daemon_knows_no_session_of_this_one(clock: VirtualClock) -> None:
    """Nor has it a cookie of the same name, so that both can be looked at side by side."""
    desk, other = desk_of(clock), desk_of(clock, "/srv/other")
    session = await desk.enter(TOKEN, sender="here")

    assert not other.knows(session)
    assert desk.cookie != other.cookie


async def test_a_seal_belongs_to_a_session(clock: VirtualClock) -> None:
    """That of another session, of none or of another daemon is refused."""
    desk = desk_of(clock)
    one, other = [await desk.enter(TOKEN, sender="here") for _ in range(2)]
    desk.seals.check(desk.seals.of(one), one)

    for wrong in (desk.seals.of(other), desk.seals.of(), desk_of(clock).seals.of(one), one, ""):
        with pytest.raises(Refusal):
            desk.seals.check(wrong, one)


async def test_wrong_tokens_take_their_time_and_are_few_at_once(clock: VirtualClock) -> None:
    """Beyond that not even the right one is looked at, so that nothing is learnt faster."""
    desk = desk_of(clock)
    wrong = [asyncio.ensure_future(desk.enter("x", sender="there")) for _ in range(MOST_TRIES)]
    while clock.sleepers < MOST_TRIES:  # noqa: ASYNC110 -- nothing tells
        await asyncio.sleep(0)
    with pytest.raises(Refusal) as refused:
        await desk.enter(TOKEN, sender="here")
    assert refused.value.status == 429
    assert not any(each.done() for each in wrong)

    await clock.advance(SLOWLY)
    told = await asyncio.gather(*wrong, return_exceptions=True)
    assert [each.status for each in told if isinstance(each, Refusal)] == [401] * MOST_TRIES
    assert desk.knows(await desk.enter(TOKEN, sender="here"))


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
