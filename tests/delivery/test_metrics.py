"""The metrics say of every store what its delivery counts."""

from pathlib import Path

from prometheus_client import Metric

from ingestd.delivery.buffer import Buffer
from ingestd.delivery.metrics import OF_STORES, buffer_metrics, store_metrics
from tests.support.influx2 import Influx2, answer
from tests.support.pipeline import influx, points, running, until


def values(families: list[Metric]) -> dict[str, float]:
    """Return what metrics say of the store ``main``."""
    samples = [sample for family in families for sample in family.samples]
    assert all(sample.labels == {"store": "main"} for sample in samples)
    return {sample.name.removeprefix("ingestd_"): sample.value for sample in samples}


async def test_metrics_of_a_store_say_where_its_points_are(server: Influx2, tmp_path: Path) -> None:
    """Two points are stored, one is a dead letter, and three wait in the spool."""
    server.refuse = lambda line: "hates seven" if line.endswith(" 7") else ""
    async with running(tmp_path, {"main": influx(server.url)}) as pipe:
        await pipe.safe(points(1, 2, 7))
        before = values(list(store_metrics(pipe.deliveries)))
        server.always = answer(503, retry_after="60")
        await pipe.safe(points(11, 12, 13))
        families = list(store_metrics(pipe.deliveries))
        holds = pipe.only.spool.holds

    assert before == {
        "points_accepted_total": 3,
        "points_inherited_total": 0,
        "points_stored_total": 2,
        "points_dropped_total": 0,
        "points_in_memory": 0,
        "spool_points": 0,
        "spool_bytes": 0,
        "spool_limit_bytes": 10_000_000,
        "spool_suspect_points": 0,
        "dead_letters": 1,
        "spool_failed": 0,
        "spool_full": 0,
        "store_up": 1,
    }
    assert values(families) == before | {
        "points_accepted_total": 6,
        "spool_points": 3,
        "spool_bytes": holds.size_bytes,
        "spool_oldest_timestamp_seconds": holds.oldest_at,
        "store_up": 0,
    }
    assert [family.type for family in families] == ["counter"] * 4 + ["gauge"] * 10
    assert [family.documentation for family in families] == [each.text for each in OF_STORES]


async def test_a_store_whose_spool_is_not_read_yet_hides_no_other(
    server: Influx2, tmp_path: Path
) -> None:
    """Its sides of the accounting are missing, since they would not add up."""
    async with running(
        tmp_path, {"first": influx(server.url), "second": influx(server.url)}
    ) as pipe:
        await until(lambda: all(each.recovered.is_set() for each in pipe.deliveries.values()))
        pipe.deliveries["first"].recovered.clear()
        families = {each.name: each for each in store_metrics(pipe.deliveries)}

    accepted, up = families["ingestd_points_accepted"], families["ingestd_store_up"]
    assert [each.labels["store"] for each in accepted.samples] == ["second"]
    assert [each.labels["store"] for each in up.samples] == ["first", "second"]


async def test_metrics_of_the_buffer_say_how_full_it_is() -> None:
    """They are gauges without a label."""
    buffer = Buffer(capacity=7)
    buffer.held = 5

    found = [(each.type, each.documentation, each.samples[0]) for each in buffer_metrics(buffer)]

    assert [(kind, text) for kind, text, _ in found] == [
        ("gauge", "Points in memory that are not safe yet."),
        ("gauge", "Most of them."),
    ]
    assert [(sample.name, sample.labels, sample.value) for _, _, sample in found] == [
        ("ingestd_buffer_points", {}, 5),
        ("ingestd_buffer_capacity_points", {}, 7),
    ]
