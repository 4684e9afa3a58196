"""Pauses that servers ask for and quotas: they outlast runs, collectors and the daemon."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from yarl import URL

from ingestd.config.model import HttpConfig, Quota
from ingestd.context.http import LazySession
from ingestd.context.httplimits import HttpLimits, MustWaitError
from ingestd.errors import DiskFull
from ingestd.plugins._retryafter import leaving
from tests.support.clock import VirtualClock

DAY = 86_400.0
TEN = Quota(10, DAY, "10 per day")
URL_A, URL_B = URL("http://a/x"), URL("http://b/x")


@dataclass
class Asking:
    """A server that answers as its script says, and sessions of collectors.

    Attributes:
        script: Status, headers and body of each answer; then 200.
        arrivals: When each request came, in virtual seconds.
        kept: What was put on disk last.
    """

    clock: VirtualClock
    server: TestServer
    limits: HttpLimits
    script: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    arrivals: list[float] = field(default_factory=list)
    sessions: list[LazySession] = field(default_factory=list)
    kept: list[bytes] = field(default_factory=list)

    async def answer(self, _: web.Request) -> web.StreamResponse:
        """Answer a request."""
        self.arrivals.append(self.clock.monotonic())
        status, headers = self.script.pop(0) if self.script else (200, {})
        return web.Response(status=status, headers=headers)

    def collector(
        self, name: str = "c", *, timeout: float | None = None, **options: Any
    ) -> Callable[..., Any]:
        """Return what asks the server once for a collector, and gives the status."""
        session = LazySession(
            HttpConfig(**options),
            clock=self.clock,
            collector=name,
            limits=self.limits,
            timeout=timeout,
        )
        self.sessions.append(session)

        async def ask(method: str = "GET") -> int:
            async def asked() -> int:
                async with session().request(method, self.server.make_url("/")) as reply:
                    return reply.status

            return await self.clock.drive(asked())

        return ask

    async def keep(self, kept: bytes) -> None:
        """Take what is to be put on disk."""
        self.kept.append(kept)

    def restart(self) -> None:
        """Go on as a daemon that starts anew."""
        self.limits = HttpLimits()
        self.limits.restore(self.kept[-1], keep=self.keep)


@asynccontextmanager
async def asking() -> AsyncIterator[Asking]:
    """Give a server, on a virtual clock."""
    app = web.Application()
    server = TestServer(app)
    made = Asking(VirtualClock(patience=0.02), server, HttpLimits())
    made.limits.restore(b"", keep=made.keep)
    app.router.add_route("*", "/", made.answer)
    async with server:
        try:
            yield made
        finally:
            for session in made.sessions:
                await session.close()


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_pause_that_a_server_asks_for_holds_in_the_next_run(method: str) -> None:
    """It is asked every five seconds, and wants 40: the next request waits for them."""
    async with asking() as here:
        here.script = [(429, {"Retry-After": "40"})]
        ask = here.collector(retries=0)

        assert await ask(method) == 429
        await here.clock.drive(here.clock.sleep(5))
        assert await ask(method) == 200

        assert here.arrivals == [0, 40]


async def test_pause_holds_for_all_who_ask_the_server() -> None:
    """The next collector waits, one whose run is shorter than the pause fails without asking."""
    async with asking() as here:
        here.script = [(503, {"Retry-After": "40"})]
        first, other, hasty = (
            here.collector("a", retries=0),
            here.collector("b"),
            here.collector("c", timeout=4.0),
        )

        assert await first() == 503
        with pytest.raises(MustWaitError, match="asked to be left alone"):
            await hasty()
        assert await other() == 200

        assert here.arrivals == [0, 40]


async def test_too_many_requests_hold_for_an_account_alone() -> None:
    """Where the operator says that a server counts by account; over a restart, too."""
    async with asking() as here:
        here.script = [(429, {"Retry-After": "40"}), (200, {}), (200, {}), (200, {})]
        assert await here.collector("a", retries=0, account="office")() == 429
        here.restart()
        asks = {
            name: here.collector(f"{name} too", account=name) for name in ("", "home", "office")
        }
        assert [await asks[name]() for name in ("", "home", "office")] == [200, 200, 200]

        assert here.arrivals == [0, 0, 0, 40]


async def test_server_that_is_not_there_holds_for_all_accounts() -> None:
    """A 503 says nothing of who asks; nor does a 429 to a collector of no account."""
    async with asking() as here:
        here.script = [(503, {"Retry-After": "40"}), (200, {}), (429, {"Retry-After": "9"})]
        first = here.collector("a", retries=0, account="office")
        nobody = here.collector("b", retries=0)

        assert await first() == 503
        assert await here.collector("c", account="home")() == 200
        assert await nobody() == 429
        assert await first() == 200
        assert here.arrivals == [0, 40, 40, 49]


async def test_pause_that_is_too_long_to_wait_for_holds_without_a_request() -> None:
    """Each run until then fails at once, and says until when."""
    async with asking() as here:
        here.script = [(429, {"Retry-After": "3600"})]
        ask = here.collector()

        assert await ask() == 429
        for _ in range(3):
            with pytest.raises(
                MustWaitError, match="asked to be left alone until 2023-11-14 23:13"
            ):
                await ask()
        await here.clock.drive(here.clock.sleep(3601))
        assert await ask() == 200

        assert here.arrivals == [0, 3601]


async def test_pause_holds_over_a_restart() -> None:
    """A daemon that starts anew has not forgotten it."""
    async with asking() as here:
        here.script = [(429, {"Retry-After": "3600"})]
        await here.collector()()

        here.restart()

        with pytest.raises(MustWaitError):
            await here.collector()()
        assert len(here.arrivals) == 1


async def test_server_that_was_asked_too_often_is_not_asked_again_in_the_run() -> None:
    """It does not say when to come back, and each further request might count."""
    async with asking() as here:
        here.script = [(429, {})]

        assert await here.collector(retries=3)() == 429

        assert here.arrivals == [0]


async def test_quota_is_kept_over_runs_and_restarts() -> None:
    """Repeats count; the eleventh request of a day is not made."""
    async with asking() as here:
        here.script = [(503, {})]
        ask = here.collector(quota=TEN)
        for _ in range(5):
            await ask()
            await here.clock.drive(here.clock.sleep(600))
        here.restart()
        ask = here.collector(quota=TEN)
        for _ in range(4):
            await ask()

        with pytest.raises(
            MustWaitError, match=r"http\.quota: 10 per day are spent until 2023-11-15"
        ):
            await ask()
        assert len(here.arrivals) == 10
        await here.clock.drive(here.clock.sleep(DAY - 3000 + 2))
        assert await ask() == 200


async def test_quota_is_the_collectors_own() -> None:
    """Others have their own, or none."""
    async with asking() as here:
        once = Quota(1, DAY, "1 per day")
        assert await here.collector("a", quota=once)() == 200

        assert await here.collector("b", quota=once)() == 200
        assert await here.collector("c")() == 200
        with pytest.raises(MustWaitError):
            await here.collector("a", quota=once)()


async def test_short_quota_is_waited_for() -> None:
    """As the rate is."""
    async with asking() as here:
        ask = here.collector(quota=Quota(2, 10.0, "2 per 10s"))

        for _ in range(5):
            await ask()

        assert [round(at, 3) for at in here.arrivals] == [0, 0, 10, 10, 20]


def test_pause_is_bounded_and_survives_a_clock_that_is_put_back() -> None:
    """No server is left alone for more than a day, whatever it says and whatever clocks do."""
    limits = HttpLimits()
    limits.hold(URL_A, 10 * DAY, now=1e9)

    assert limits.pause(URL_A, "c", None, now=1e9)[0] == DAY
    assert limits.pause(URL_B, "c", None, now=1e9)[0] == 0
    assert limits.pause(URL_A, "c", None, now=1e9 - 3600)[0] == 0


def test_quota_survives_a_clock_that_is_put_back() -> None:
    """What was asked in a time that has yet to come would hold for as long as that takes."""
    limits = HttpLimits()
    for _ in range(10):
        limits.take("c", TEN, now=1e9)

    assert limits.pause(URL_A, "c", TEN, now=1e9 + 1)[0] == DAY - 1
    assert limits.pause(URL_A, "c", TEN, now=1e9 - 3600)[0] == 0


async def test_large_quota_is_kept_in_few_words() -> None:
    """Moments that are close are one; it never allows more than was said."""
    limits, kept = HttpLimits(), []

    async def keep(data: bytes) -> None:
        kept.append(data)

    limits.restore(b"", keep=keep)
    many = Quota(50_000, DAY, "50000 per day")
    for n in range(50_000):
        limits.take("c", many, now=1e9 + n)
    await limits.keep()

    assert len(kept[0]) < 50_000
    wait, _ = limits.pause(URL_A, "c", many, now=1e9 + 50_000)
    assert DAY - 50_000 < wait < DAY - 50_000 + 100


@pytest.mark.parametrize(
    "kept",
    [
        b"\xff",
        b"[]",
        b"{",
        json.dumps({"servers": {"http://a": "soon"}}).encode(),
        json.dumps({"servers": {"http://a": float("inf")}}).encode(),
        json.dumps({"servers": {"http://a": 1e12}}).encode(),
        json.dumps({"quotas": {"c": {"seconds": 5, "moments": [[1]]}}}).encode(),
        json.dumps({"quotas": {"c": 5}}).encode(),
    ],
)
async def test_damaged_limits_are_forgotten(kept: bytes) -> None:
    """They hold nobody back."""
    limits = HttpLimits()

    async def keep(_: bytes) -> None:
        raise DiskFull("no room")

    limits.restore(kept, keep=keep)

    assert limits.pause(URL_A, "c", TEN, now=1e9)[0] == 0
    await limits.keep()  # a full disk is told elsewhere, and fails no request


async def test_what_ends_a_visit_passes() -> None:
    """A sign-out is not kept back: the server would keep the session open for us."""
    async with asking() as here:
        here.script = [(429, {"Retry-After": "3600"})]
        ask = here.collector(retries=0)
        await ask()

        with leaving():
            assert await ask("POST") == 200
        with pytest.raises(MustWaitError):
            await ask("POST")


async def test_servers_clock_says_how_long_it_is_until_a_date() -> None:
    """Ours may be off by more than that."""
    async with asking() as here:
        dates = {
            "Date": "Fri, 15 Mar 2024 12:00:00 GMT",
            "Retry-After": "Fri, 15 Mar 2024 12:00:30 GMT",
        }
        here.script = [(503, dates)]
        ask = here.collector()

        assert await ask() == 200

        assert here.arrivals == [0, 30]
