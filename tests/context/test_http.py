"""ctx.http: its limits and its patience, against a real server."""

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import aiohttp
import pytest
import trustme
from aiohttp import web
from aiohttp.test_utils import TestServer

from ingestd.clock import SystemClock
from ingestd.config.model import HttpConfig
from ingestd.context.http import LazySession
from ingestd.errors import PluginError
from tests.support.clock import VirtualClock, stirs
from tests.support.ports import free_port


class Source:
    """A server that answers as its script says, and then with ``ok``.

    Attributes:
        script: A status each, with a ``Retry-After`` or without; 0 breaks the connection.
        body: JSON to answer with instead of ``ok``.
        breaks_off: Whether its errors end in the middle of the body.
        arrivals: When each request came, in virtual seconds.
        most: The most requests that were there at once.
    """

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.script: deque[tuple[int, str]] = deque()
        self.body: object = None
        self.breaks_off = False
        self.arrivals: list[float] = []
        self.agents: list[str] = []
        self.at_once = self.most = 0
        self.url = f"http://127.0.0.1:{free_port()}/"
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer a request."""
        self.arrivals.append(self.clock.monotonic())
        self.agents.append(request.headers["User-Agent"])
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await self.go_on.wait()
        self.at_once -= 1
        status, retry_after = self.script.popleft() if self.script else (200, "")
        if not status:
            assert request.transport is not None
            request.transport.abort()
        headers = {"Retry-After": retry_after} if retry_after else {}
        if self.breaks_off and status >= 400:
            reply = web.StreamResponse(status=status)
            reply.content_type, reply.content_length = "application/json", 100
            await reply.prepare(request)
            await reply.write(b'{"retryAfter":')
            assert request.transport is not None
            request.transport.close()
            return reply
        if self.body is not None:
            return web.json_response(self.body, status=status or 200, headers=headers)
        return web.Response(status=status or 200, text="ok", headers=headers)


@asynccontextmanager
async def client(**limits: float) -> AsyncIterator[tuple[Source, LazySession, VirtualClock]]:
    """Give a server and a session with limits, on one virtual clock."""
    clock = VirtualClock(patience=0.02)
    source = Source(clock)
    app = web.Application()
    app.router.add_route("*", "/", source.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", int(source.url.rpartition(":")[2][:-1])).start()
    session = LazySession(HttpConfig(**limits), clock=clock)  # type: ignore[arg-type]
    try:
        yield source, session, clock
    finally:
        source.go_on.set()
        await session.close()
        await runner.cleanup()


async def get(session: LazySession, source: Source, method: str = "GET") -> int:
    """Return the status of an answer."""
    async with session().request(method, source.url) as reply:
        await reply.read()
        return reply.status


@pytest.mark.parametrize("status", [502, 503, 504])
async def test_answers_that_pass_are_asked_for_again(status: int) -> None:
    """The pauses between the attempts grow, with jitter."""
    async with client() as (source, session, clock):
        source.script += [(status, "")] * 3

        assert await clock.drive(get(session, source)) == 200

        pauses = [later - earlier for earlier, later in pairwise(source.arrivals)]
        for pause, ceiling in zip(pauses, [1, 2, 4], strict=True):
            assert ceiling / 2 <= pause <= ceiling


@pytest.mark.parametrize(("asked", "seconds"), [("7", 7), ("3s", 3), ("500ms", 0.5)])
async def test_server_says_when_to_come_back(asked: str, seconds: float) -> None:
    """Each of the spellings that servers use is kept to."""
    async with client() as (source, session, clock):
        source.script.append((503, asked))

        assert await clock.drive(get(session, source)) == 200

        assert source.arrivals[1] - source.arrivals[0] == seconds


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        ({"details": "too many", "backOffSuggestion": 9}, 9),
        ({"retry_after": 2.5}, 2.5),
        ({"retryAfter": "9s"}, 9),
    ],
)
async def test_body_says_when_to_come_back_if_the_header_does_not(
    body: dict[str, object], seconds: float
) -> None:
    """A header that cannot be read counts as none."""
    async with client() as (source, session, clock):
        source.body = body
        source.script.append((429, "soon"))

        assert await clock.drive(get(session, source)) == 200

        assert source.arrivals[1] - source.arrivals[0] == seconds


@pytest.mark.parametrize("body", [{"retryAfter": -1}, {"retryAfter": 0}])
async def test_what_a_server_asks_for_may_be_over(body: object) -> None:
    """Then the usual pause has to do: too many requests are not answered by one more at once."""
    async with client() as (source, session, clock):
        source.body = body
        source.script.append((429, ""))

        assert await clock.drive(get(session, source)) == 200

        assert source.arrivals[1] - source.arrivals[0] >= 0.5


@pytest.mark.parametrize("body", [[9], {"retryAfter": "soon"}, {"retryAfter": True}, {}])
async def test_body_without_a_number_says_nothing(body: object) -> None:
    """Then the usual pause has to do."""
    async with client() as (source, session, clock):
        source.body = body
        source.script.append((503, ""))

        assert await clock.drive(get(session, source)) == 200

        assert 0.5 <= source.arrivals[1] - source.arrivals[0] <= 1


async def test_body_that_breaks_off_says_nothing() -> None:
    """The request is repeated as after any other answer that passes."""
    async with client() as (source, session, clock):
        source.breaks_off = True
        source.script.append((503, ""))

        assert await clock.drive(get(session, source)) == 200

        assert 0.5 <= source.arrivals[1] - source.arrivals[0] <= 1


async def test_server_that_wants_a_long_pause_gets_the_run_back() -> None:
    """It is better to end the run than to sleep in it for an hour."""
    async with client() as (source, session, clock):
        source.script.append((429, "3600"))

        assert await clock.drive(get(session, source)) == 429
        assert len(source.arrivals) == 1


async def test_quota_that_is_spent_is_a_pause_whatever_its_status() -> None:
    """A server that forbids for a while is asked again when that is over."""
    async with client() as (source, session, clock):
        source.script.append((403, "7"))

        assert await clock.drive(get(session, source)) == 200

        assert source.arrivals[1] - source.arrivals[0] == 7


async def test_last_answer_is_given_when_there_is_no_retry_left() -> None:
    """The plugin sees what the server said."""
    async with client(retries=2) as (source, session, clock):
        source.script += [(503, "")] * 9

        assert await clock.drive(get(session, source)) == 503
        assert len(source.arrivals) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500])
async def test_answers_that_stay_are_not_asked_for_again(status: int) -> None:
    """The same request would get the same answer."""
    async with client() as (source, session, clock):
        source.script.append((status, ""))

        assert await clock.drive(get(session, source)) == status
        assert len(source.arrivals) == 1


async def test_request_with_a_side_effect_is_not_repeated() -> None:
    """It may have had its effect."""
    async with client() as (source, session, clock):
        source.script.append((503, "1"))

        assert await clock.drive(get(session, source, "POST")) == 503
        assert len(source.arrivals) == 1


async def test_broken_connection_is_tried_again() -> None:
    """The error is raised when it stays broken."""
    async with client(retries=3) as (source, session, clock):
        source.script += [(0, "")] * 3
        assert await clock.drive(get(session, source)) == 200

        source.script += [(0, "")] * 99
        with pytest.raises(aiohttp.ClientConnectionError):
            await clock.drive(get(session, source))


async def test_server_that_does_not_answer_times_out() -> None:
    """The timeout is that of the collector, in real time."""
    async with client(timeout=0.1, retries=0) as (source, session, clock):
        source.go_on.clear()

        with pytest.raises(TimeoutError):
            await clock.drive(get(session, source))


async def test_requests_keep_to_the_rate() -> None:
    """Evenly spaced, however many are asked for at once; retries count too."""
    async with client(rate=2, concurrency=10) as (source, session, clock):
        source.script.append((503, "0"))

        await clock.drive(asyncio.gather(*(get(session, source) for _ in range(4))))

        assert source.arrivals == [0, 0.5, 1, 1.5, 2]


async def test_sessions_beside_each_other_share_the_rate_and_no_cookies() -> None:
    """A server counts requests, whichever of a collector's runs they come from."""
    async with client(rate=2) as (source, session, clock):
        beside = session.beside()
        both = (session, beside) * 2
        await clock.drive(asyncio.gather(*(get(each, source) for each in both)))
        session().cookie_jar.update_cookies({"session": "mine"})

        assert source.arrivals == [0, 0.5, 1, 1.5]
        assert len(beside().cookie_jar) == 0
        await beside.close()
        assert not session().closed


