"""Readings that data loggers and other senders push over HTTP, answered when they are safe.

Emits what the senders name: BMON's loggers, Monnit, Particle, The Things
Network, ChirpStack, Radio Bridge, beadedStream, Notehub, weather stations, Influx line
protocol, plain JSON, metrics of OpenTelemetry and of Prometheus, and documents that the
parameters describe.

Parameters, where: ``listen`` -- ``host:port`` or ``unix:/path`` -- with ``tls`` --
``cert_file`` and ``key_file``; or ``path`` -- a prefix at the daemon's own address.
Parameters, what: ``store_keys`` -- any of them opens; ``formats`` -- some instead
of all; ``weather`` -- ``stations`` by name and the ``units`` of what they measure;
``otlp`` -- which attributes become tags; ``decode`` -- devices, and what decodes their payloads;
``routes`` -- paths of your own, each with what
is sent there; ``timezone`` -- of their times that have no zone; ``replies`` --
``honest``, or ``bmon`` for loggers that know 200 alone.
Parameters, limits: ``max_body`` -- bytes of one request; ``max_waiting`` requests
and ``max_waiting_bytes`` that are not safe yet; ``rate`` -- requests a second;
``answer_within`` -- how long a sender waits for safety, ``read_within`` -- and we
for its body.
State: none.
"""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import urlsplit

from ingestd.plugins._checks import Given
from ingestd.plugins._params import duration, whole, zone_of

from .answering import Answering, Rate
from .bodies import Bodies
from .decoding import decoding_of
from .formats.otlpoptions import otlp_options
from .inbox import Inbox, settling
from .keys import Keys
from .listener import Certificate, serving
from .options import (
    address_of,
    certificate_of,
    check_keys,
    check_sizes,
    check_together,
    keys_for,
    keys_of,
    rate_of,
)
from .ownroutes import own_routes
from .refusallog import RefusalLog
from .replies import Replies
from .routes import enabled
from .things import Things
from .weather import weather_of

__all__ = ["check", "run"]

GLANCE: Final = 1.0  # seconds between two looks whether the daemon is stopping
LOOK_AT_FILES: Final = 60.0  # seconds between two looks at the certificate's files


