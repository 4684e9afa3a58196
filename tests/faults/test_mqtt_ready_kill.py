"""Devices of all kinds that ready routes read, with kills of the daemon and of what is between."""

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
from tests.support.readydevices import DEVICES, Device, descriptions, expected, message
from tests.support.servers import mosquitto

pytestmark = pytest.mark.slow  # daemons and brokers start and are killed

SEED: Final = int(os.environ.get("INGESTD_TEST_SEED") or secrets.randbelow(1_000_000))
KILLS: Final = 8
FOR_EACH: Final = 20 * len(DEVICES)  # messages
# Descriptions come with each connection, so a broker that forgets nothing is enough most times.
WHAT: Final = ("daemon", "connection", "daemon", "broker")


async def test_no_value_is_lost_or_wrong(daemon: DaemonProcess, tmp_path: Path) -> None:
    """What waits at the broker is read by what was described before the kill, or waits on."""
    chance = random.Random(SEED)
    print(f"INGESTD_TEST_SEED={SEED}")  # noqa: T201 -- to repeat what failed
    with mosquitto(tmp_path / "broker") as broker, Proxy(broker.port, scheme="mqtt") as proxy:
        await publish_each(broker.url, descriptions(), retain=True)
        configure(daemon, proxy.url)
        daemon.start()
        # From now on the broker keeps what it has for us.
        eventually(lambda: all(each in subscribed(daemon) for each in ("site/meter", "boiler/+/+")))
        publisher = Publisher(broker, message)
        with publisher.publishing():
            for number in range(KILLS):
                publisher.allowed += FOR_EACH
                # These sleeps are the test: they vary the instants.
                time.sleep(chance.uniform(0, 0.3))
                what = WHAT[number % len(WHAT)]
                print(f"kill {number}: {what}")  # noqa: T201 -- to understand what failed
                disturb(what, daemon, broker, proxy, chance)

        wanted = {each.series: expected(each, published=publisher.published) for each in DEVICES}
        look = ondisk.embedded(daemon.state_dir / "readings.db")
        eventually(lambda: all(values(look(), each) >= {*wanted[each].values()} for each in wanted))
        daemon.assert_balanced()
        assert daemon.stop() == 0

    found = look()
    assert set(found) == set(wanted)
    for device in DEVICES:
        assert_right(device, found, wanted[device.series])


def configure(daemon: DaemonProcess, url: str) -> None:
    """Have the daemon read all kinds of devices into the embedded store."""
    params: dict[str, Any] = {"topics": [{"type": each.type} for each in DEVICES], "url": url}
    params |= {"linger": "20ms", "client_id": "ingestd", "timezone": "UTC"}
    daemon.configure(
        stores={"main": {"type": "embedded", "batch": {"linger": "50ms"}}},
        collectors={"devices": {"plugin": "mqtt", "params": params}},
    )


def subscribed(daemon: DaemonProcess) -> str:
    """Return what the broker keeps for the daemon, as the state has it."""
    return str(ondisk.cursors(daemon.state_dir).get("devices"))


def values(found: ondisk.Contents, series: str) -> set[float]:
    """Return all values of a series."""
    return {value for some in found.get(series, {}).values() for value in some}


def assert_right(device: Device, found: ondisk.Contents, wanted: dict[int, float]) -> None:
    """Check that a device has its values and no others, at the times that it says."""
    assert values(found, device.series) == {*wanted.values()}
    if device.dated:
        assert found[device.series] == {at: [value] for at, value in wanted.items()}
