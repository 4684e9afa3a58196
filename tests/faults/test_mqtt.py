"""MQTT at QoS 1, with kills of the daemon, of its connection and of the broker in between."""

import os
import random
import secrets
import time
from pathlib import Path
from typing import Final

import pytest

from tests.support import ondisk
from tests.support.daemonprocess import DaemonProcess, eventually
from tests.support.mqttfaults import Publisher, disturb, of_one_meter
from tests.support.proxy import Proxy
from tests.support.servers import mosquitto
from tests.support.source import readings

pytestmark = pytest.mark.slow  # daemons and brokers start and are killed

SEED: Final = int(os.environ.get("INGESTD_TEST_SEED") or secrets.randbelow(1_000_000))
KILLS: Final = 12
FOR_EACH: Final = (
    400  # messages; about as many as come from one kill to the next on an idle machine
)


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
        publisher = Publisher(broker, of_one_meter)
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
