"""A connection that ends in the same moment in which the mqtt plugin has something to say on it."""

import asyncio
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest
import structlog
from paho.mqtt.client import MQTTMessage

from ingestd.plugins.mqtt.client import Settings, inner, make_client
from ingestd.plugins.mqtt.inbox import Inbox
from ingestd.plugins.mqtt.link import Link

LOG = structlog.get_logger()


def settings(url: str, client_id: str) -> Settings:
    """Return how to connect to a broker without passwords."""
    parts = urlsplit(url)
    return Settings(
        host=parts.hostname or "",
        port=parts.port or 0,
        client_id=client_id,
        username=None,
        password=None,
        path=None,
        tls=None,
        protocol=5,
        keepalive=60,
        session_expiry=0,
        window=10,
        retained=False,
        presence=None,
    )


async def test_what_is_said_on_a_closed_connection_is_no_error(mqtt_url: str, unique: str) -> None:
    """The socket is closed before the loop begins to watch whether it can be written to."""
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, what: told.append(what))
    wanted = settings(mqtt_url, unique)
    client = make_client(wanted)
    link = Link(client, wanted, Inbox(max_held=1, max_bytes=1), now=lambda: 0.0, log=LOG)
    await client.__aenter__()
    link.watch()
    paho = inner(client)
    closing: Any = paho.socket()

    paho.publish(unique)
    closing.shutdown(socket.SHUT_RDWR)
    paho.loop_read()
    await asyncio.sleep(0)

    assert closing.fileno() == -1
    assert link.lost is not None
    assert told == []


@pytest.mark.parametrize("turns", range(6))
async def test_cancellation_comes_through_with_a_message(turns: int) -> None:
    """However many turns of the event loop lie between the two, the stream ends."""
    wanted = settings("mqtt://127.0.0.1:1", "cancelled")
    client = make_client(wanted)
    link = Link(client, wanted, Inbox(max_held=40, max_bytes=100), now=lambda: 0.0, log=LOG)
    waiting = asyncio.create_task(link.batch(linger=60, within=60))
    on_message: Any = inner(client).on_message
    for _ in range(3):
        await asyncio.sleep(0)

    on_message(None, None, MQTTMessage(1, b"a"))
    for _ in range(turns):
        await asyncio.sleep(0)
    waiting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting
