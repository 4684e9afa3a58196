"""``ctx.http``: an aiohttp session that keeps to a collector's limits."""

import asyncio
import re
import ssl
from collections.abc import Callable
from copy import copy
from pathlib import Path
from typing import Final

import aiohttp
from yarl import URL

from ingestd import __version__
from ingestd.clock import Clock
from ingestd.config import HttpConfig
from ingestd.context.httplimits import HttpLimits, MustWaitError
from ingestd.context.proxies import proxy_for
from ingestd.errors import PluginError
from ingestd.plugins import _files
from ingestd.plugins._backoff import Backoff
from ingestd.plugins._retryafter import is_leaving, is_too_much, pause_asked_for

RETRIED_STATUS: Final = frozenset({502, 503, 504})
# As of errors by RFC 9457, `application/problem+json`.
JSON: Final = re.compile(r"application/(?:[\w.-]+\+)?json")
REPEATABLE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
BACKOFF: Final = Backoff(first=1.0, longest=60.0)


class Politeness:
    """Middleware that paces requests and repeats those that failed in passing.

    A request is repeated only if it has no side effect, and after the pause
    that the server asked for, or a growing one with jitter. A pause that a server asks for
    holds for all collectors that ask it, and for their next runs: how a server tells those apart
    whom it counts is its own affair (RFC 6585), unless the operator knows that it goes by accounts.
    A server that has been asked too often and does not say when to come back is not asked again
    in the run.

    Args:
        config: The limits of a collector.
        collector: Its name.
        limits: What holds beyond its runs.
        patience: The longest pause that is worth waiting for in a run, in seconds.
    """

    def __init__(
        self,
        config: HttpConfig,
        *,
        clock: Clock,
        collector: str,
        limits: HttpLimits,
        patience: float,
    ) -> None:
        self._retries, self._clock = config.retries, clock
        self._gap = 1 / config.rate if config.rate else 0.0
        self._next = 0.0
        self._config = config
        self._quota, self._collector, self._limits = config.quota, collector, limits
        self._patience = patience

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Send a request, as often as it takes and may.

        Raises:
            MustWaitError: It may not be sent before a long time has passed.
        """
        if self._config.server_name is not None:
            request.server_hostname = self._config.server_name
        if request.proxy is None and (proxy := proxy_for(request.url, self._config)):
            proxy.take(request)
        most, failures = self._retries if request.method in REPEATABLE else 0, 0
        while True:
            await self._admitted(request.url)
            wait = BACKOFF.spread_pause(failures + 1)
            try:
                reply = await handler(request)
            except (aiohttp.ClientConnectionError, TimeoutError):
                if failures == most:
                    raise
            else:
                too_much = is_too_much(reply.status, reply.headers)
                if reply.status not in RETRIED_STATUS and not too_much:
                    return reply
                asked = await self._hold(request.url, reply, too_much=too_much)
                if failures == most or (asked is None and too_much):
                    return reply
                wait = asked or wait  # what is asked for may be over by now
                if wait > self._patience:
                    return reply  # better to end the run than to sleep in it
                reply.release()
            await self._clock.sleep(wait)
            failures += 1

    async def _admitted(self, url: URL) -> None:
        """Return when a request may be sent.

        Raises:
            MustWaitError: That is too far away to wait for it.
        """
        while (wait := self._pause(url)) > 0:
            await self._clock.sleep(wait)
        await self._turn()
        if self._pause(url) > 0:  # meanwhile others have learnt that
            await self._admitted(url)
        elif self._limits.take(self._collector, self._quota, now=self._clock.now()):
            await self._limits.keep()

    def _pause(self, url: URL) -> float:
        if is_leaving():
            return 0.0
        now = self._clock.now()
        wait, why = self._limits.pause(
            url, self._collector, self._quota, now=now, account=self._config.account
        )
        if wait > self._patience:
            raise MustWaitError(why)
        return wait

    async def _hold(
        self, url: URL, reply: aiohttp.ClientResponse, *, too_much: bool
    ) -> float | None:
        """Keep to what a server asks for; return for how long that is, in seconds, if it does."""
        asked = await self._pause_asked_for(reply)
        if asked:
            # Only that somebody asks too often may depend on who that is.
            account = self._config.account if too_much else ""
            self._limits.hold(url, asked, now=self._clock.now(), account=account)
            await self._limits.keep()
        return asked

    async def _pause_asked_for(self, reply: aiohttp.ClientResponse) -> float | None:
        """Return for how long a server wants to be left alone, in seconds, if it says so."""
        now = self._clock.now()
        asked = pause_asked_for(reply.headers, b"", now=now, status=reply.status)
        if asked is not None or not JSON.fullmatch(reply.content_type):
            return asked
        try:
            return pause_asked_for({}, await reply.read(), now=now)
        except (aiohttp.ClientError, TimeoutError):  # the body breaks off
            return None

    async def _turn(self) -> None:
        """Wait until the rate allows another request."""
        now = self._clock.monotonic()
        start = max(now, self._next)
        self._next = start + self._gap
        if start > now:
            await self._clock.sleep(start - now)


def trust(ca_file: Path | None) -> ssl.SSLContext | bool:
    """Return whose certificates are good.

    Raises:
        PluginError: The file has none.
    """
    if ca_file is None:
        return True
    try:
        trusting = ssl.create_default_context()
        _files.check(ca_file)  # OpenSSL would wait for a pipe
        trusting.load_verify_locations(ca_file)
    except (OSError, ssl.SSLError) as error:
        problem = f"http.ca_file: {ca_file}: expected certificates in PEM, got {error}"
        raise PluginError(problem) from error
    return trusting


class LazySession:
    """One collector's session, made when it is first asked for.

    Args:
        config: The collector's limits.
        collector: Its name.
        limits: What holds beyond its runs.
        timeout: The time that its runs have, in seconds, or None for no limit.
    """

    def __init__(
        self,
        config: HttpConfig,
        *,
        clock: Clock,
        collector: str = "",
        limits: HttpLimits | None = None,
        timeout: float | None = None,
    ) -> None:
        self._config = config
        self._politeness = Politeness(
            config,
            clock=clock,
            collector=collector,
            limits=limits or HttpLimits(),
            patience=BACKOFF.longest if timeout is None else min(BACKOFF.longest, timeout),
        )
        self._session: aiohttp.ClientSession | None = None

    def __call__(self) -> aiohttp.ClientSession:
        """Return the session, made when it is first asked for or was closed."""
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=self._config.concurrency, ssl=trust(self._config.ca_file)
                ),
                # Meters and their servers often have an address and no name.
                cookie_jar=aiohttp.CookieJar(unsafe=True),
                timeout=aiohttp.ClientTimeout(
                    total=None, sock_connect=self._config.timeout, sock_read=self._config.timeout
                ),
                middlewares=(self._politeness,),
                headers={"User-Agent": f"ingestd/{__version__}"},
            )
        return self._session

    def beside(self) -> "LazySession":
        """Return another one for the same collector: its rate is shared, its cookies are not."""
        other = copy(self)
        other._session = None  # noqa: SLF001 -- of one class
        return other

    async def close(self) -> None:
        """Close the connections of the session, if it was ever made."""
        if self._session is not None:
            await self._session.close()
            await asyncio.sleep(0)  # lets transports that are closing do so


Http = Callable[[], aiohttp.ClientSession]
