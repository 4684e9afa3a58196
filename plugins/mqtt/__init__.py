"""Readings from an MQTT broker, each message acked when its readings are safe.

Emits a series for each topic, or what the parameters name; a payload is a
number, a word such as ``ON``, or JSON.

Parameters, connecting: ``url`` -- ``mqtt://host`` or ``mqtts://host``;
``username``, ``password``; ``ca_file``, ``cert_file``, ``key_file``,
``insecure``; ``protocol`` -- 5 or 3.1.1; ``client_id``; ``keepalive``;
``session_expiry``; ``presence`` -- a topic that says whether we are there.
Parameters, reading: ``topics`` -- filters, or dicts with a ``filter`` and any of
the following; ``qos``; ``series`` -- a template such as ``{1}_{3}``; ``value`` --
JMESPath in the payload -- or ``values`` -- template to JMESPath; ``time``,
``time_format``, ``timezone``; ``tags`` -- name to template; ``words`` -- word to
number; ``retained`` -- ``ignore`` or ``once``.
Parameters, limits: ``max_held`` messages and ``max_held_bytes`` in memory;
``linger`` -- how long a batch waits for more.
State: ``subscribed`` -- the filters that the broker keeps for us.
"""

import asyncio
import random
import re
import socket
import ssl
import time as clock
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from .client import BrokerError, BrokerRefused, Settings
from .inbox import Inbox
from .link import Link, connected
from .routes import Routes, route

__all__ = ["BrokerError", "BrokerRefused", "run"]

PROTOCOLS: Final = {"5": 5, "3.1.1": 4}
SCHEMES: Final = {"mqtt": 1883, "mqtts": 8883}
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 30.0
# So many connections in a row that lasted no longer than this, in seconds, mean a quarrel.
SHORT: Final = 5.0
SHORT_ENOUGH: Final = 3
# How often a stream without messages looks whether the daemon is stopping.
GLANCE: Final = 1.0
DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
UNITS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


async def run(  # noqa: PLR0913 -- each is an option, which the daemon checks by name
    *,
    ctx: Any,
    url: str,
    topics: Sequence[Any],
    username: str | None = None,
    password: str | None = None,
    ca_file: str | None = None,
    cert_file: str | None = None,
    key_file: str | None = None,
    insecure: bool = False,
    protocol: Any = "5",
    client_id: str | None = None,
    keepalive: str = "60s",
    session_expiry: str = "7d",
    presence: str | None = None,
    qos: int = 1,
    series: str | None = None,
    value: str | None = None,
    values: Mapping[str, str] | None = None,
    time: str | None = None,
    time_format: str | None = None,
    timezone: str | None = None,
    tags: Mapping[str, str] | None = None,
    words: Mapping[Any, Any] | None = None,
    retained: str | None = None,
    max_held: int = 10_000,
    max_held_bytes: int = 32 * 1024 * 1024,
    linger: str = "200ms",
    subscribed: Sequence[str] | None = None,
    **_: Any,
) -> AsyncIterator[dict[str, Any]]:
    """Yield what arrives, in batches, and ack each batch once it is safe."""
    defaults = {
        "qos": qos,
        "series": series,
        "value": value,
        "values": values,
        "time": time,
        "time_format": time_format,
        "tags": tags,
    }
    if not isinstance(topics, list | tuple) or not topics:
        raise ValueError(f"topics: expected a list of filters, got {topics!r}")
    entries = [route(entry, defaults) for entry in topics]
    zone = None if timezone is None else ZoneInfo(timezone)
    routes = Routes(entries, words=words or {}, zone=zone)
    host, port, encrypted = address(url)
    settings = Settings(
        host=host,
        port=port,
        client_id=client_id or f"ingestd-{socket.gethostname()}-{ctx.collector}",
        username=username,
        password=password,
        tls=tls(ca_file, cert_file, key_file, insecure=insecure) if encrypted else None,
        protocol=protocol_of(protocol),
        keepalive=round(duration(keepalive, "keepalive")),
        session_expiry=round(duration(session_expiry, "session_expiry")),
        window=whole(max_held, "max_held"),
        retained=takes_retained(retained, dated=all(each.time for each in entries)),
        presence=presence,
    )
    inbox = Inbox(max_held=max_held, max_bytes=whole(max_held_bytes, "max_held_bytes"))
    wait = duration(linger, "linger")
    wanted = [(each.filter, each.qos) for each in entries]
    known = list(subscribed or ())
    outage = Outage(ctx.log, settings)
    while not ctx.stopping:
        try:
            gone = sorted(set(known) - {each for each, _ in wanted})
            async with connected(
                settings, inbox, wanted=wanted, gone=gone, now=clock.time, log=ctx.log
            ) as link:
                outage.over(session_lost=bool(known) and not link.session_present)
                told = False
                while link.lost is None and not ctx.stopping:
                    if link.subscribed and not told:
                        known, told = [each for each, _ in wanted], True
                        yield {"readings": [], "subscribed": known}
                    batch = await link.batch(linger=wait, within=GLANCE)
                    if batch:
                        yield {"readings": routes.readings(batch)}
                        await ctx.settled()
                        link.finish(batch)
            outage.begins(link)
        except BrokerRefused:
            raise
        except BrokerError as error:
            outage.goes_on(error)
        # What was read before the connection ended comes again on the next one, and
        # is known by then; without a session it would never come again.
        while rest := inbox.take():
            yield {"readings": routes.readings(rest)}
            await ctx.settled()
            inbox.remember(rest)
            inbox.release(rest)
        if not ctx.stopping:
            await outage.pause()


