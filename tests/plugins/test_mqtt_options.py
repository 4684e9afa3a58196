"""What the mqtt plugin checks by itself: its options, its libraries, what it holds."""

from typing import Any

import aiomqtt
import pytest

from ingestd.plugins.mqtt import BrokerError, run
from ingestd.plugins.mqtt.client import inner
from ingestd.plugins.mqtt.inbox import Inbox
from ingestd.plugins.mqtt.ready import Message
from ingestd.testing import context, results


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"url": "http://x"}, "url: expected mqtt://host:port"),
        ({"url": "mqtt://me:hush@x"}, "url: expected the user in `username`"),
        ({"topics": "a"}, "topics: expected a list of filters"),
        ({"protocol": 4}, "protocol: expected 5 or 3.1.1, got 4"),
        ({"retained": "twice"}, "retained: expected 'ignore' or 'once'"),
        ({"max_held": 0}, "max_held: expected a whole number"),
        ({"linger": 5}, "linger: expected a duration such as 5s"),
    ],
)
async def test_wrong_options_say_what_is_right(params: dict[str, Any], message: str) -> None:
    """Mistakes are found before the broker is asked, and no password is shown."""
    async with context() as ctx:
        found = results(run, **{"ctx": ctx, "url": "mqtt://x", "topics": ["a"], **params})
        with pytest.raises(ValueError, match=message) as caught:
            await anext(found)

    assert "hush" not in str(caught.value)


async def test_another_aiomqtt_is_found_out() -> None:
    """A version without the paho client inside says so, instead of acking too early."""
    client: Any = aiomqtt.Client("x")
    assert inner(client) is client._client

    client._client = object()
    with pytest.raises(BrokerError, match="expected a version that holds a paho client"):
        inner(client)


def test_repeat_is_known_by_number_topic_and_payload() -> None:
    """Only a message that is safe already is acked without being read."""
    inbox = Inbox(max_held=10, max_bytes=1000)
    inbox.remember([Message("a", b"1", 7.0, 5, 1)])

    assert not inbox.is_repeat(6, "a", b"1")
    assert not inbox.is_repeat(5, "b", b"1")
    assert not inbox.is_repeat(5, "a", b"2")
    assert inbox.is_repeat(5, "a", b"1")
    assert not inbox.is_repeat(5, "a", b"1")


def test_inbox_is_full_by_count_or_bytes() -> None:
    """Few large messages fill it, too."""
    inbox = Inbox(max_held=3, max_bytes=10)
    full = []
    for payload in (b"123456789", b"1"):
        inbox.add(Message("a", payload, 7.0, 1, 1))
        full.append(inbox.full)
    while taken := inbox.take():
        inbox.release(taken)
    full.append(inbox.full)

    assert full == [False, True, False]
