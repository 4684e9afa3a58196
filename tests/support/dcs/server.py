"""The server itself: a port, what it has seen, and what tests say to it."""

import asyncio
import math
import ssl
import threading
import time
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import Any, Final, Self

import trustme
from aiohttp import web

from tests.support.dcs import current, legacy
from tests.support.dcs.campus import Campus
from tests.support.dcs.campus import campus as small_campus
from tests.support.dcs.faults import Fault, Faults
from tests.support.dcs.guard import Cookies, RateLimit, Transactions
from tests.support.dcs.periods import LONDON, Period, stamp
from tests.support.dcs.rules import Rules
from tests.support.dcs.values import Query, Reading, readings
from tests.support.dcs.wire import Refusal, Reply, as_json, as_text, compressed
from tests.support.ports import free_port

CURRENT: Final = "/dcswebapi/"
LEGACY: Final = "/dcs/api/"
WRONG: Final = "The user name or password is incorrect"


@dataclass
class Asked:
    """A request that came.

    Attributes:
        verb: GET or POST.
        path: The path as it came.
        query: The parameters as they came.
        status: What it was answered with; 0 while it is not.
        whole: Whether the last byte of the answer was sent.
    """

    verb: str
    path: str
    query: Mapping[str, str]
    status: int = 0
    whole: bool = False


class FakeDcs:
    """A DCS server.

    Attributes:
        campus: What it knows.
        rules: How it is set up.
        now: Its idea of the time; None is the real one.
        asked: The requests that came, in order.
        huge: A body that answers every request for readings at once, or nothing.
        stalled: How many answers came to a stop in their middle.
        ca: Who has signed its certificate, if it has one.
    """

    def __init__(
        self,
        campus: Campus | None = None,
        rules: Rules | None = None,
        *,
        tls: bool = False,
        name: str = "localhost",
        port: int = 0,
    ) -> None:
        self.campus, self.rules = campus or small_campus(), rules or Rules()
        self.now: datetime | None = None
        self.asked: list[Asked] = []
        self.huge: list[bytes] = []
        self.stalled = 0
        self.ca = trustme.CA() if tls else None
        self._name = name
        self._port = port or free_port()
        self._faults, self._transactions = Faults(), Transactions()
        self._private, self._public = RateLimit(), RateLimit()
        self._cookies = Cookies("COHERENT-DCS-API-1")
        self._legacy_cookies = Cookies("COHERENT-DCSV3-1")
        self._runner: web.AppRunner | None = None

    # -- where it is

    @property
    def url(self) -> str:
        """Its address without a path."""
        return f"http{'s' if self.ca else ''}://127.0.0.1:{self._port}"

    @property
    def current_url(self) -> str:
        """Where the current API is."""
        return f"{self.url}/DCSWebApi"

    @property
    def legacy_url(self) -> str:
        """Where the legacy application is; its API is below ``/api``."""
        return f"{self.url}/DCS"

    # -- what it has seen

    @property
    def overlaps(self) -> list[str]:
        """Pairs of transactions that were going on at the same time."""
        return self._transactions.overlaps

    @property
    def signed_in(self) -> set[str]:
        """The cookies that are still valid, of both APIs."""
        return self._cookies.valid | self._legacy_cookies.valid

    @property
    def rate_refusals(self) -> int:
        """How many requests were too many."""
        return self._private.refused + self._public.refused

    def asked_for(self, part: str) -> list[Asked]:
        """Return the requests whose path has a part, in any case."""
        return [each for each in self.asked if part.lower() in each.path.lower()]

    # -- what it is told

    def fail(self, status: int = 0, **fault: Any) -> None:
        """Let something go wrong; see ``Fault``."""
        self._faults.add(Fault(status, **fault))

    def add(self, fault: Fault) -> None:
        """Let something go wrong that has a name."""
        self._faults.add(fault)

    def heal(self) -> None:
        """Let nothing more go wrong."""
        self._faults.clear()

    def expire_cookies(self) -> None:
        """Let the cookies of all clients expire."""
        self._cookies.expire()
        self._legacy_cookies.expire()

    # -- the truth

    def readings(
        self,
        identity: str,
        start: datetime,
        end: datetime,
        *,
        period: str = "halfHour",
        calibrated: bool = True,
        interpolated: bool = False,
    ) -> list[Reading]:
        """Return what the current API has at this moment, past all limits."""
        return self._known(
            identity, start, end, period, calibrated=calibrated, interpolated=interpolated
        )

    def legacy_readings(
        self,
        identity: str,
        start: datetime,
        end: datetime,
        *,
        period: str = "halfHour",
        calibrated: bool = True,
        interpolated: bool = False,
        local_time: bool = False,
        decimal_places: int = 15,
    ) -> list[Reading]:
        """Return what the legacy API has at this moment, generated readings too."""
        found = self._known(
            identity, start, end, period,
            calibrated=calibrated,
            interpolated=interpolated,
            zone=LONDON if local_time else UTC,
            padded=self.rules.padded,
            padded_ahead=self.rules.padded_ahead,
        )  # fmt: skip
        return [each.rounded(decimal_places) for each in found]

    def _known(
        self, identity: str, start: datetime, end: datetime, period: str, **more: Any
    ) -> list[Reading]:
        source = self.campus.find(identity)
        assert source is not None, identity
        query = Query(
            start=stamp(start), end=stamp(end), now=self._now, period=Period.of(period), **more
        )
        return list(readings(self.campus, source, query))

    @property
    def _now(self) -> int:
        return int(time.time()) if self.now is None else stamp(self.now)

    # -- its life

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=2**16)
        app.router.add_route("*", "/{tail:.*}", self._serve)
        # A client that goes away ends what was done for it, as with the real server.
        self._runner = web.AppRunner(
            app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, ssl_context=self._tls())
        await site.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    def _tls(self) -> ssl.SSLContext | None:
        if self.ca is None:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        names = ["127.0.0.1", "localhost"] if self._name == "localhost" else [self._name]
        self.ca.issue_cert(*names).configure_cert(context)
        return context

    # -- its work

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        asked = Asked(request.method, request.path, dict(request.query))
        self.asked.append(asked)
        line = f"{request.method} {request.path_qs}"
        try:
            async with self._transactions.one(line):
                return await self._transact(request, asked, line)
        except ConnectionError:  # the client has gone away: none gets this
            return web.Response(status=500)

    async def _transact(self, request: web.Request, asked: Asked, line: str) -> web.StreamResponse:
        await asyncio.sleep(self.rules.latency)
        fault = self._faults.next(line) or Fault()
        await asyncio.sleep(fault.delay)
        reply = broken(fault) if fault.status else await self._answer(request)
        asked.status = reply.status
        if self.rules.bom and "json" in reply.headers.get("Content-Type", ""):
            reply.body = chain([BOM_UTF8], reply.body)
        response = await self._send(request, reply, cut=fault.cut, stall=fault.stall)
        asked.whole = fault.cut < 0
        return response

    async def _answer(self, request: web.Request) -> Reply:
        path = f"{request.path.lower().rstrip('/')}/"
        try:
            if path.startswith(CURRENT):
                return await self._current(request, path.removeprefix(CURRENT).rstrip("/"))
            if path.startswith(LEGACY) and self.rules.legacy:
                return await self._legacy(request, path.removeprefix(LEGACY).rstrip("/"))
        except Refusal as refusal:
            return as_json({"details": refusal.details}, refusal.status)
        return as_text("The resource cannot be found.", 404)

    async def _current(self, request: web.Request, place: str) -> Reply:
        if place == "authentication/signin":
            return await self._sign_in(request, self._cookies, 401)
        if place == "authentication/signout":
            return self._sign_out(request, self._cookies)
        rules, public = self.rules, place.startswith("public/")
        limit = self._public if public else self._private
        most = rules.public_rate if public else rules.private_rate
        if not (rules.public if public else rules.private):
            raise Refusal(404, "This end point is not enabled")
        if most and not limit.admit(most, rules.rate_window):
            return self._too_many(limit)
        if not public:
            self._let_in(request, self._cookies)
        reply = current.answer(
            self.campus,
            rules,
            place.removeprefix("public/"),
            given(request),
            now=self._now,
            days=rules.public_range_days if public else rules.private_range_days,
        )
        if most:
            reply.headers |= limit.headers(most, rules.rate_window)
        return self._or_huge(reply, place)

    async def _legacy(self, request: web.Request, place: str) -> Reply:
        if place == "account/login":
            return await self._sign_in(request, self._legacy_cookies, 400)
        if place == "account/logout":
            return self._sign_out(request, self._legacy_cookies)
        self._let_in(request, self._legacy_cookies)
        reply = legacy.answer(self.campus, self.rules, place, given(request), now=self._now)
        return self._or_huge(reply, place)

    def _or_huge(self, reply: Reply, place: str) -> Reply:
        if self.huge and "readings" in place:
            reply.body = self.huge
        return reply

    async def _sign_in(self, request: web.Request, cookies: Cookies, wrong: int) -> Reply:
        if request.method != "POST" or request.content_type != "application/json":
            return as_text("Expected a POST of application/json", 405)
        sent = {name.lower(): value for name, value in (await request.json()).items()}
        rules = self.rules
        if (sent.get("username"), sent.get("password")) != (rules.username, rules.password):
            if cookies is self._cookies:
                raise Refusal(wrong, WRONG)
            return as_text(WRONG, wrong)
        reply = as_json({"username": rules.username, "role": "Operator", "appVersion": "3.0.0"})
        secure = "; Secure" if self.ca else ""
        token = cookies.make(rules)
        reply.headers["Set-Cookie"] = f"{cookies.name}={token}; path=/; HttpOnly{secure}"
        return reply

    def _sign_out(self, request: web.Request, cookies: Cookies) -> Reply:
        cookies.revoke(request.cookies.get(cookies.name))
        blank = f"{cookies.name}=; path=/; expires=Thu, 01 Jan 1970 00:00:00 GMT"
        return Reply(204, (), {"Set-Cookie": blank})

    def _let_in(self, request: web.Request, cookies: Cookies) -> None:
        if not cookies.accept(request.cookies.get(cookies.name)):
            raise Refusal(401, "Sign in first")

    def _too_many(self, limit: RateLimit) -> Reply:
        seconds = max(1, math.ceil(limit.wait))
        said = {"details": "Too many requests"}
        more = {"backOffSuggestion": seconds} if self.rules.back_off else {}
        reply = as_json({**said, **more}, 429)
        if self.rules.retry_after:
            reply.headers["Retry-After"] = self.rules.retry_after.format(seconds)
        return reply

    async def _send(
        self, request: web.Request, reply: Reply, *, cut: int, stall: int
    ) -> web.StreamResponse:
        response = web.StreamResponse(status=reply.status, headers=reply.headers)
        body: Iterable[bytes] = reply.body
        asked = "gzip" in request.headers.get("Accept-Encoding", "").lower()
        if self.rules.gzip and asked and reply.status != 204:
            response.headers["Content-Encoding"] = "gzip"
            body = compressed(body)
        await response.prepare(request)
        sent = 0
        for piece in body:
            if 0 <= cut <= sent + len(piece):
                await response.write(piece[: cut - sent])
                break_off(request)
                return response
            if 0 <= stall <= sent + len(piece):
                await response.write(piece[: stall - sent])
                self.stalled += 1
                await asyncio.Event().wait()  # until the client goes away
            await response.write(piece)
            sent += len(piece)
            await asyncio.sleep(self.rules.pause)
        if cut >= 0:
            break_off(request)  # a shorter body is cut at its very end
            return response
        await response.write_eof()
        return response


def given(request: web.Request) -> dict[str, str]:
    """Return the parameters of a request, their names in lower case."""
    return {name.lower(): value for name, value in request.query.items()}


def broken(fault: Fault) -> Reply:
    """Return the answer of a fault."""
    if fault.text:
        return Reply(fault.status, [fault.text.encode()], dict(fault.headers))
    reply = as_json({"details": f"The server says {fault.status}"}, fault.status)
    reply.headers |= fault.headers
    return reply


def break_off(request: web.Request) -> None:
    """Break a connection as a failing network does."""
    if request.transport is not None:
        request.transport.abort()


@contextmanager
def serving(dcs: FakeDcs) -> Iterator[FakeDcs]:
    """Run a server in a thread, for tests that wait for other processes."""
    started, ended = threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        async with dcs:
            loops.append(asyncio.get_running_loop())
            started.set()
            await ended.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),), name="dcs")
    thread.start()
    assert started.wait(10), "the server did not start"
    try:
        yield dcs
    finally:
        loops[0].call_soon_threadsafe(ended.set)
        thread.join()
