"""A session on an MQTT broker, filled with messages that wait for their reader."""

import asyncio
import socket
import struct
from contextlib import closing
from typing import Any

import aiomqtt
import orjson
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

AT_ONCE = 5000
TOPICS = 1000


def client(port: int, client_id: str, protocol: str = "5") -> Any:
    """Return a client of a session that outlives its connections."""
    if protocol == "3.1.1":
        return aiomqtt.Client(
            "127.0.0.1",
            port,
            identifier=client_id,
            protocol=aiomqtt.ProtocolVersion.V311,
            clean_session=False,
        )
    made: Any = Properties
    properties = made(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = 3600
    return aiomqtt.Client(
        "127.0.0.1",
        port,
        identifier=client_id,
        protocol=aiomqtt.ProtocolVersion.V5,
        clean_start=False,
        properties=properties,
    )


async def fill(port: int, client_id: str, messages: int) -> None:
    """Make a session, and publish messages while it has no connection."""
    async with client(port, client_id) as session:
        await session.subscribe("bench/#", qos=1)
    publish(port, messages)


async def left(port: int, client_id: str) -> int:
    """Return how many messages the broker still holds for a session: at most one."""
    async with client(port, client_id) as session:
        try:
            async with asyncio.timeout(1):
                async for _ in session.messages:
                    return 1
        except TimeoutError:
            return 0
    return 0


def publish(port: int, messages: int) -> None:
    """Publish with QoS 1 as fast as the broker takes it, which clients' libraries cannot."""
    with closing(socket.create_connection(("127.0.0.1", port))) as sock:
        sock.sendall(packet(0x10, text("MQTT") + b"\x04\x02\x00\x3c" + text("bench-publisher")))
        assert len(sock.recv(4)) == 4
        for first in range(0, messages, AT_ONCE):
            numbers = range(first, min(first + AT_ONCE, messages))
            sock.sendall(b"".join(map(message, numbers)))
            acks = 4 * len(numbers)
            while acks:
                acks -= len(sock.recv(acks))


def message(number: int) -> bytes:
    """Return a PUBLISH packet with a JSON payload of some forty bytes."""
    topic = text(f"bench/meter{number % TOPICS}/power")
    payload = orjson.dumps({"t": 1_700_000_000 + number // TOPICS, "v": number % 977 / 8, "q": 1})
    return packet(0x32, topic + struct.pack(">H", number % 65535 + 1) + payload)


def packet(kind: int, body: bytes) -> bytes:
    """Return an MQTT packet."""
    length, size = b"", len(body)
    while True:
        size, digit = divmod(size, 128)
        length += bytes([digit | (0x80 if size else 0)])
        if not size:
            return bytes([kind]) + length + body


def text(value: str) -> bytes:
    """Return a string as MQTT writes it."""
    return struct.pack(">H", len(value)) + value.encode()
