"""``ctx.http``: an aiohttp session that keeps to a collector's limits."""

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Final

import aiohttp

from ingestd import __version__
from ingestd.clock import Clock
from ingestd.config import HttpConfig
from ingestd.errors import PluginError
from ingestd.plugins import _files
from ingestd.plugins._backoff import Backoff
from ingestd.plugins._retryafter import retry_after_in_body, retry_after_seconds

RETRIED_STATUS: Final = frozenset({429, 502, 503, 504})
REPEATABLE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
BACKOFF: Final = Backoff(first=1.0, longest=60.0)


class Politeness:
    """Middleware that paces requests and repeats those that failed in passing.

    A request is repeated only if it has no side effect, and after the pause
    that the server asked for, or a growing one with jitter.
    """

    def __init__(self, config: HttpConfig, *, clock: Clock) -> None:
        self._retries, self._clock = config.retries, clock
        self._gap = 1 / config.rate if config.rate else 0.0
        self._next = 0.0
        self._server_name = config.server_name

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Send a request, as often as it takes and may."""
        if self._server_name is not None:
            request.server_hostname = self._server_name
        most, failures = self._retries if request.method in REPEATABLE else 0, 0
        while True:
            await self._turn()
            wait = BACKOFF.spread_pause(failures + 1)
            try:
                reply = await handler(request)
            except (aiohttp.ClientConnectionError, TimeoutError):
                if failures == most:
                    raise
            else:
                if reply.status not in RETRIED_STATUS or failures == most:
                    return reply
                asked = await self._pause_asked_for(reply)
                wait = wait if asked is None else asked
                if wait > BACKOFF.longest:
                    return reply  # better to end the run than to sleep in it
                reply.release()
            await self._clock.sleep(wait)
            failures += 1

    async def _pause_asked_for(self, reply: aiohttp.ClientResponse) -> float | None:
        """Return for how long a server wants to be left alone, in seconds, if it says so."""
        asked = retry_after_seconds(reply.headers.get("Retry-After", ""), now=self._clock.now())
        if asked is not None or reply.content_type != "application/json":
            return asked
        try:
            return retry_after_in_body(await reply.text(errors="replace"))
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
        politeness: That of a session which it shares the rate with, or None.
    """

    def __init__(
        self, config: HttpConfig, *, clock: Clock, politeness: Politeness | None = None
    ) -> None:
        self._config, self._clock = config, clock
        self._politeness = politeness or Politeness(config, clock=clock)
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
        return LazySession(self._config, clock=self._clock, politeness=self._politeness)

    async def close(self) -> None:
        """Close the connections of the session, if it was ever made."""
        if self._session is not None:
            await self._session.close()
            await asyncio.sleep(0)  # lets transports that are closing do so


Http = Callable[[], aiohttp.ClientSession]
