"""Health: alive while the loop turns, ready between start and stop."""

import asyncio

import pytest

from ingestd.collecting import collector
from tests.support.daemon import DaemonFolder
from tests.support.influx2 import Influx2, answer

STORE = """
    stores:
      main:
        type: influxdb
        url: {url}
        org: campus
        bucket: energy
        token: sesame-street
        batch: {{linger: 10ms}}
"""
STREAM = """
    import asyncio
    async def run(*, n=0, **_):
        while True:
            n += 1
            yield {"readings": [(n, "level", n)], "n": n}
            await asyncio.sleep(0.01)
"""


async def test_a_store_outage_is_neither_dead_nor_unready(
    daemon_folder: DaemonFolder, influx2: Influx2
) -> None:
    """While a store is away, a restart would mend nothing."""
    influx2.always = answer(503)
    daemon_folder.plugin("meter", "def run(**_): return {'readings': [(None, 'level', 1)]}")
    text = STORE.format(url=influx2.url) + "    collectors: {m: {plugin: meter, every: 1h}}\n"
    async with daemon_folder.daemon(text) as it:
        await it.post("collectors/m/run")
        await it.until(lambda: not it.daemon.deliveries.by_store["main"].outage.up)

        assert (await it.ask("GET", "/livez")).status == 200
        assert (await it.ask("GET", "/readyz")).status == 200


async def test_a_full_spool_is_unready(daemon_folder: DaemonFolder, influx2: Influx2) -> None:
    """While collectors with a cursor have to wait, the daemon says which spool is full."""
    influx2.always = answer(503)
    daemon_folder.plugin("stream", STREAM)
    text = STORE.format(url=influx2.url) + "    collectors: {s: {plugin: stream}}\n"
    async with daemon_folder.daemon(text) as it:
        it.daemon.deliveries.by_store["main"].spool.limit_bytes = 1000
        await it.until(lambda: it.daemon.buffer.paused)
        ready = await it.ask("GET", "/readyz")
        verbose = await it.ask("GET", "/readyz?verbose")

        assert ready.status == verbose.status == 503
        assert ready.body == "spool of main: full, collectors with a cursor wait\n"
        assert verbose.body.startswith("started: ok\nrunning: ok\n" + ready.body)
        assert "store main: down\n" in verbose.body
        assert (await it.ask("GET", "/livez")).status == 200


async def test_stopping_is_unready(daemon_folder: DaemonFolder) -> None:
    """As soon as the stop begins, no more work should be sent here."""
    daemon_folder.plugin(
        "slow",
        """
        import asyncio
        async def run(**_):
            await asyncio.sleep(60)
            return {}
        """,
    )
    async with daemon_folder.daemon("collectors: {s: {plugin: slow, every: 1h}}\n") as it:
        asked = asyncio.create_task(it.ask("POST", "/api/v1/collectors/s/run", json={}))
        await it.until(lambda: it.daemon.collectors.by_name["s"].running)
        it.daemon.stop()
        ready = await it.ask("GET", "/readyz")
        live = await it.ask("GET", "/livez")
        refused = [
            await it.ask("POST", path, json={})
            for path in ("/api/v1/collectors/s/run", "/api/v1/reload")
        ]

        assert (ready.status, ready.body) == (503, "running: is stopping\n")
        assert live.status == 200
        assert [each.status for each in refused] == [409, 409]
        assert (await asked).status == 409  # the grace period ended before the run did


async def test_a_stuck_schedule_is_not_alive(
    daemon_folder: DaemonFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A collector that is no longer woken is as bad as a delivery that does not move."""
    monkeypatch.setattr(collector, "OVERSLEPT", -3600.0)
    daemon_folder.plugin("meter", "async def run(**_): return {}\n")
    async with daemon_folder.daemon("collectors: {m: {plugin: meter, every: 1h}}") as it:
        await it.until(lambda: it.daemon.stuck)
        dead = await it.ask("GET", "/livez")

        assert (dead.status, dead.body) == (503, "schedule of m: does not move\n")
        monkeypatch.undo()
        assert (await it.ask("GET", "/livez")).status == 200


async def test_a_stuck_delivery_is_not_alive(daemon_folder: DaemonFolder) -> None:
    """When a delivery does not move any more, only a restart helps, and we say so."""
    async with daemon_folder.daemon("") as it:
        delivery = it.daemon.deliveries.by_store["embedded"]
        delivery.account.in_flight += 1
        delivery.account.moved_at = -1e9
        dead = await it.ask("GET", "/livez")
        alias = await it.ask("GET", "/healthz?verbose")
        delivery.account.in_flight -= 1

        assert (dead.status, dead.body) == (503, "delivery to embedded: does not move\n")
        assert (alias.status, alias.body) == (503, "event loop: ok\n" + dead.body)
        assert (await it.ask("GET", "/livez")).status == 200
