"""Collectors over HTTP: how each is, and running one now."""

import asyncio
import re
import time

from tests.support.daemon import DaemonFolder

TWO = """
    collectors:
      meter: {plugin: meter, every: 1h}
      nightly: {plugin: meter, cron: "30 2 * * *", timezone: UTC, enabled: false}
"""
METER = "def run(*, n=0, **_): return {'readings': [(n + 60, 'level', 1)], 'n': n + 1}"
STREAM = """
    import asyncio
    async def run(*, n=0, **_):
        yield {"readings": [(60, "level", 1), (61, "level", "x")], "n": 1}
        await asyncio.sleep(600)
"""
WAITING = """
    import asyncio, pathlib
    async def run(*, flag, **_):
        while not pathlib.Path(flag).exists():
            await asyncio.sleep(0.01)
        return {}
"""


async def test_the_list_has_every_configured_collector(daemon_folder: DaemonFolder) -> None:
    """Disabled ones are listed too, in the order of the configuration."""
    daemon_folder.plugin("meter", METER)
    async with daemon_folder.daemon(TWO) as it:
        meter, nightly = await it.get("collectors")

        assert meter["schedule"] == "every 1h"
        assert 0 < meter["next_run"] - time.time() <= 3600
        assert meter["where"].endswith("ingestd.yaml:9")
        assert (meter["enabled"], meter["running"], meter["last_run"]) == (True, None, None)
        assert (nightly["name"], nightly["schedule"]) == ("nightly", "cron 30 2 * * *")
        assert (nightly["enabled"], nightly["next_run"]) == (False, None)
        assert await it.get("collectors/nightly") == nightly


async def test_run_now_answers_with_the_record(daemon_folder: DaemonFolder) -> None:
    """The record of the run is the answer, and is in the list of runs from then on."""
    daemon_folder.plugin("meter", METER)
    async with daemon_folder.daemon(TWO) as it:
        first = await it.post("collectors/meter/run")
        second = await it.post("collectors/meter/run")
        meter = await it.get("collectors/meter")

        assert (first["outcome"], first["readings"]) == ("ok", 1)
        assert await it.get("runs", collector="meter") == [second, first]
        assert await it.get("runs", collector="meter", before=second["id"]) == [first]
        assert await it.get("runs", limit=1) == [second]
        assert await it.get(f"runs/{first['id']}") == first
        assert meter["last_run"] == second
        assert meter["last_reading"] == 61


async def test_a_failure_is_told_with_its_traceback(daemon_folder: DaemonFolder) -> None:
    """A run that fails is an answer too, with the traceback but without secrets."""
    daemon_folder.plugin("meter", "def run(*, password): raise OSError(f'{password} is refused')")
    text = "collectors: {m: {plugin: meter, every: 1h, params: {password: open-sesame}}}\n"
    async with daemon_folder.daemon(text) as it:
        record = await it.post("collectors/m/run")
        await it.post("collectors/m/run")
        shown = await it.get("collectors/m")

        assert record["outcome"] == "failed"
        assert "*** is refused" in record["error"]
        assert "Traceback" in record["details"]
        assert "open-sesame" not in str((record, shown))
        assert shown["failures"] == 2
        assert 0 < shown["backing_off_for"] <= 10
        counts = (await it.get("status"))["collectors"]
        assert (counts["total"], counts["running"], counts["failing"]) == (1, 0, 1)
        assert counts["states"] == {"backing_off": 1}


async def test_names_survive_a_secret_that_they_hold(daemon_folder: DaemonFolder) -> None:
    """A password that is also a word does not make the operator's names unusable."""
    daemon_folder.plugin("meter", "def run(*, password): raise OSError(password)")
    text = "collectors: {meter-1: {plugin: meter, every: 1h, params: {password: meter}}}\n"
    async with daemon_folder.daemon(text) as it:
        record = await it.post("collectors/meter-1/run")

        assert record["collector"] == "meter-1"
        assert record["error"].endswith("***")
        assert (await it.get("collectors/meter-1"))["name"] == "meter-1"


