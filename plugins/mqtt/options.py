"""What the operator wrote about the connection, checked."""

import ssl
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from ingestd.plugins._clienttls import client_context
from ingestd.plugins._params import duration, whole
from ingestd.plugins._problems import Gathering

from .client import Settings
from .ready import Ready, ready
from .route import Route, route

PROTOCOLS: Final = {"5": 5, "3.1.1": 4}
SCHEMES: Final = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}
WEBSOCKETS: Final = ("ws", "wss")
# Where most brokers take WebSockets, and where nearly all clients look for them.
USUAL_PATH: Final = "/mqtt"


def entries_of(topics: Any, **defaults: Any) -> list[Route | Ready]:
    """Read ``topics``; the defaults are for entries that do not say otherwise.

    Raises:
        ValueError: Says what is wrong.
    """
    if not isinstance(topics, list | tuple) or not topics:
        raise ValueError(f"topics: expected a list of filters, got {topics!r}")
    with Gathering() as wrong:
        return [wrong.read(partial(entry_of, entry, defaults)) for entry in topics]


def entry_of(entry: Any, defaults: Mapping[str, Any]) -> Route | Ready:
    """Read one entry of ``topics``: a route, or a ready one by its ``type``.

    Raises:
        ValueError: Says what is wrong.
    """
    typed = isinstance(entry, Mapping) and "type" in entry
    return ready(entry, defaults) if typed else route(entry, defaults)


def settings_of(*, entries: Sequence[Route | Ready], **options: Any) -> Settings:
    """Read how to connect.

    Args:
        entries: Whether they all have a time decides about retained messages.
        **options: As ``run`` has them.

    Raises:
        ValueError: Says what is wrong.
    """
    place = address(options["url"])
    return Settings(
        host=place.host,
        port=place.port,
        path=place.path,
        client_id=options["client_id"],
        username=options["username"],
        password=options["password"],
        tls=tls_of(options) if place.encrypted else None,
        protocol=protocol_of(options["protocol"]),
        keepalive=round(duration(options["keepalive"], "keepalive")),
        session_expiry=round(duration(options["session_expiry"], "session_expiry")),
        window=whole(options["max_held"], "max_held"),
        retained=takes_retained(options["retained"], dated=all(each.dated for each in entries)),
        presence=options["presence"],
        state_topic=state_topic_of(entries, presence=options["presence"]),
    )


def state_topic_of(entries: Sequence[Route | Ready], *, presence: str | None) -> str | None:
    """Return the topic at which a Sparkplug host says that it is there, or None.

    Raises:
        ValueError: There are two, or ``presence`` besides: a client has one last will.
    """
    topics = {each.state_topic for each in entries if isinstance(each, Ready)} - {None}
    if len(topics) + (presence is not None) > 1:
        raise ValueError("topics: expected one `host`, and no `presence` beside it, got more")
    return topics.pop() if topics else None


class Address(NamedTuple):
    """Where a broker is.

    Attributes:
        host: Its name or address.
        port: Its port.
        path: Where it takes WebSockets, or None for a plain connection.
        encrypted: Whether by TLS.
    """

    host: str
    port: int
    path: str | None
    encrypted: bool


def address(url: str) -> Address:
    """Return where the broker of a url is.

    Raises:
        ValueError: It is no address of a broker.
    """
    parts = urlsplit(url)
    if parts.username or parts.password:
        raise ValueError("url: expected the user in `username` and `password`, got one in the url")
    path = parts.path.rstrip("/")
    web = parts.scheme in WEBSOCKETS
    if parts.scheme not in SCHEMES or not parts.hostname or (path and not web):
        raise ValueError(
            f"url: expected mqtt://host:port, mqtts://host:port, or ws:// or wss:// with a path, "
            f"got {url!r}"
        )
    return Address(
        parts.hostname,
        parts.port or SCHEMES[parts.scheme],
        (path or USUAL_PATH) if web else None,
        parts.scheme in {"mqtts", "wss"},
    )


def tls_of(options: Mapping[str, Any]) -> ssl.SSLContext:
    """Return how to encrypt: with the system's authorities, or only those in ``ca_file``."""
    names = ("ca_file", "cert_file", "key_file", "insecure")
    return client_context(**{name: options[name] for name in names})


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

    Their age is unknown: with the time of their arrival they would be wrong. So only
    payloads that carry their time are taken, unless the operator says otherwise.

    Raises:
        ValueError: It is none of the known words.
    """
    if retained not in (None, "ignore", "once"):
        raise ValueError(f"retained: expected 'ignore' or 'once', got {retained!r}")
    return dated if retained is None else retained == "once"
