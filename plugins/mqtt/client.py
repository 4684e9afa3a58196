"""The client that connects: its settings, and what may be wrong with them."""

import json
import logging
import ssl
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Final, NamedTuple

import aiomqtt
from aiomqtt.exceptions import MqttConnectError
from paho.mqtt.client import MQTT_CLEAN_START_FIRST_ONLY
from paho.mqtt.client import Client as PahoClient
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

MOST_IN_FLIGHT: Final = 65_535
# What brokers of another version of MQTT answer: those of 3.1.1, and those of 5.
OTHER_PROTOCOL: Final = frozenset({1, 132})
# A broker that says so may take us later: unavailable, busy, quota, moved, rate.
PASSING: Final = frozenset({136, 137, 151, 156, 157, 159})
OTHER_VERSION: Final = "; if the broker does not know MQTT 5, set `protocol: 3.1.1`"
# paho tells what we tell as well, once more, and without the collector's name.
QUIET: Final = logging.getLogger("ingestd.mqtt.paho")
QUIET.setLevel(logging.CRITICAL + 1)


class BrokerError(Exception):
    """The broker cannot be reached, or will not have us."""


class BrokerRefused(BrokerError):
    """The broker will not have us until its configuration or ours is changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to connect.

    Attributes:
        host: The broker's name or address.
        port: Its port.
        client_id: Names our session at the broker.
        username: The user of the broker, or None.
        password: The user's password, or None.
        path: Where the broker takes WebSockets, or None for a plain connection.
        tls: How to encrypt, or None.
        protocol: 5, or 4 for MQTT 3.1.1.
        keepalive: Seconds of silence after which either side checks the other.
        session_expiry: How long the broker keeps our session without us, in seconds.
        window: How many messages without an ack the broker may send.
        retained: Whether to take retained messages.
        presence: Topic that says whether we are there, or None.
        state_topic: Topic that says so in the words of Sparkplug, or None.
        timeout: Seconds for one answer of the broker.
    """

    host: str
    port: int
    client_id: str
    username: str | None
    password: str | None = field(repr=False)
    path: str | None
    tls: ssl.SSLContext | None
    protocol: int
    keepalive: int
    session_expiry: int
    window: int
    retained: bool
    presence: str | None
    state_topic: str | None = None
    timeout: float = 10

    @property
    def broker(self) -> str:
        """The address, for people."""
        kind = "mqtt" if self.path is None else "ws"
        return f"{kind}{'s' if self.tls else ''}://{self.host}:{self.port}{self.path or ''}"


class Presence(NamedTuple):
    """Where we say whether we are there, and how: retained, and as last will.

    Attributes:
        topic: Where.
        here: What is said when we are there.
        gone: What is said when we are not.
    """

    topic: str
    here: bytes
    gone: bytes


def presence_of(settings: Settings, now: float) -> Presence | None:
    """Return how a connection that begins now, in Unix seconds, says that it is there, or None."""
    if settings.state_topic is not None:
        here, gone = (
            json.dumps({"online": online, "timestamp": round(now * 1000)}).encode()
            for online in (True, False)
        )
        return Presence(settings.state_topic, here, gone)
    if settings.presence is None:
        return None
    return Presence(settings.presence, b"online", b"offline")


def make_client(settings: Settings, presence: Presence | None = None) -> aiomqtt.Client:
    """Return aiomqtt's client, with a session that outlives connection and process."""
    modern = settings.protocol >= 5
    will = None
    if presence is not None:
        will = aiomqtt.Will(presence.topic, presence.gone, qos=1, retain=True)
    return aiomqtt.Client(
        settings.host,
        settings.port,
        username=settings.username,
        password=settings.password,
        logger=QUIET,
        identifier=settings.client_id,
        protocol=aiomqtt.ProtocolVersion.V5 if modern else aiomqtt.ProtocolVersion.V311,
        will=will,
        clean_session=None if modern else settings.session_expiry == 0,
        # aiomqtt's default would have a new process wipe the session of the old one.
        clean_start=False if modern else MQTT_CLEAN_START_FIRST_ONLY,
        properties=connect_properties(settings) if modern else None,
        keepalive=settings.keepalive,
        tls_context=settings.tls,
        transport="tcp" if settings.path is None else "websockets",
        websocket_path=settings.path,
        timeout=settings.timeout,
    )


def connect_properties(settings: Settings) -> Properties:
    """Return what MQTT 5 says in CONNECT; without an expiry the session ends with the link."""
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho's
    properties.SessionExpiryInterval = settings.session_expiry
    properties.ReceiveMaximum = min(settings.window, MOST_IN_FLIGHT)
    return properties


def inner(client: aiomqtt.Client) -> PahoClient:
    """Return the paho client inside aiomqtt's.

    Raises:
        BrokerError: This aiomqtt is built in another way.
    """
    found = getattr(client, "_client", None)
    needed = (
        "ack",
        "manual_ack_set",
        "socket",
        "loop_read",
        "loop_write",
        "want_write",
        "on_connect",
        "on_disconnect",
        "on_socket_register_write",
    )
    if not isinstance(found, PahoClient) or not all(hasattr(found, each) for each in needed):
        raise BrokerError(
            "aiomqtt: expected a version that holds a paho client with manual acks, such as 2.5, "
            f"got aiomqtt {version('aiomqtt')} with paho-mqtt {version('paho-mqtt')}"
        )
    return found


def hung_up(settings: Settings) -> BrokerError:
    """Return our error for a broker that ends the connection instead of answering."""
    hint = OTHER_VERSION if settings.protocol >= 5 else ""
    return BrokerError(
        f"{settings.broker}: expected an answer to CONNECT, got the end of the connection{hint}"
    )


def refusal(error: aiomqtt.MqttError, settings: Settings) -> BrokerError:
    """Return our error for a failed connection."""
    code = getattr(getattr(error, "rc", None), "value", None)
    if isinstance(error, MqttConnectError) and code not in PASSING:
        user = "no user" if settings.username is None else f"user {settings.username!r}"
        return BrokerRefused(
            f"{settings.broker}: the broker refused client {settings.client_id!r}, {user}: "
            f"{getattr(error, 'rc', error)}"
            f"{OTHER_VERSION if code in OTHER_PROTOCOL and settings.protocol >= 5 else ''}"
        )
    return BrokerError(f"{settings.broker}: cannot connect: {error}")