async def run(  # noqa: PLR0913 -- each is an option, which the daemon checks by name
    *,
    ctx: Any,
    listen: str | None = None,
    path: str | None = None,
    tls: Mapping[str, str] | None = None,
    store_keys: Sequence[str] | str | None = None,
    formats: Sequence[str] | None = None,
    weather: Mapping[str, Any] | None = None,
    decode: Mapping[str, str] | None = None,
    routes: Sequence[Mapping[str, Any]] | None = None,
    timezone: str | None = None,
    replies: str = "honest",
    otlp: Mapping[str, Any] | None = None,
    max_body: int = 1024 * 1024,
    max_waiting: int = 1000,
    max_waiting_bytes: int = 32 * 1024 * 1024,
    rate: float | None = None,
    answer_within: str = "10s",
    read_within: str = "20s",
    **_: Any,
) -> AsyncIterator[dict[str, Any]]:
    """Yield what comes, and answer once it is safe."""
    check_together(listen, path, tls, replies)
    check_sizes(whole(max_body, "max_body"), whole(max_waiting_bytes, "max_waiting_bytes"))
    certificate = certificate_of(tls)
    stations = weather_of(weather, Keys(keys_of(store_keys)))
    keys = keys_for(store_keys, formats=formats, routes=routes, weather=stations)
    zone = zone_of(timezone, ctx.timezone)
    inbox = Inbox(
        most=whole(max_waiting, "max_waiting"),
        most_bytes=max_waiting_bytes,
        within=duration(answer_within, "answer_within"),
    )
    answering = Answering(
        ctx=ctx,
        prefix=path or "",
        routes=(
            *own_routes(routes, zone=zone),
            *enabled(formats, stations, otlp_options(otlp), Things(decoding_of(decode))),
        ),
        keys=Keys(keys),
        rate=Rate(rate_of(rate)),
        refusals=Rate(rate_of(rate)),
        bodies=Bodies(most_bytes=max_body, within=duration(read_within, "read_within")),
        inbox=inbox,
        replies=Replies(like_bmon=replies == "bmon"),
        refusal_log=RefusalLog(ctx.log),
        pool=(pool := ThreadPoolExecutor(1, "ingestd-push")),
        started=ctx.now().timestamp(),
    )
    try:
        async with open_at(answering, listen, certificate, keys), settling(ctx, inbox) as waits:
            looked = time.monotonic()
            while not ctx.stopping:
                group = await inbox.take(within=GLANCE)
                if group:
                    yield {"readings": [each for found in group for each in found.readings]}
                    waits.begin(group)
                if certificate is not None and time.monotonic() - looked > LOOK_AT_FILES:
                    looked = time.monotonic()
                    follow(certificate, ctx.log)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def check(**params: Any) -> list[str]:
    """Return what is wrong with params, as a run would find it."""
    given = Given(run, params)
    given.read(lambda each: check_together(each.listen, each.path, each.tls, each.replies))
    given.read(lambda each: each.listen is None or address_of(each.listen))
    given.read(
        lambda each: check_sizes(
            whole(each.max_body, "max_body"), whole(each.max_waiting_bytes, "max_waiting_bytes")
        )
    )
    given.read(lambda each: whole(each.max_waiting, "max_waiting"))
    given.read(lambda each: certificate_of(each.tls))
    given.read(lambda each: keys_of(each.store_keys))
    given.read(lambda each: enabled(each.formats))
    given.read(lambda each: weather_of(each.weather, Keys(())))
    given.read(lambda each: decoding_of(each.decode))
    given.read(lambda each: otlp_options(each.otlp))
    given.read(lambda each: zone_of(each.timezone))
    given.read(lambda each: own_routes(each.routes, zone=None))
    given.read(lambda each: rate_of(each.rate))
    given.read(look_at_keys)
    given.durations("answer_within", "read_within")
    return [*dict.fromkeys(given.problems)]


def look_at_keys(params: Any) -> None:
    """Check that no other machine may send without a key to an address of our own.

    Raises:
        ValueError: One may, or an option that tells it is no good.
    """
    if params.listen is None:
        return
    address, stations = address_of(params.listen), weather_of(params.weather, Keys(()))
    keys = keys_for(
        params.store_keys, formats=params.formats, routes=params.routes, weather=stations
    )
    check_keys(str(address), address.host, keys)


@asynccontextmanager
async def open_at(
    answering: Answering, listen: str | None, certificate: Certificate | None, keys: Sequence[str]
) -> AsyncIterator[None]:
    """Answer at an address of our own, or below a prefix of the daemon's.

    Raises:
        ValueError: Others could send without a key.
        OSError: The address cannot be used.
    """
    if listen is not None:
        address = address_of(listen)
        check_keys(str(address), address.host, keys)
        async with serving(address, answering.answer, certificate) as where:
            answering.ctx.log.info("listening", address=str(where), tls=certificate is not None)
            answering.ctx.connected(f"messages at {where}")
            yield
        return
    with answering.ctx.mount(answering.prefix, answering.answer) as daemon:
        unix = daemon.startswith("unix:")
        check_keys(daemon, "" if unix else urlsplit(daemon).hostname or "", keys)
        answering.ctx.log.info("listening", address=daemon, path=answering.prefix)
        answering.ctx.connected(f"messages at {daemon}{answering.prefix}")
        yield


def follow(certificate: Certificate, log: Any) -> None:
    """Take a renewed certificate, and go on with the old one if it is no good."""
    try:
        if certificate.follow():
            log.info("certificate renewed")
    except OSError as error:
        log.error("renewed certificate is no good, the old one stays", error=str(error))
