"""One connection to a broker whose messages are acked when they are safe, not before.

How it works
    aiomqtt acks a message before its caller has seen it, drops messages when its
    queue is full, and reads one message for each turn of the event loop. It is
    used for what it does well (connect, subscribe, keep alive, TLS), but the
    messages are taken from the paho client inside it, which can leave the acks
    to us: ``manual_ack_set`` before connecting, ``ack`` afterwards. That client
    is a private attribute, so ``inner`` checks at start-up that it is there.

    Memory is bounded by not reading (see ``traffic``). When nothing gets safe for half the
    keepalive we leave in good order; the broker keeps the session, and with it everything that
    is not acked.

    What was not acked when a connection ended comes again on the next one. The
    ``Inbox`` outlives connections and remembers what has become safe meanwhile:
    such a message, known by its number, topic and payload, is acked and not read
    a second time.

    QoS 2 is not offered: paho keeps such a message in memory between two steps
    of its handshake, and a kill between them loses it for good. A subscription
    at QoS 1 gets messages that were published with QoS 2, too.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import aiomqtt
from paho.mqtt.client import MQTT_ERR_SUCCESS

from .client import Presence, Settings, hung_up, inner, make_client, presence_of, refusal
from .inbox import Inbox
from .ready import Message, Outgoing, Subscription
from .subscribing import Subscriber
from .traffic import Calls, Traffic

TAKEN_OVER: Final = 142


class Link:
    """One connection."""

    def __init__(
        self,
        client: aiomqtt.Client,
        settings: Settings,
        inbox: Inbox,
        *,
        now: Callable[[], float],
        log: Any,
        presence: Presence | None = None,
        describes: Callable[[str], bool] | None = None,
    ) -> None:
        self._client, self._settings, self._inbox = client, settings, inbox
        self._now, self._log = now, log
        self._presence, self._describes = presence, describes
        self._following: asyncio.Task[None] | None = None
        self._subscriber = Subscriber(client, settings, log=log)
        self._something = asyncio.Event()
        self._enough = asyncio.Event()
        self._over = asyncio.Event()
        self._answered = False
        self.session_present = False
        self.subscribed = False
        self.parked = False
        self.lost: str | None = None
        self.refused: str | None = None
        self._paho = inner(client)
        self._paho.manual_ack_set(True)
        self._tell_aiomqtt = self._paho.on_connect, self._paho.on_disconnect
        self._paho.on_connect = self._on_connect
        self._paho.on_disconnect = self._on_disconnect
        self._paho.on_message = self._on_message
        calls = Calls(lost=self._lose, paused=self._enough.set, too_long=self._park)
        self._traffic = Traffic(self._paho, inbox, patience=settings.keepalive / 2, calls=calls)

    async def connect(self) -> None:
        """Connect to the broker, and wait for its answer.

        aiomqtt would go on waiting for it after the broker has hung up.

        Raises:
            BrokerError: The broker cannot be reached.
            BrokerRefused: It will not have us.
        """
        entering = asyncio.create_task(self._client.__aenter__(), name="mqtt.connect")
        over = asyncio.create_task(self._over.wait(), name="mqtt.over")
        try:
            await asyncio.wait({entering, over}, return_when=asyncio.FIRST_COMPLETED)
            if over.done() and not entering.done() and not self._answered:
                raise hung_up(self._settings)
            await entering
        except aiomqtt.MqttError as error:
            raise refusal(error, self._settings) from error
        finally:
            entering.cancel()
            over.cancel()
            await asyncio.gather(entering, over, return_exceptions=True)

    async def subscribe(self, wanted: Sequence[Subscription], *, gone: Sequence[str]) -> None:
        """Subscribe to what is wanted, and end the subscriptions that are gone.

        Messages come before the answers do, in any number, so this runs beside
        those who take them; what goes wrong ends the connection.
        """
        try:
            refused = await self._subscriber.begin(wanted, gone=gone)
            if refused:
                self.refused = refused
                self._lose(refused)
                return
            if self._presence is not None:
                topic, here, _ = self._presence
                await self._client.publish(topic, here, qos=1, retain=True)
        except aiomqtt.MqttError as error:
            self._lose(str(error))
            return
        self.subscribed = True
        self._something.set()

    @property
    def filters(self) -> list[str]:
        """What the broker was asked for over this connection."""
        return self._subscriber.filters

    def follow(self, wanted: Sequence[Subscription]) -> None:
        """Begin to subscribe to what is new, and to end what is gone, if nothing is under way."""
        if not self.subscribed or (self._following is not None and not self._following.done()):
            return
        new, gone = self._subscriber.changes(wanted)
        if new or gone:
            self._following = asyncio.create_task(self._follow(new, gone), name="mqtt.follow")

    async def _follow(self, new: Sequence[Subscription], gone: Sequence[str]) -> None:
        try:
            await self._subscriber.follow(new, gone)
        except aiomqtt.MqttError as error:
            self._lose(str(error))
            return
        self._something.set()

    def publish(self, outgoing: Outgoing) -> None:
        """Publish something at QoS 0."""
        if self.lost is None:
            self._paho.publish(outgoing.topic, outgoing.payload, qos=0)

    async def batch(self, *, linger: float, within: float) -> list[Message]:
        """Return what has arrived, or nothing once the time is over or the connection lost.

        Args:
            linger: How long to wait for more after the first message, in seconds.
            within: How long to wait for the first, in seconds.
        """
        if not self._inbox and self.lost is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(within):
                    await self._something.wait()
        self._something.clear()
        if self._inbox and not self._inbox.plenty and self.lost is None:
            self._enough.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(linger):
                    await self._enough.wait()
        return self._inbox.take()

    def finish(self, messages: Sequence[Message]) -> None:
        """Ack messages that are safe, and read on if that made room."""
        unsent = [m for m in messages if m.qos and not self._ack(m.mid, m.qos)]
        self._inbox.remember(unsent)
        self._inbox.release(messages)
        self._traffic.go_on()

    def _ack(self, mid: int, qos: int) -> bool:
        """Ack a message; say whether that was possible."""
        return self.lost is None and self._paho.ack(mid, qos) == MQTT_ERR_SUCCESS

    def watch(self) -> None:
        """Read the socket ourselves from now on."""
        self._traffic.watch()

    def leave(self) -> None:
        """Say goodbye; nothing that is not acked is lost by it."""
        self._traffic.leave()
        if self._following is not None:
            self._following.cancel()
        if self._presence is not None and self.lost is None:
            topic, _, gone = self._presence
            self._paho.publish(topic, gone, qos=1, retain=True)

    def _park(self) -> None:
        """Leave before the broker takes us for dead."""
        self._log.warning(
            "nothing gets safe; the broker keeps further messages",
            broker=self._settings.broker,
            held=self._inbox.held,
            seconds=self._settings.keepalive / 2,
        )
        self.leave()
        self.parked = True
        self._paho.disconnect()

    def _lose(self, why: str) -> None:
        self._traffic.end()
        if self.lost is None:
            self.lost = why
        self._over.set()
        self._something.set()
        self._enough.set()

    def _on_connect(self, *args: Any) -> None:
        self._answered = True
        self.session_present = bool(args[2].session_present)
        if not self.session_present:
            self._inbox.forget()
        call(self._tell_aiomqtt[0], args)

    def _on_disconnect(self, *args: Any) -> None:
        code = args[3]
        if getattr(code, "value", None) == TAKEN_OVER:
            self.refused = f"another client calls itself {self._settings.client_id!r}, too"
        self._lose(str(code))
        # Told of an error, aiomqtt would keep an exception that is never looked at.
        call(self._tell_aiomqtt[1], (*args[:3], 0, *args[4:]))

    def _on_message(self, _client: Any, _userdata: Any, message: Any) -> None:
        """Take in a message, unless it is one of those that only want an ack."""
        mid, qos, payload = message.mid, message.qos, bytes(message.payload)
        try:
            topic = message.topic
        except UnicodeDecodeError:  # no broker should let it through, and nothing can be named so
            self._paho.ack(mid, qos)
            return
        if (message.retain and not self._takes_retained(topic)) or (
            message.dup and self._inbox.is_repeat(mid, topic, payload)
        ):
            self._paho.ack(mid, qos)
            return
        self._inbox.add(Message(topic, payload, self._now(), mid, qos))
        self._something.set()
        if self._inbox.plenty:
            self._enough.set()

    def _takes_retained(self, topic: str) -> bool:
        """Say whether a retained message is wanted: its age is unknown."""
        described = self._describes is not None and self._describes(topic)
        return self._settings.retained or described


@asynccontextmanager
async def connected(
    settings: Settings,
    inbox: Inbox,
    *,
    wanted: Sequence[Subscription],
    gone: Sequence[str],
    now: Callable[[], float],
    log: Any,
    describes: Callable[[str], bool] | None = None,
) -> AsyncIterator[Link]:
    """Connect and subscribe; disconnect in good order afterwards.

    Args:
        settings: How to connect.
        inbox: Where messages go.
        wanted: What to subscribe to.
        gone: Filters that the broker keeps for us, and need not any more.
        now: Gives the time in Unix seconds.
        log: The collector's logger.
        describes: Says which topics describe others, so that what is retained of them is taken.

    Raises:
        BrokerError: The broker cannot be reached.
        BrokerRefused: It will not have us.
    """
    presence = presence_of(settings, now())
    client = make_client(settings, presence)
    link = Link(client, settings, inbox, now=now, log=log, presence=presence, describes=describes)
    await link.connect()
    link.watch()
    subscribing = asyncio.create_task(link.subscribe(wanted, gone=gone), name="mqtt.subscribe")
    try:
        yield link
    finally:
        subscribing.cancel()
        link.leave()
        with suppress(aiomqtt.MqttError):  # it is over either way
            await client.__aexit__(None, None, None)


def call(callback: Any, args: Sequence[Any]) -> None:
    """Call back, if a callback was set."""
    if callback is not None:
        callback(*args)
