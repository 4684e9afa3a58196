"""Readings from an MQTT broker, each message acked when its readings are safe.

Emits a series for each topic, or what the parameters name; a payload is a
number, a word such as ``ON``, or JSON.

Parameters, connecting: ``url`` -- ``mqtt://host``, ``mqtts://host``, or ``ws`` and
``wss`` with a path; ``username``, ``password``; ``ca_file``, ``cert_file``, ``key_file``,
``insecure``; ``protocol`` -- 5 or 3.1.1; ``client_id``; ``keepalive``;
``session_expiry``; ``presence`` -- a topic that says whether we are there.
Parameters, reading: ``topics`` -- filters, or dicts with the ``type`` of a ready route, such
as ``tasmota``, or with a ``filter`` and any of the following; ``qos``; ``series`` -- a
template such as ``{1}_{3}``; ``value`` -- JMESPath in the payload -- or ``values`` --
template to JMESPath, or to ``path`` and what the value means; ``format``, ``csv``,
``charset``, ``member``, ``records``, ``layout``, ``fields`` -- what a payload with several
records looks like; ``time``, ``time_plus``, ``time_step``, ``time_format``, ``timezone``; ``tags``
-- name to template; ``words`` -- word to number; ``nothing`` -- what says that there is no value;
``decimal`` -- what stands before the fraction; ``units`` -- what may stand beside one;
``retained`` -- ``ignore`` or ``once``.
Parameters, limits: ``max_held`` messages and ``max_held_bytes`` in memory;
``linger`` -- how long a batch waits for more.
State: ``subscribed`` -- the filters that the broker keeps for us; ``described`` -- what
devices have said of their values.
"""

import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from ingestd.plugins._checks import Given
from ingestd.plugins._documents import OPTIONS as DOCUMENT_OPTIONS
from ingestd.plugins._params import duration, whole, zone_of
from ingestd.plugins._values import OPTIONS as VALUE_OPTIONS
from ingestd.plugins._values import value_reader

from .client import BrokerError, BrokerRefused
from .inbox import Inbox
from .options import address, entries_of, protocol_of, settings_of, state_topic_of, tls_of
from .routes import Routes
from .streaming import stream

__all__ = ["BrokerError", "BrokerRefused", "check", "run"]


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
    format: str | None = None,  # noqa: A002 -- the option's name
    csv: Mapping[str, Any] | None = None,
    charset: str | None = None,
    member: str | None = None,
    records: str | Sequence[str] | None = None,
    layout: str | None = None,
    fields: Sequence[str] | str | None = None,
    time: str | None = None,
    time_plus: str | Mapping[str, str] | None = None,
    time_step: str | None = None,
    time_format: str | None = None,
    timezone: str | None = None,
    tags: Mapping[str, str] | None = None,
    words: Mapping[Any, Any] | None = None,
    nothing: Any = None,
    decimal: str | None = None,
    units: Any = None,
    retained: str | None = None,
    max_held: int = 10_000,
    max_held_bytes: int = 32 * 1024 * 1024,
    linger: str = "200ms",
    subscribed: Sequence[str] | None = None,
    described: Mapping[str, Any] | None = None,
    **_: Any,
) -> AsyncIterator[dict[str, Any]]:
    """Yield what arrives, in batches, and ack each batch once it is safe."""
    entries = entries_of(
        topics,
        qos=qos,
        series=series,
        value=value,
        values=values,
        format=format,
        csv=csv,
        charset=charset,
        member=member,
        records=records,
        layout=layout,
        fields=fields,
        time=time,
        time_plus=time_plus,
        time_step=time_step,
        time_format=time_format,
        tags=tags,
        words=words,
        nothing=nothing,
        decimal=decimal,
        units=units,
    )
    settings = settings_of(
        entries=entries,
        url=url,
        client_id=client_id or f"ingestd-{socket.gethostname()}-{ctx.collector}",
        username=username,
        password=password,
        ca_file=ca_file,
        cert_file=cert_file,
        key_file=key_file,
        insecure=insecure,
        protocol=protocol,
        keepalive=keepalive,
        session_expiry=session_expiry,
        max_held=max_held,
        retained=retained,
        presence=presence,
    )
    zone = zone_of(timezone, ctx.timezone)
    routes = Routes(entries, zone=zone)
    routes.ready.recall(described)
    inbox = Inbox(max_held=max_held, max_bytes=whole(max_held_bytes, "max_held_bytes"))
    wait, known = duration(linger, "linger"), list(subscribed or ())
    async with aclosing(stream(ctx, settings, routes, inbox, linger=wait, known=known)) as found:
        async for result in found:
            yield result


def check(**params: Any) -> list[str]:
    """Return what is wrong with params, as a run would find it."""
    given = Given(run, params)
    given.durations("linger", "keepalive", "session_expiry")
    given.read(lambda each: zone_of(each.timezone))
    given.read(lambda each: whole(each.max_held_bytes, "max_held_bytes"))
    given.read(lambda each: whole(each.max_held, "max_held"))
    given.read(lambda each: value_reader(vars_of(each, *VALUE_OPTIONS)))
    given.read(lambda each: protocol_of(each.protocol))
    given.read(look_at_topics)
    given.read(
        lambda each: (
            tls_of(vars_of(each, "ca_file", "cert_file", "key_file", "insecure"))
            if address(each.url).encrypted
            else None
        )
    )
    return given.problems


def look_at_topics(params: Any) -> None:
    """Look at the entries of ``topics``, and at what has to go together with them.

    Raises:
        ValueError: Says what is wrong with them.
    """
    entries = entries_of(
        params.topics,
        qos=params.qos,
        series=params.series,
        value=params.value,
        values=params.values,
        tags=params.tags,
        **vars_of(params, "time", "time_plus", "time_step", "time_format", "records", "layout"),
        **vars_of(params, *DOCUMENT_OPTIONS, *VALUE_OPTIONS),
    )
    state_topic_of(entries, presence=params.presence)


def vars_of(each: Any, *names: str) -> dict[str, Any]:
    """Return some params by name."""
    return {name: getattr(each, name) for name in names}
