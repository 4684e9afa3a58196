"""Stores over HTTP: queues, dead letters, and the newest points."""

import time
from collections.abc import AsyncIterator

import pytest
from aiohttp.http import SERVER_SOFTWARE

from tests.support.daemon import DaemonFolder, RunningDaemon
from tests.support.influx2 import Influx2, answer

STORE = """
    stores:
      main:
        type: influxdb
        url: {url}
        org: campus
        bucket: energy
        token: secret
        batch: {{linger: 10ms}}
        retry_max: 1s
    collectors:
      good: {{plugin: meter, every: 1h, params: {{series: level, first: 0}}}}
      bad: {{plugin: meter, every: 1h, params: {{series: bad, first: 0}}}}
"""
METER = """
    def run(*, series, first, **_):
        return {"readings": [(first + n, series, n) for n in range(3)]}
"""


@pytest.fixture
async def it(daemon_folder: DaemonFolder, influx2: Influx2) -> AsyncIterator[RunningDaemon]:
    """Run a daemon whose store refuses the series ``bad``."""
    influx2.make_bucket("energy")
    influx2.refuse = lambda line: "no such sensor" if "series=bad" in line else ""
    daemon_folder.plugin("meter", METER)
    async with daemon_folder.daemon(STORE.format(url=influx2.url)) as running:
        yield running


async def buried(it: RunningDaemon) -> None:
    """Collect three points that are refused and three that are not."""
    dead = it.daemon.deliveries.by_store["main"]
    await it.post("collectors/bad/run")
    await it.post("collectors/good/run")
    await it.until(lambda: (dead.dead.count, dead.account.stored) == (3, 3))


async def test_dead_letters_are_listed_page_by_page(it: RunningDaemon) -> None:
    """Each has its number, payload and reason; a page begins behind the last one."""
    before = time.time()
    await buried(it)
    first, second, third = await it.get("dead-letters")

    assert first["store"] == "main"
    assert first["payload"].startswith("reading,series=bad value=0.0 0")
    assert "no such sensor" in first["reason"]
    assert before <= first["at"] <= time.time()
    assert await it.get("dead-letters", limit=2) == [first, second]
    assert await it.get("dead-letters", after=second["id"], store="main") == [third]
    assert await it.get("dead-letters", store="other") == []


async def test_a_retry_reaches_a_store_that_was_mended(it: RunningDaemon, influx2: Influx2) -> None:
    """What was refused is sent again, and is stored once the store takes it."""
    await buried(it)
    influx2.refuse = lambda _line: ""
    delivery = it.daemon.deliveries.by_store["main"]

    assert await it.post("dead-letters/retry", {"store": "main"}) == {"points": 3}
    await it.until(lambda: delivery.account.stored == 6 and not delivery.spooled)
    assert await it.get("dead-letters") == []
    assert len(influx2.stored["energy"]) == 6
    assert delivery.balance.off_by == 0


async def test_a_retry_that_is_refused_again(it: RunningDaemon) -> None:
    """It comes back under new numbers, and is not tried for ever."""
    await buried(it)
    before = [each["id"] for each in await it.get("dead-letters")]
    delivery = it.daemon.deliveries.by_store["main"]

    body = {"store": "main", "ids": [*before[:2], before[0], 999]}
    assert await it.post("dead-letters/retry", body) == {"points": 2}
    await it.until(lambda: delivery.dead.count == 3 and not delivery.spooled)
    after = [each["id"] for each in await it.get("dead-letters")]
    assert after[0] == before[2]
    assert not set(after[1:]) & set(before)
    assert delivery.balance.off_by == 0


async def test_a_purge_forgets(it: RunningDaemon) -> None:
    """Some, and then all; purged points count as dropped."""
    await buried(it)
    numbers = [each["id"] for each in await it.get("dead-letters")]

    assert await it.post("dead-letters/purge", {"store": "main", "ids": numbers[:1]}) == {
        "points": 1
    }
    assert await it.post("dead-letters/purge", {"store": "other"}) == {"points": 0}
    assert len(await it.get("dead-letters")) == 2
    assert await it.post("dead-letters/purge", {"store": "main", "ids": None}) == {"points": 2}
    assert await it.get("dead-letters") == []
    (store,) = (await it.get("status"))["stores"]
    assert (store["dropped"], store["dead_letters"]) == (3, 0)


async def test_an_unknown_store(it: RunningDaemon) -> None:
    """A retry needs a store that is configured, and says which are."""
    answer = await it.ask("POST", "/api/v1/dead-letters/retry", json={"store": "mian"})

    assert (answer.status, answer.body["detail"]) == (404, "no store 'mian', known: main")
    assert (await it.ask("GET", "/api/v1/latest?store=mian")).status == 404


async def test_an_outage_is_shown(it: RunningDaemon, influx2: Influx2) -> None:
    """While a store is down, its health says why and when it is tried again, without its token."""
    influx2.always = answer(503, "token secret is not for you")
    delivery = it.daemon.deliveries.by_store["main"]
    before = time.time()
    await it.post("collectors/good/run")
    await it.until(lambda: delivery.spooled == 3)
    (store,) = (await it.get("status"))["stores"]
    (spool,) = await it.get("spool")

    assert store["health"] in {"down", "probing"}
    assert "token *** is not for you" in store["error"]
    assert store["retry_in"] <= 1
    assert store["spool"].items() <= spool.items()
    assert (spool["store"], spool["points"], spool["bodies"]) == ("main", 3, 1)
    assert before <= spool["oldest_at"] <= time.time()

    influx2.always = None
    await it.until(lambda: not delivery.spooled)
    (store,) = (await it.get("status"))["stores"]
    assert (store["health"], store["error"], store["retry_in"]) == ("up", "", None)
    assert (await it.get("spool"))[0]["points"] == 0


