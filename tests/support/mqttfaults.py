"""What publishes while terrible things happen to a broker, a daemon and what is between them."""

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from tests.support.daemonprocess import DaemonProcess, eventually
from tests.support.proxy import Mode, Proxy
from tests.support.servers import RealServer
from tests.support.source import FIRST, value_of


class Publisher:
    """Publishes numbered messages all the time; the broker has acked all of them at the end.

    There are only so many for each kill: those of a busy machine are far apart, and all that was
    published in between would have to be stored by the end.

    Args:
        broker: Where.
        messages: Returns topic and payload of each message by its number, from 1 on.
    """

    def __init__(self, broker: RealServer, messages: Callable[[int], tuple[str, str]]) -> None:
        self._messages = messages
        self.published = self.acked = self.allowed = 0
        self._client = Client(CallbackAPIVersion.VERSION2, "publisher", clean_session=False)
        self._client.on_publish = self._note_ack
        self._client.reconnect_delay_set(1, 1)
        self._client.connect(broker.host, broker.port)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._publish)

    def _note_ack(self, *_: object) -> None:
        self.acked += 1

    def _publish(self) -> None:
        while not self._stopping.wait(0.01):
            for _ in range(min(5, self.allowed - self.published)):
                self.published += 1
                # While there is no connection the client keeps them.
                self._client.publish(*self._messages(self.published), qos=1)

    @contextmanager
    def publishing(self) -> Iterator[None]:
        """Publish until the block ends, and until the broker has everything."""
        self._client.loop_start()
        self._thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            self._thread.join()
            eventually(lambda: self.acked == self.published, what="all acked by the broker")
            self._client.disconnect()
            self._client.loop_stop()


def of_one_meter(number: int) -> tuple[str, str]:
    """Return topic and payload of a message of a meter, with its own time and value."""
    return "site/meter", json.dumps({"t": FIRST + number, "v": value_of(number)})


def disturb(
    what: str, daemon: DaemonProcess, broker: RealServer, proxy: Proxy, chance: random.Random
) -> None:
    """Do one terrible thing."""
    if what == "daemon":
        daemon.kill()
        time.sleep(chance.uniform(0, 0.3))
        daemon.start()
    elif what == "connection":
        proxy.cut()
    elif what == "network":
        proxy.set(chance.choice((Mode.REFUSING, Mode.HANGING, Mode.RESETTING, Mode.CUTTING)))
        time.sleep(chance.uniform(0.1, 0.5))
        proxy.set(Mode.UP)
    else:
        broker.restart()  # not killed: what it acked to others it may have in memory only
