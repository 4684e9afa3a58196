"""A node of Sparkplug B that numbers its metrics anew with each birth, and kills of the daemon."""

import asyncio
import os
import random
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import aiomqtt
import pytest

from tests.support import ondisk
from tests.support import sparkplugedge as spb
from tests.support.daemonprocess import DaemonProcess, eventually
from tests.support.mqttfaults import disturb
from tests.support.proxy import Proxy
from tests.support.servers import mosquitto
from tests.support.sparkplugedge import FIRST_MS, Edge, Metric, connected

pytestmark = pytest.mark.slow  # daemons start and are killed

SEED: Final = int(os.environ.get("INGESTD_TEST_SEED") or secrets.randbelow(1_000_000))
KILLS: Final = 8
WHAT: Final = ("daemon", "connection")
BETWEEN_BIRTHS: Final = 7  # messages of data, so that many a birth is missed


class Renumbering(Edge):
    """A node whose aliases change places with each birth; one metric is even, the other odd."""

    def __init__(self, client: aiomqtt.Client, **_: Any) -> None:
        super().__init__(client, node=(), device=())
        self.number = 0
        self._numbering = 0
        self._turn = asyncio.Lock()  # no data between a birth and what it says

    async def birth(self) -> None:
        """Publish births with other aliases than before."""
        async with self._turn:
            self._numbering += 1
            self.device = self._metrics(named=True)
            await super().birth()

    async def data(self) -> None:
        """Publish the next two values, by their aliases alone."""
        async with self._turn:
            self.number += 2
            await self.send("DDATA", *self._metrics(named=False), device="press")

    def _metrics(self, *, named: bool) -> Sequence[Metric]:
        about: dict[str, Any] = {"datatype": spb.DOUBLE} if named else {}
        return [
            {
                "alias": 1 + (at + self._numbering) % 2,
                "double_value": float(self.number + at),
                "timestamp": FIRST_MS + 1000 * (self.number + at),
                **about,
                **({"name": name} if named else {}),
            }
            for at, name in enumerate(("even", "odd"))
        ]


async def test_no_value_is_that_of_another_metric(daemon: DaemonProcess, tmp_path: Path) -> None:
    """Whatever was missed meanwhile; a node that is asked for its birth says what is what."""
    chance = random.Random(SEED)
    print(f"INGESTD_TEST_SEED={SEED}")  # noqa: T201 -- to repeat what failed
    with mosquitto(tmp_path / "broker") as broker, Proxy(broker.port, scheme="mqtt") as proxy:
        params = {"url": proxy.url, "topics": [{"type": "sparkplug"}], "linger": "20ms"}
        daemon.configure(
            stores={"main": {"type": "embedded", "batch": {"linger": "50ms"}}},
            collectors={"plant": {"plugin": "mqtt", "params": {**params, "client_id": "ingestd"}}},
        )
        daemon.start()
        async with connected(broker.url, Renumbering) as node:
            publishing = asyncio.create_task(publish(node))
            for number in range(KILLS):
                # These sleeps are the test: they vary the instants.
                await asyncio.sleep(chance.uniform(0, 0.4))
                await asyncio.to_thread(
                    disturb, WHAT[number % len(WHAT)], daemon, broker, proxy, chance
                )
            last, births = node.number, node.births
            look = ondisk.embedded(daemon.state_dir / "readings.db")
            await asyncio.to_thread(
                eventually, lambda: max(values(look(), "odd"), default=0) > last, what="goes on"
            )
            publishing.cancel()
        assert daemon.stop() == 0

    for name, rest in (("even", 0), ("odd", 1)):
        found = look()[f"plant/line1/press/{name}"]
        assert {value % 2 for some in found.values() for value in some} == {rest}
        assert found == {at: [at / 1e6 - FIRST_MS / 1000] for at in found}
    assert births > 2


async def publish(node: Renumbering) -> None:
    """Publish values, and now and then a birth, until cancelled."""
    while True:
        await node.birth()
        for _ in range(BETWEEN_BIRTHS):
            await node.data()
            await asyncio.sleep(0.01)


def values(found: ondisk.Contents, name: str) -> set[float]:
    """Return all values of a metric."""
    series = found.get(f"plant/line1/press/{name}", {})
    return {value for some in series.values() for value in some}