async def test_who_answers_is_shown_and_what_it_fails_over(
    it: RunningDaemon, influx2: Influx2
) -> None:
    """A reading that is tried again and again would look like any other that waits."""
    delivery = it.daemon.deliveries.by_store["main"]
    influx2.fails_over = lambda lines: any(line.endswith(" 2") for line in lines)
    await it.post("collectors/good/run")
    await it.until(lambda: delivery.sender.suspects.points == 1)

    (store,) = (await it.get("status"))["stores"]
    assert (store["suspect"], store["spool"]["points"]) == (1, 1)
    assert store["identity"] == SERVER_SOFTWARE  # Python/3.x aiohttp/3.x, as the test's server says
    metrics = (await it.ask("GET", "/metrics")).body
    assert 'ingestd_spool_suspect_points{store="main"} 1.0' in metrics


async def test_what_a_former_store_left_is_shown(
    daemon_folder: DaemonFolder, influx2: Influx2
) -> None:
    """A store that was renamed is named as long as something waits for it; it can be purged."""
    influx2.make_bucket("energy")
    influx2.refuse = lambda line: "no such sensor" if "series=bad" in line else ""
    daemon_folder.plugin("meter", METER)
    text = STORE.format(url=influx2.url)
    async with daemon_folder.daemon(text) as it:
        await buried(it)
    async with daemon_folder.daemon(text.replace("main:", "renamed:")) as it:
        renamed, former = (await it.get("status"))["stores"]
        retried = await it.ask("POST", "/api/v1/dead-letters/retry", json={"store": "main"})

        assert (renamed["name"], renamed["dead_letters"]) == ("renamed", 0)
        assert (former["name"], former["dead_letters"], former["health"]) == ("main", 3, None)
        assert former["error"] == "no longer in the configuration"
        assert retried.status == 404
        assert await it.post("dead-letters/purge", {"store": "main"}) == {"points": 3}
        assert len(await it.get("spool")) == 1


async def test_latest_has_the_newest_of_each_series(daemon_folder: DaemonFolder) -> None:
    """It may be asked for by name or glob, has its unit, and is new enough."""
    now = int(time.time())
    daemon_folder.plugin("meter", METER)
    async with daemon_folder.daemon(
        f"""
        series: {{level: {{unit: m}}}}
        stores: {{here: {{type: embedded, batch: {{linger: 10ms}}}}}}
        collectors:
          level: {{plugin: meter, every: 1h, params: {{series: level, first: {now - 10}}}}}
          power: {{plugin: meter, every: 1h, params: {{series: power, first: {now - 7200}}}}}
        """
    ) as it:
        await it.post("collectors/level/run")
        await it.post("collectors/power/run")
        await it.until(lambda: it.daemon.deliveries.by_store["here"].account.stored == 6)
        level, power = await it.get("latest")

        assert 0 <= level.pop("silent") < 60
        assert level == {
            "collector": "level",
            "plugin": "meter",
            "state": "fresh",
            "every": None,
            "series": "level",
            "tags": {},
            "measurement": "reading",
            "field": "value",
            "time": now - 8,
            "value": 2,
            "unit": "m",
        }
        assert (power["series"], power["unit"]) == ("power", "")
        recent = await it.get("latest", within=60)
        assert [each["series"] for each in recent] == ["level"]
        chosen = await it.get("latest", series="pow*", store="here")
        assert [each["series"] for each in chosen] == ["power"]


async def test_latest_begins_with_what_has_died(daemon_folder: DaemonFolder) -> None:
    """However old its last reading is, and whether or not the store was asked for that."""
    two_days_ago = time.time() - 2 * 86_400
    daemon_folder.plugin("meter", METER)
    async with daemon_folder.daemon(
        f"""
        stores: {{here: {{type: embedded, batch: {{linger: 10ms}}}}}}
        collectors:
          alive: {{plugin: meter, every: 1h, params: {{series: a, first: {time.time() - 10}}}}}
          dead: {{plugin: meter, every: 1h, params: {{series: z, first: {two_days_ago}}}}}
        """
    ) as it:
        await it.post("collectors/alive/run")
        await it.post("collectors/dead/run")
        await it.until(lambda: it.daemon.deliveries.by_store["here"].account.stored == 6)
        dead = it.daemon.collectors.by_name["dead"]
        for pace in dead.setup.watch._paces.values():
            pace.moved -= 2 * 86_400  # as if the daemon had been running all the time
        first, second = await it.get("latest")
        status = await it.get("status")

        assert (first["series"], first["state"], first["value"]) == ("z", "late", None)
        assert first["time"] == pytest.approx(two_days_ago + 2)
        assert (second["series"], second["state"]) == ("a", "fresh")
        assert status["summary"] == (
            "1 of 2 collectors needs attention: dead has given nothing for 2d"
        )


async def test_a_store_that_cannot_answer(it: RunningDaemon, influx2: Influx2) -> None:
    """The reason is told as a problem, and not as a bug of the daemon."""
    await influx2.stop()
    answer = await it.ask("GET", "/api/v1/latest")
    await influx2.start()

    assert answer.status == 502
    assert influx2.url in answer.body["detail"]
