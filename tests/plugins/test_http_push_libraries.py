"""The libraries of InfluxDB, unchanged: what they ask before they write, and what they write."""

# Two of the libraries have no types.
# mypy: disable-error-code="no-untyped-call"

import asyncio
import warnings
from typing import Any, Final

import pytest
from influxdb import InfluxDBClient as Client1  # type: ignore[import-untyped]  # ships no types
from influxdb.exceptions import InfluxDBClientError  # type: ignore[import-untyped]  # likewise
from influxdb_client.client.influxdb_client import InfluxDBClient as Client2
from influxdb_client.client.write.point import Point as Point2
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client_3 import InfluxDBClient3, Point

from ingestd.testing import context
from tests.support.pushing import LINE, NOON, Push, pushing

AT: Final = 1_767_225_600
WRITTEN: Final = (AT, "weather_celsius", -3.5, {"site": "roof"})


async def test_influxdb_python_works_unchanged(push: Push) -> None:
    """It asks for the version and makes its database before it writes."""

    def use() -> list[Any]:
        port = int(push.url.rpartition(":")[2])
        client = Client1("127.0.0.1", port, "me", "k", "plant")
        with client:
            asked = [client.ping(), client.create_database("plant"), client.get_list_database()]
            client.create_retention_policy("year", "52w", "1", default=True)
            point = {
                "measurement": "weather",
                "tags": {"site": "roof"},
                "time": AT,
                "fields": {"celsius": -3.5},
            }
            client.write_points([point], time_precision="s")
            with pytest.raises(InfluxDBClientError, match="nothing can be read"):
                client.query("SELECT * FROM weather")
            with pytest.raises(InfluxDBClientError, match="deleted here"):
                client.drop_database("plant")
        return asked

    version, _, databases = await asyncio.to_thread(use)

    assert version.startswith("1.8")
    assert databases == [{"name": "ingestd"}]
    assert push.readings == [WRITTEN]


async def test_influxdb_client_works_unchanged(push: Push) -> None:
    """It asks for health, readiness, version and build before it writes."""

    def use() -> list[Any]:
        with Client2(push.url, token="k", org="-") as client, warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # health is that of old programs
            asked = [client.ping(), client.health(), client.ready(), client.version()]
            write = client.write_api(write_options=SYNCHRONOUS)
            point = Point2("weather").tag("site", "roof").field("celsius", -3.5).time(AT * 10**9)
            write.write("plant", record=point)
            return [*asked, client.build()]

    ping, health, ready, version, build = await asyncio.to_thread(use)

    assert (ping, health.status, ready.status) == (True, "pass", "ready")
    assert ready.started == NOON
    assert version.startswith("1.8")
    assert build == "ingestd"
    assert push.readings == [WRITTEN]


@pytest.mark.parametrize("old_address", [True, False])
async def test_influxdb3_python_works_unchanged(push: Push, *, old_address: bool) -> None:
    """It writes to an address of its own, or to that of the generation before."""

    def use() -> Any:
        with InfluxDBClient3(
            host=push.url, token="k", database="plant", write_use_v2_api=old_address
        ) as client:
            point = Point("weather").tag("site", "roof").field("celsius", -3.5).time(AT * 10**9)
            client.write(point)
            return client.get_server_version()

    version = await asyncio.to_thread(use)

    assert version.startswith("1.8")
    assert push.readings == [WRITTEN]


async def test_telegraf_makes_its_database(push: Push) -> None:
    """It writes the statement into a form."""
    made = await push.post("/query", data={"q": 'CREATE DATABASE "a;b"; SHOW DATABASES'}, key="k")

    assert made.status == 200
    assert '"statement_id": 1' in made.text


@pytest.mark.parametrize(
    ("path", "key", "status"),
    [
        ("/query?q=SHOW+DATABASES", "", 401),
        ("/query?q=SHOW+DATABASES", "wrong", 401),
        ("/query", "k", 400),
        ("/query?q=" + "%22" * 4097, "k", 400),
        ("/query?q=DELETE+FROM+weather", "k", 400),
        ("/ping?verbose=true", "", 200),
        ("/health", "", 200),
    ],
)
async def test_what_changes_nothing_is_answered_and_the_rest_refused(
    push: Push, path: str, key: str, status: int
) -> None:
    """A statement needs a key; whether we are here does not."""
    reply = await push.get(path, key=key)

    assert reply.status == status


async def test_nothing_is_asked_of_us_without_line_protocol() -> None:
    """Where it is not among the formats, only the ping is answered, as ever."""
    async with pushing(store_keys="k", formats="readings") as push:
        replies = [await push.get(path) for path in ("/ping", "/health", "/ready", "/query?q=x")]

    assert [reply.status for reply in replies] == [204, 404, 404, 404]


async def test_health_says_when_no_more_readings_can_wait() -> None:
    """A load balancer sends elsewhere then."""
    async with (
        context() as ctx,
        pushing(ctx, store_keys="k", max_waiting=1, answer_within="1h") as push,
    ):
        ctx.safe.clear()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(push.post("/write", data=LINE, key="k"))
            await push.until(1)
            failing = await push.get("/health")
            ctx.safe.set()
        healthy = await push.get("/health")

    assert (failing.status, healthy.status) == (503, 200)


async def test_a_write_that_must_not_be_partial_is_refused_as_a_whole(push: Push) -> None:
    """Libraries of the third generation may ask for that."""
    body = f"{LINE}\nbad"

    whole = await push.post("/api/v3/write_lp?db=x&accept_partial=false", data=body, key="k")
    stored = list(push.readings)
    partial = await push.post("/api/v3/write_lp?db=x", data=body, key="k")

    assert (whole.status, stored) == (400, [])
    assert (partial.status, len(push.readings)) == (400, 1)