async def test_rate_is_kept_to_when_a_session_is_made_anew() -> None:
    """A plugin that closes it gains nothing."""
    async with client(rate=2) as (source, session, clock):
        for _ in range(3):
            await clock.drive(get(session, source))
            await session.close()

        assert source.arrivals == [0, 0.5, 1]


async def test_requests_keep_to_the_concurrency() -> None:
    """The others wait for a connection."""
    async with client(concurrency=2) as (source, session, clock):
        source.go_on.clear()
        asked = asyncio.gather(*(get(session, source) for _ in range(6)))
        while source.at_once < 2:  # noqa: ASYNC110 -- the server is on the same loop
            await asyncio.sleep(0.005)
        while await stirs(0.02):
            pass  # others would be on their way
        source.go_on.set()

        await clock.drive(asked)

        assert source.most == 2


async def test_session_is_shared_and_made_anew_after_it_was_closed() -> None:
    """A plugin that closes it does no harm to its next run."""
    async with client() as (source, session, clock):
        first = session()
        assert session() is first

        await first.close()

        assert await clock.drive(get(session, source)) == 200
        assert source.agents[0].startswith("ingestd/")


async def test_server_without_a_name_may_set_cookies() -> None:
    """Many servers of meters are known by their address alone."""
    app = web.Application()

    async def answer(request: web.Request) -> web.Response:
        reply = web.Response(text=request.cookies.get("session", "none"))
        reply.set_cookie("session", "mine")
        return reply

    app.router.add_get("/", answer)
    session = LazySession(HttpConfig(), clock=SystemClock())
    async with TestServer(app, host="127.0.0.1") as server:
        said = []
        for _ in range(2):
            async with session().get(server.make_url("/")) as reply:
                said.append(await reply.text())
        await session.close()

    assert said == ["none", "mine"]


async def test_certificate_of_the_house_is_trusted_with_its_file(tmp_path: Path) -> None:
    """Without that file the same server is refused."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    encryption = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(encryption)
    trusting = LazySession(HttpConfig(ca_file=tmp_path / "ca.pem"), clock=SystemClock())
    careful = LazySession(HttpConfig(retries=0), clock=SystemClock())
    server = TestServer(web.Application(), scheme="https", host="127.0.0.1")
    await server.start_server(ssl=encryption)
    try:
        async with trusting().get(server.make_url("/")) as reply:
            assert reply.status == 404
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await careful().get(server.make_url("/"))
    finally:
        await trusting.close()
        await careful.close()
        await server.close()


@pytest.mark.parametrize("text", [None, "no certificate"])
async def test_file_without_certificates_is_an_error_that_names_it(
    tmp_path: Path, text: str | None
) -> None:
    """Whether it is missing or holds something else."""
    path = tmp_path / "ca.pem"
    if text is not None:
        path.write_text(text)
    session = LazySession(HttpConfig(ca_file=path), clock=SystemClock())

    with pytest.raises(PluginError, match=r"http\.ca_file: .*ca\.pem: expected certificates"):
        session()
