"""/metrics: every name is on its page, and the points add up."""

import re
import time
from pathlib import Path
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from tests.support.daemon import DaemonFolder, RunningDaemon
from tests.support.influx2 import Influx2, answer

PAGE: Final = Path(__file__).parents[2] / "docs" / "metrics.md"
STORE: Final = """
    stores:
      main:
        type: influxdb
        url: {url}
        org: campus
        bucket: energy
        token: secret
        batch: {{linger: 10ms}}
        retry_max: 1s
      here: {{type: embedded, batch: {{linger: 10ms}}}}
    collectors:
      meter: {{plugin: meter, every: 1h}}
"""
METER: Final = """
    def run(*, n=0, **_):
        readings = [(n + i, ("bad" if i < 2 else "level"), i) for i in range(5)]
        return {"readings": [*readings, (n, "level", "unusable")], "n": n + 10}
"""


async def scraped(it: RunningDaemon) -> dict[tuple[str, str], float]:
    """Return every sample of a store: (name, store) -> value."""
    text = (await it.ask("GET", "/metrics")).body
    return {
        (sample.name, sample.labels["store"]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if "store" in sample.labels
    }


def difference(found: dict[tuple[str, str], float], store: str) -> float:
    """Return what the accounting identity is off by, in the numbers that were served."""

    def of(name: str) -> float:
        return found[f"ingestd_{name}", store]

    into = of("points_accepted_total") + of("points_inherited_total")
    settled = of("points_stored_total") + of("spool_points") + of("dead_letters")
    return into - settled - of("points_dropped_total") - of("points_in_memory")


async def test_every_metric_is_on_its_page_and_the_other_way_round(
    daemon_folder: DaemonFolder,
) -> None:
    """The list in docs/metrics.md is what is served, with the same kinds."""
    daemon_folder.plugin("meter", METER)
    async with daemon_folder.daemon("collectors: {meter: {plugin: meter, every: 1h}}\n") as it:
        answer = await it.ask("GET", "/metrics")
    served = dict(re.findall(r"^# TYPE (\S+) (\S+)$", answer.body, re.MULTILINE))
    listed = dict(re.findall(r"^\| `(\w+)[`{].*?\| (\w+) \|", PAGE.read_text(), re.MULTILINE))

    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert listed == served


async def test_a_parser_understands_it(daemon_folder: DaemonFolder) -> None:
    """The text is well-formed, and has what every exporter has."""
    async with daemon_folder.daemon("") as it:
        text = (await it.ask("GET", "/metrics")).body
    families = {family.name: family for family in text_string_to_metric_families(text)}

    assert families["ingestd_build_info"].samples[0].value == 1
    assert families["process_resident_memory_bytes"].samples[0].value > 2**20
    assert families["process_start_time_seconds"].samples[0].value > 1e9
    assert not [name for name in families if name.endswith("_created")]


async def test_the_points_add_up(daemon_folder: DaemonFolder, influx2: Influx2) -> None:
    """Accepted and inherited are stored, spooled, dead, dropped or in memory, at every step."""
    influx2.make_bucket("energy")
    influx2.refuse = lambda line: "no such sensor" if "series=bad" in line else ""
    daemon_folder.plugin("meter", METER)
    text = STORE.format(url=influx2.url)
    seen: list[dict[tuple[str, str], float]] = []
    async with daemon_folder.daemon(text) as it:
        delivery, here = (it.daemon.deliveries.by_store[name] for name in ("main", "here"))
        for step in range(4):
            influx2.always = answer(503) if step % 2 else None
            await it.post("collectors/meter/run")
            seen.append(await scraped(it))
            await it.until(
                lambda: (
                    not delivery.in_memory
                    and not here.in_memory
                    and (influx2.always or not delivery.spooled)
                )
            )
            seen.append(await scraped(it))
    async with daemon_folder.daemon(text) as it:
        delivery = it.daemon.deliveries.by_store["main"]
        seen.append(inherited := await scraped(it))  # the first, right after the start
        influx2.always = None
        await it.until(lambda: not delivery.spooled)
        seen.append(await scraped(it))
        await it.post("dead-letters/purge", {"store": "main"})
        seen.append(last := await scraped(it))

    assert [difference(found, store) for found in seen for store in ("main", "here")] == [0] * 22
    assert inherited["ingestd_points_inherited_total", "main"] >= 5
    assert inherited["ingestd_points_inherited_total", "here"] == 0
    assert last["ingestd_points_dropped_total", "main"] == 8
    assert len(influx2.stored["energy"]) == 12


async def test_accounts_wait_until_it_is_known_what_is_on_disk(
    daemon_folder: DaemonFolder,
) -> None:
    """Half of the sum is worse than none; whether the store is up is known before."""
    async with daemon_folder.daemon("stores: {here: {type: embedded}}\n") as it:
        it.daemon.deliveries.by_store["here"].recovered.clear()
        found = await scraped(it)

    assert {name for name, _ in found} == {
        "ingestd_store_up",
        "ingestd_spool_failed",
        "ingestd_spool_full",
        "ingestd_spool_limit_bytes",
        "ingestd_spool_suspect_points",
    }


async def test_metrics_of_a_collector_exist_from_its_start(daemon_folder: DaemonFolder) -> None:
    """They begin with 0 or the time of the start: what is missing raises no alert."""
    daemon_folder.plugin("meter", METER)
    before = time.time()
    async with daemon_folder.daemon(
        "collectors: {meter: {plugin: meter, every: 1h, catch_up: none}}\n"
    ) as it:
        text = (await it.ask("GET", "/metrics")).body
    found = {
        (sample.name, sample.labels.get("state") or sample.labels.get("outcome")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.labels.get("collector") == "meter"
    }

    assert found["ingestd_runs_total", "failed"] == found["ingestd_readings_total", None] == 0
    assert found["ingestd_collector_state", "waiting"] == 1
    assert sum(value for (name, _), value in found.items() if name.endswith("_state")) == 1
    for name in ("newest_reading", "last_success"):
        stamp = found[f"ingestd_collector_{name}_timestamp_seconds", None]
        assert before - 1 <= stamp <= time.time()


async def test_an_outage_shows(daemon_folder: DaemonFolder, influx2: Influx2) -> None:
    """A store that is down, and since when readings wait for it, can be alerted on."""
    influx2.always = answer(503)
    daemon_folder.plugin("meter", METER)
    async with daemon_folder.daemon(STORE.format(url=influx2.url)) as it:
        delivery = it.daemon.deliveries.by_store["main"]
        before = await scraped(it)
        await it.post("collectors/meter/run")
        await it.until(lambda: delivery.spooled == 5)
        down = await scraped(it)

        assert before["ingestd_store_up", "main"] == 1
        assert ("ingestd_spool_oldest_timestamp_seconds", "main") not in before
        assert down["ingestd_store_up", "main"] == 0
        assert down["ingestd_store_up", "here"] == 1
        assert down["ingestd_spool_bytes", "main"] > 0
        assert down["ingestd_spool_oldest_timestamp_seconds", "main"] > 1e9


async def test_a_collector_that_was_removed_has_no_metrics(daemon_folder: DaemonFolder) -> None:
    """After a reload nothing is told of what is no longer configured."""
    daemon_folder.plugin("meter", METER)
    async with daemon_folder.daemon("collectors: {meter: {plugin: meter, every: 1h}}\n") as it:
        await it.post("collectors/meter/run")
        before = (await it.ask("GET", "/metrics")).body
        daemon_folder.config("")
        await it.post("reload")
        await it.until(lambda: not next(iter(it.daemon.metrics.readings.collect())).samples)
        after = (await it.ask("GET", "/metrics")).body

        assert 'collector="meter"' in before
        assert 'ingestd_readings_unusable_total{collector="meter"' in before
        assert 'collector="meter"' not in after
        assert "ingestd_collectors 0.0" in after