async def test_what_cannot_run_is_told(daemon_folder: DaemonFolder) -> None:
    """An unknown collector is not found; a disabled one and a stream cannot be run now."""
    daemon_folder.plugin("meter", METER)
    daemon_folder.plugin("stream", STREAM)
    async with daemon_folder.daemon(TWO + "      river: {plugin: stream}\n") as it:
        statuses = {
            name: (await it.ask("POST", f"/api/v1/collectors/{name}/run", json={})).status
            for name in ("nobody", "nightly", "river")
        }

        assert statuses == {"nobody": 404, "nightly": 409, "river": 409}
        assert (await it.ask("GET", "/api/v1/collectors/nobody")).status == 404
        assert (await it.ask("GET", "/api/v1/runs/99")).status == 404
        assert (await it.ask("GET", "/api/v1/runs/one")).status == 404


async def test_a_run_under_way_is_shown(daemon_folder: DaemonFolder) -> None:
    """A stream that runs for years is seen to, with what it has given so far."""
    daemon_folder.plugin("stream", STREAM)
    before = time.time()
    async with daemon_folder.daemon("collectors: {river: {plugin: stream}}\n") as it:
        river = it.daemon.collectors.by_name["river"]
        await it.until(lambda: river.running and river.running.counts.readings)
        shown = await it.get("collectors/river")
        metrics = (await it.ask("GET", "/metrics")).body

        assert shown["schedule"] == "stream"
        assert shown["running"]["readings"] == 2
        assert before <= shown["running"]["since"] <= time.time()
        assert (shown["next_run"], shown["last_run"], shown["last_reading"]) == (None, None, 60)
        assert 'ingestd_readings_total{collector="river"} 2.0' in metrics
        assert re.search(r'unusable_total{collector="river",reason="[^"]+"} 1.0', metrics)


async def test_a_run_is_asked_for_once(daemon_folder: DaemonFolder) -> None:
    """While a run that was asked for goes on, another is refused rather than queued."""
    daemon_folder.plugin("waiting", WAITING)
    flag = daemon_folder.state_dir.parent / "flag"
    text = f"collectors: {{w: {{plugin: waiting, every: 1h, params: {{flag: {flag}}}}}}}\n"
    async with daemon_folder.daemon(text) as it:
        asked = asyncio.create_task(it.post("collectors/w/run"))
        await it.until(lambda: it.daemon.collectors.by_name["w"].running)
        second = await it.ask("POST", "/api/v1/collectors/w/run", json={})
        flag.touch()

        assert second.status == 409
        assert (await asked)["outcome"] == "ok"
        assert len(await it.get("runs")) == 1


async def test_a_client_that_leaves_does_not_end_the_run(daemon_folder: DaemonFolder) -> None:
    """Who asks for a run may close the connection; the run goes on and is recorded."""
    daemon_folder.plugin("waiting", WAITING)
    flag = daemon_folder.state_dir.parent / "flag"
    text = f"collectors: {{w: {{plugin: waiting, every: 1h, params: {{flag: {flag}}}}}}}\n"
    async with daemon_folder.daemon(text) as it:
        collector = it.daemon.collectors.by_name["w"]
        asked = asyncio.create_task(it.post("collectors/w/run"))
        await it.until(lambda: collector.running)
        asked.cancel()
        await asyncio.wait({asked})
        flag.touch()
        await it.until(lambda: collector.last)

        assert [each["outcome"] for each in await it.get("runs")] == ["ok"]


async def test_the_series_of_a_collector_are_listed(daemon_folder: DaemonFolder) -> None:
    """They are named as the store knows them, and a restart forgets none."""
    daemon_folder.plugin(
        "meter",
        """
        def run(*, name, **_):
            return {"readings": [(60, f"{name}_{tag}", 1, {"tag": tag}) for tag in "ba"]}
        """,
    )
    config = """
        collectors:
          m: {plugin: meter, every: 1h, tags: {site: hall}, params: {name: level}}
          n: {plugin: meter, every: 1h, params: {name: other}}
    """
    async with daemon_folder.daemon(config) as it:
        assert await it.get("collectors/m/series") == []
        await it.post("collectors/m/run")
        await it.post("collectors/n/run")
        found = await it.get("collectors/m/series")
    async with daemon_folder.daemon() as it:
        again = await it.get("collectors/m/series")
        unknown = await it.ask("GET", "/api/v1/collectors/nobody/series")

    assert found == [
        {"series": "level_a", "tags": {"site": "hall", "tag": "a"}},
        {"series": "level_b", "tags": {"site": "hall", "tag": "b"}},
    ]
    assert again == found
    assert unknown.status == 404
