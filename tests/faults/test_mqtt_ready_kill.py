"""Devices that describe themselves, with kills of the daemon and of what is between."""

import json
import os
import random
import secrets
import time
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support import ondisk
from tests.support.daemonprocess import DaemonProcess, eventually
from tests.support.mqttfaults import Publisher, disturb
from tests.support.mqttplugin import publish_each
from tests.support.proxy import Proxy
from tests.support.servers import mosquitto
from tests.support.source import value_of

pytestmark = pytest.mark.slow  # daemons and brokers start and are killed

SEED: Final = int(os.environ.get("INGESTD_TEST_SEED") or secrets.randbelow(1_000_000))
KILLS: Final = 8
FOR_EACH: Final = 50  # messages
CONFIG: Final = {
    "name": "Total",
    "unit_of_measurement": "kWh",
    "state_topic": "site/meter",
    "value_template": "{{ value_json.v }}",
    "device": {"name": "Meter"},
}


async def test_no_value_is_lost_before_its_description_comes(
    daemon: DaemonProcess, tmp_path: Path
) -> None:
    """What waits at the broker is read by what was described before the kill, or waits on."""
    chance = random.Random(SEED)
    print(f"INGESTD_TEST_SEED={SEED}")  # noqa: T201 -- to repeat what failed
    with mosquitto(tmp_path / "broker") as broker, Proxy(broker.port, scheme="mqtt") as proxy:
        config = ("homeassistant/sensor/meter/config", json.dumps(CONFIG))
        await publish_each(broker.url, [config], retain=True)
        params: dict[str, Any] = {"url": proxy.url, "topics": [{"type": "homeassistant"}]}
        daemon.configure(
            stores={"main": {"type": "embedded", "batch": {"linger": "50ms"}}},
            collectors={
                "meter": {
                    "plugin": "mqtt",
                    "params": {**params, "linger": "20ms", "client_id": "ingestd"},
                }
            },
        )
        daemon.start()
        # From now on the broker keeps what it has for us.
        eventually(lambda: "site/meter" in str(ondisk.cursors(daemon.state_dir).get("meter")))
        publisher = Publisher(broker, "site/meter")
        with publisher.publishing():
            for number in range(KILLS):
                publisher.allowed += FOR_EACH
                # These sleeps are the test: they vary the instants.
                time.sleep(chance.uniform(0, 0.3))
                what = ("daemon", "connection", "daemon", "broker")[number % 4]
                print(f"kill {number}: {what}")  # noqa: T201 -- to understand what failed
                disturb(what, daemon, broker, proxy, chance)

        wanted = {value_of(number) for number in range(1, publisher.published + 1)}
        look = ondisk.embedded(daemon.state_dir / "readings.db")

        def stored() -> set[float]:
            found = look().get("Meter_Total_kWh", {})
            return {value for values in found.values() for value in values}

        eventually(lambda: stored() >= wanted, what="all stored")
        daemon.assert_balanced()
        assert daemon.stop() == 0

    assert stored() == wanted
    assert set(look()) == {"Meter_Total_kWh"}
