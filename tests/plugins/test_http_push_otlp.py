"""What OpenTelemetry's own SDK sends to the push plugin, in both encodings."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import pytest
from opentelemetry.exporter.otlp.json.http import metric_exporter as as_json
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http import metric_exporter as as_protobuf
from opentelemetry.metrics import Meter
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource

from tests.support.deadline import WITHIN
from tests.support.pushing import Push, pushing

NEVER_MS: Final = 3_600_000
KEY: Final = {"Authorization": "Bearer k"}
BOILER: Final = Resource({"service.name": "boiler", "host.name": "attic"})
TAGS: Final = {"service.name": "boiler", "host.name": "attic"}

Exporter = Callable[..., Any]
BOTH: Final = [
    pytest.param(as_protobuf.OTLPMetricExporter, id="protobuf"),
    pytest.param(as_json.OTLPMetricExporter, id="json"),
]


@contextmanager
def meter(push: Push, exporter: Exporter, **options: Any) -> Iterator[Meter]:
    """Give what measures, and send what it has measured at the end."""
    options = {"headers": KEY, **options}
    exports = exporter(endpoint=f"{push.url}/v1/metrics", **options)
    view = View(instrument_name="powers", aggregation=ExponentialBucketHistogramAggregation())
    reader = PeriodicExportingMetricReader(exports, export_interval_millis=NEVER_MS)
    provider = MeterProvider([reader], resource=BOILER, views=[view], shutdown_on_exit=False)
    try:
        yield provider.get_meter("burner", "1.2")
        assert reader.force_flush()
    finally:
        provider.shutdown()  # which sends all of it once more


async def send(
    push: Push, exporter: Exporter, measure: Callable[[Meter], None], **options: Any
) -> None:
    """Measure, and send that with the SDK, which blocks."""

    def run() -> None:
        with meter(push, exporter, **options) as made:
            measure(made)

    await asyncio.to_thread(run)


def first(push: Push) -> list[tuple[str, float, Mapping[str, str]]]:
    """Return what was sent first: names, values and tags, without those of the resource."""
    return [
        (name, value, {key: text for key, text in tags.items() if key not in TAGS})
        for _, name, value, tags in push.results[0]
    ]


@pytest.mark.parametrize("exporter", BOTH)
async def test_the_sdk_sends_numbers(push: Push, exporter: Exporter) -> None:
    """Attributes of the point and of the resource become tags; those of the SDK itself do not."""

    def measure(made: Meter) -> None:
        made.create_counter("fuel", unit="kg").add(3, {"pump": "b", "stage": 2, "on": True})
        made.create_up_down_counter("queue").add(-2)
        made.create_gauge("burner.temperature").set(71.5)

    await send(push, exporter, measure)

    assert first(push) == [
        ("fuel", 3.0, {"pump": "b", "stage": "2", "on": "true"}),
        ("queue", -2.0, {}),
        ("burner.temperature", 71.5, {}),
    ]
    assert all(TAGS.items() <= tags.items() for *_, tags in push.readings)


@pytest.mark.parametrize("exporter", BOTH)
async def test_the_sdk_sends_histograms(push: Push, exporter: Exporter) -> None:
    """Limits of its own, and those that are powers."""

    def measure(made: Meter) -> None:
        limits = made.create_histogram("h", explicit_bucket_boundaries_advisory=[1, 10])
        powers = made.create_histogram("powers")
        for value in (0.5, 1.0, 100.0):
            limits.record(value)
        for value in (0, 2.0):
            powers.record(value)

    await send(push, exporter, measure)

    found = first(push)
    assert found[:7] == [
        ("h_count", 3.0, {}),
        ("h_sum", 101.5, {}),
        ("h_min", 0.5, {}),
        ("h_max", 100.0, {}),
        ("h_bucket", 2.0, {"le": "1"}),
        ("h_bucket", 2.0, {"le": "10"}),
        ("h_bucket", 3.0, {"le": "+Inf"}),
    ]
    assert found[7:11] == [
        ("powers_count", 2.0, {}),
        ("powers_sum", 2.0, {}),
        ("powers_min", 0.0, {}),
        ("powers_max", 2.0, {}),
    ]
    buckets = [(tags["le"], value) for name, value, tags in found[11:]]
    assert [value for _, value in buckets] == [1.0, 1.0, 2.0, 2.0]
    assert (buckets[0][0], buckets[2][0], buckets[3][0]) == ("0", "2", "+Inf")
    assert 0 < float(buckets[1][0]) < 2


@pytest.mark.parametrize("exporter", BOTH)
async def test_what_counts_since_the_last_time_says_so(push: Push, exporter: Exporter) -> None:
    """Nobody takes a difference for a count."""
    delta = AggregationTemporality.DELTA

    def measure(made: Meter) -> None:
        made.create_counter("fuel").add(3)
        made.create_histogram("h", explicit_bucket_boundaries_advisory=[]).record(2)

    await send(push, exporter, measure, preferred_temporality={Counter: delta, Histogram: delta})

    assert [(name, value) for name, value, _ in first(push)][:3] == [
        ("fuel_delta", 3.0),
        ("h_delta_count", 1.0),
        ("h_delta_sum", 2.0),
    ]


@pytest.mark.parametrize("compression", [Compression.Gzip, Compression.Deflate])
async def test_the_sdk_may_compress(push: Push, compression: Compression) -> None:
    """As HTTP does, with gzip or deflate."""
    await send(
        push,
        as_protobuf.OTLPMetricExporter,
        lambda made: made.create_gauge("g").set(1.5),
        compression=compression,
    )

    assert first(push) == [("g", 1.5, {})]


@pytest.mark.parametrize("exporter", BOTH)
async def test_options_choose_names(exporter: Exporter) -> None:
    """Which attributes become tags is the operator's choice, and so is what they are called."""
    chosen = {
        "resource": {"service.name": "service"},
        "scope": ["otel.scope.name"],
        "names": "underscores",
        "unit_tag": "unit",
    }

    def measure(made: Meter) -> None:
        made.create_gauge("burner.temperature", unit="Cel").set(71.5, {"a.b": "c"})

    async with pushing(otlp=chosen) as push:
        await send(push, exporter, measure)
        ((_, name, value, tags), *_) = push.readings

    assert (name, value) == ("burner_temperature", 71.5)
    assert tags == {"service": "boiler", "otel_scope_name": "burner", "a_b": "c", "unit": "Cel"}


@pytest.mark.slow  # for the five seconds that the SDK is told to wait
async def test_the_sdk_comes_again_until_readings_are_safe() -> None:
    """It waits as long as the answer says, and sends the same again."""
    exporter = as_protobuf.OTLPMetricExporter
    async with pushing(answer_within="500ms") as push:
        push.ctx.safe.clear()
        sent = asyncio.create_task(
            send(push, exporter, lambda made: made.create_gauge("g").set(1.5), timeout=WITHIN)
        )
        await push.logged("request refused")
        push.ctx.safe.set()
        await sent

    assert len(push.results) > 2
    assert push.results[0] == push.results[1]
