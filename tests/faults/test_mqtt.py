"""MQTT at QoS 1, with kills of the daemon, of its connection and of the broker in between."""

import json
import os
import random
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from tests.support import ondisk
from tests.support.daemonprocess import DaemonProcess, eventually
from tests.support.proxy import Mode, Proxy
from tests.support.servers import RealServer, mosquitto
from tests.support.source import FIRST, readings, value_of

pytestmark = pytest.mark.slow  # daemons and brokers start and are killed

SEED: Final = int(os.environ.get("INGESTD_TEST_SEED") or secrets.randbelow(1_000_000))
KILLS: Final = 12
FOR_EACH: Final = (
    400  # messages; about as many as come from one kill to the next on an idle machine
)


class Publisher:
    """Publishes numbered messages all the time; the broker has acked all of them at the end.

    There are only so many for each kill: those of a busy machine are far apart, and all that was
    published in between would have to be stored by the end.
    """

    def __init__(self, broker: RealServer) -> None:
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
                payload = {"t": FIRST + self.published, "v": value_of(self.published)}
                # While there is no connection the client keeps them.
                self._client.publish("site/meter", json.dumps(payload), qos=1)

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


def test_messages_survive_kills(daemon: DaemonProcess, tmp_path: Path) -> None:
    """Every message that the broker took is stored once, with its own time and value."""
    chance = random.Random(SEED)
    print(f"INGESTD_TEST_SEED={SEED}")  # noqa: T201 -- to repeat what failed
    with (
        mosquitto(tmp_path / "broker") as broker,
        Proxy(broker.port, scheme="mqtt") as proxy,
    ):
        params = {"url": proxy.url, "topics": ["site/+"], "series": "{2}", "value": "v"}
        params |= {"time": "t", "linger": "20ms", "client_id": "ingestd"}
        daemon.configure(
            stores={"main": {"type": "embedded", "batch": {"linger": "50ms"}}},
            collectors={"meter": {"plugin": "mqtt", "params": params}},
        )
        daemon.start()
        # From now on the broker keeps what it has for us.
        eventually(lambda: ondisk.cursors(daemon.state_dir).get("meter"))
        publisher = Publisher(broker)
        with publisher.publishing():
            for number in range(KILLS):
                publisher.allowed += FOR_EACH
                # These sleeps are the test: they vary the instants.
                time.sleep(chance.uniform(0, 0.5))
                what = ("daemon", "connection", "daemon", "network", "broker")[number % 5]
                print(f"kill {number}: {what}")  # noqa: T201 -- to understand what failed
                disturb(what, daemon, broker, proxy, chance)

        expected = {time: [value] for time, value in readings(publisher.published).items()}
        look = ondisk.embedded(daemon.state_dir / "readings.db")
        eventually(lambda: look()["meter"].keys() >= expected.keys(), what="all stored")
        daemon.assert_balanced()
        assert daemon.stop() == 0

    assert look()["meter"] == expected


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