class Outage:
    """Tells once when the broker goes away, and once when it is back.

    The first connection of a run must succeed: a wrong name or password shows as
    a failed run then, and the daemon tries again. So does a connection that
    ends at once, over and over.
    """

    def __init__(self, log: Any, settings: Settings) -> None:
        self._log, self._settings = log, settings
        self._connected = 0.0  # when, on the monotonic clock; 0 for never
        self._away_since: float | None = None
        self._pause = FIRST_PAUSE
        self._short_in_a_row = 0

    def over(self, *, session_lost: bool) -> None:
        """Note that the connection stands."""
        broker, now = self._settings.broker, clock.monotonic()
        if self._away_since is not None:
            seconds = round(now - self._away_since, 1)
            self._log.info("broker is back", broker=broker, seconds=seconds)
        if session_lost:
            self._log.warning(
                "broker has forgotten our session: what was published meanwhile is lost",
                broker=broker,
            )
        self._connected, self._away_since = now, None

    def begins(self, link: Link) -> None:
        """Note that a connection ended.

        Raises:
            BrokerRefused: It will go on like that until somebody changes something.
        """
        broker, client = self._settings.broker, self._settings.client_id
        if link.refused is not None:
            raise BrokerRefused(f"{broker}: {link.refused}")
        if link.lost is None or link.parked:
            return
        short = clock.monotonic() - self._connected < SHORT
        self._short_in_a_row = self._short_in_a_row + 1 if short else 0
        if self._short_in_a_row >= SHORT_ENOUGH:
            raise BrokerRefused(
                f"{broker}: expected a connection that lasts, got {self._short_in_a_row} that "
                f"ended within seconds ({link.lost}); does another client call itself {client!r}?"
            )
        if not short:
            self._pause = FIRST_PAUSE
        self._tell(link.lost)

    def goes_on(self, error: BrokerError) -> None:
        """Note that connecting failed.

        Raises:
            BrokerError: There never was a connection in this run.
        """
        if not self._connected:
            raise error
        self._tell(str(error))

    def _tell(self, why: str) -> None:
        if self._away_since is None:
            self._away_since = clock.monotonic()
            self._log.warning("broker is away", broker=self._settings.broker, error=why)

    async def pause(self) -> None:
        """Wait before the next attempt, longer each time, and not in step with others."""
        await asyncio.sleep(self._pause * random.uniform(0.5, 1.0))  # noqa: S311 -- spreads load
        self._pause = min(self._pause * 2, LONGEST_PAUSE)


def address(url: str) -> tuple[str, int, bool]:
    """Return host, port, and whether to encrypt.

    Raises:
        ValueError: It is no address of a broker.
    """
    parts = urlsplit(url)
    if parts.username or parts.password:
        raise ValueError("url: expected the user in `username` and `password`, got one in the url")
    if parts.scheme not in SCHEMES or not parts.hostname or parts.path.strip("/"):
        raise ValueError(f"url: expected mqtt://host:port or mqtts://host:port, got {url!r}")
    return parts.hostname, parts.port or SCHEMES[parts.scheme], parts.scheme == "mqtts"


def tls(
    ca_file: str | None, cert_file: str | None, key_file: str | None, *, insecure: bool
) -> ssl.SSLContext:
    """Return how to encrypt: with the system's authorities, or only those in ``ca_file``."""
    context = ssl.create_default_context(cafile=ca_file)
    if cert_file is not None:
        context.load_cert_chain(cert_file, key_file)
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def protocol_of(protocol: Any) -> int:
    """Return the number of a protocol.

    Raises:
        ValueError: There is none of that name.
    """
    if str(protocol) not in PROTOCOLS:
        raise ValueError(f"protocol: expected {' or '.join(PROTOCOLS)}, got {protocol!r}")
    return PROTOCOLS[str(protocol)]


def takes_retained(retained: str | None, *, dated: bool) -> bool:
    """Say whether to take retained messages.

    They are as old as they are, and nobody knows how old: with the time of their
    arrival they would be wrong. So only payloads that carry their time are taken,
    unless somebody says otherwise.

    Raises:
        ValueError: It is none of the known words.
    """
    if retained not in (None, "ignore", "once"):
        raise ValueError(f"retained: expected 'ignore' or 'once', got {retained!r}")
    return dated if retained is None else retained == "once"


def whole(number: Any, where: str) -> int:
    """Return a positive whole number.

    Raises:
        ValueError: It is none.
    """
    if type(number) is not int or number < 1:
        raise ValueError(f"{where}: expected a whole number of at least 1, got {number!r}")
    return number


def duration(text: Any, where: str) -> float:
    """Return the seconds in a text such as ``200ms`` or ``7d``.

    Raises:
        ValueError: It is no duration.
    """
    match = DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"{where}: expected a duration such as 200ms, 60s or 7d, got {text!r}")
    return float(match[1]) * UNITS[match[2]]
