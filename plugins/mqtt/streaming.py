"""Connection after connection, as one stream of batches."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any, Final

from ingestd.plugins._backoff import Backoff

from .client import BrokerError, BrokerRefused, Settings
from .inbox import Inbox
from .link import Link, connected
from .routes import Routes

BACKOFF: Final = Backoff(first=0.5, longest=30.0)
# So many connections in a row that lasted no longer than this, in seconds, mean a quarrel.
SHORT: Final = 5.0
SHORT_ENOUGH: Final = 3
GLANCE: Final = 1.0  # seconds between two looks whether the daemon is stopping


async def stream(
    ctx: Any,
    settings: Settings,
    routes: Routes,
    inbox: Inbox,
    *,
    linger: float,
    known: Sequence[str],
) -> AsyncGenerator[dict[str, Any], None]:
    """Yield what arrives until the daemon stops, and ack it once it is safe.

    ``linger`` is how long a batch waits for more, in seconds; ``known`` are the
    filters that the broker keeps for us.

    Raises:
        BrokerError: There was no connection at all, or there will be none.
    """
    outage = Outage(ctx, settings, [each.filter for each in routes.subscriptions()])
    while not ctx.stopping:
        wanted = routes.subscriptions()
        gone = sorted(set(known) - {each.filter for each in wanted})
        try:
            async with connected(
                settings,
                inbox,
                wanted=wanted,
                gone=gone,
                now=time.time,
                log=ctx.log,
                describes=routes.ready.describes if routes.ready else None,
            ) as link:
                routes.ready.connected()
                outage.over(session_lost=bool(known) and not link.session_present)
                async with aclosing(received(ctx, link, routes, linger=linger)) as found:
                    async for result in found:
                        known = result.get("subscribed", known)
                        yield result
            outage.begins(link)
        except BrokerRefused:
            raise
        except BrokerError as error:
            outage.goes_on(error)
        async with aclosing(left_over(ctx, inbox, routes)) as found:
            async for result in found:
                yield result
        if not ctx.stopping:
            await outage.pause()


async def received(
    ctx: Any, link: Link, routes: Routes, *, linger: float
) -> AsyncGenerator[dict[str, Any], None]:
    """Yield what comes over one connection, and ack it once it is safe.

    ``linger`` is how long a batch waits for more, in seconds.
    """
    told: list[str] = []
    while link.lost is None and not ctx.stopping:
        if link.subscribed and link.filters != told:
            told = list(link.filters)
            yield {"readings": [], "subscribed": told}
        batch = await link.batch(linger=linger, within=GLANCE)
        if batch:
            readings, described = routes.readings(batch), routes.ready.state()
            yield {"readings": readings, **described}
            # What comes of a topic that was described cannot be read without that after a kill.
            await (ctx.committed() if described else ctx.settled())
            link.finish(batch)
        if routes.ready:
            attend(ctx, link, routes)


def attend(ctx: Any, link: Link, routes: Routes) -> None:
    """Do what ready routes want besides: requests, warnings, and topics that others have named."""
    for each in routes.ready.outgoing():
        link.publish(each)
    for line in routes.ready.warnings():
        ctx.log.warning(**line)
    link.follow(routes.subscriptions())


async def left_over(ctx: Any, inbox: Inbox, routes: Routes) -> AsyncGenerator[dict[str, Any], None]:
    """Yield what was read before a connection ended.

    It comes again on the next one, and is known by then; without a session it would
    never come again.
    """
    while rest := inbox.take():
        readings = routes.readings(rest)
        yield {"readings": readings, **routes.ready.state()}
        await ctx.settled()
        inbox.remember(rest)
        inbox.release(rest)


class Outage:
    """Tells once when the broker goes away, and once when it is back.

    The first connection of a run must succeed: a wrong name or password shows as
    a failed run then, and the daemon tries again. So does a connection that
    ends at once, over and over.
    """

    def __init__(self, ctx: Any, settings: Settings, filters: Sequence[str]) -> None:
        self._ctx, self._log, self._settings, self._filters = ctx, ctx.log, settings, filters
        self._connected = 0.0  # when, on the monotonic clock; 0 for never
        self._away_since: float | None = None
        self._pauses = 0
        self._short_in_a_row = 0

    def over(self, *, session_lost: bool) -> None:
        """Note that the connection stands."""
        broker, now = self._settings.broker, time.monotonic()
        if self._away_since is not None:
            seconds = round(now - self._away_since, 1)
            self._log.info("broker is back", broker=broker, seconds=seconds)
        if session_lost:
            self._log.warning(
                "broker has forgotten our session: what was published meanwhile is lost",
                broker=broker,
            )
        self._connected, self._away_since = now, None
        self._ctx.connected(f"messages of {', '.join(self._filters):.120}")

    def begins(self, link: Link) -> None:
        """Note that a connection ended.

        Raises:
            BrokerRefused: It will go on like that until a configuration is changed.
        """
        broker, client = self._settings.broker, self._settings.client_id
        if link.refused is not None:
            raise BrokerRefused(f"{broker}: {link.refused}")
        if link.lost is None or link.parked:
            return
        short = time.monotonic() - self._connected < SHORT
        self._short_in_a_row = self._short_in_a_row + 1 if short else 0
        if self._short_in_a_row >= SHORT_ENOUGH:
            raise BrokerRefused(
                f"{broker}: expected a connection that lasts, got {self._short_in_a_row} that "
                f"ended within seconds ({link.lost}); does another client call itself {client!r}?"
            )
        if not short:
            self._pauses = 0
        self._tell(link.lost)

    def goes_on(self, error: BrokerError) -> None:
        """Note that connecting failed.

        Raises:
            BrokerError: There never was a connection in this run.
        """
        if not self._connected:
            raise error
        self._tell(str(error).removeprefix(f"{self._settings.broker}: "))

    def _tell(self, why: str) -> None:
        self._ctx.disconnected(f"{self._settings.broker}: {why}")
        if self._away_since is None:
            self._away_since = time.monotonic()
            self._log.warning("broker is away", broker=self._settings.broker, error=why)

    async def pause(self) -> None:
        """Wait before the next attempt, longer each time, and not in step with others."""
        self._pauses += 1
        await asyncio.sleep(BACKOFF.spread_pause(self._pauses))
