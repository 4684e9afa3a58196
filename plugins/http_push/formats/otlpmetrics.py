"""One data point of a metric: which series it is of, and its values there.

A metric whose values count since the one before (delta) is another series than one that counts
since the beginning (cumulative): ``_delta`` in its name tells one from the other.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count as counting
from math import isfinite, isnan
from typing import Any, Final

from .histograms import LE, Bucket, between, cumulative, exponential, limit
from .otlpnaming import UnusableError

DELTA: Final = 1
CUMULATIVE: Final = 2
NO_RECORDED_VALUE: Final = 1  # a flag: the series has come to its end
QUANTILE: Final = "quantile"
# What is behind the name of the metric, the value, and a tag of its own.
Value = tuple[str, float, Mapping[str, str]]
NO_TAG: Final[Mapping[str, str]] = {}


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of metric.

    Attributes:
        values: Yields what is in one of its data points.
        has_temporality: Whether it says since when its values count.
    """

    values: Callable[[Any], Iterator[Value]]
    has_temporality: bool = False


def number(point: Any) -> Iterator[Value]:
    """Yield the value of a gauge or a sum."""
    kind = point.WhichOneof("value")
    if kind is None:
        raise UnusableError("expected as_double or as_int, got neither")
    yield "", float(getattr(point, kind)), NO_TAG


def histogram(point: Any) -> Iterator[Value]:
    """Yield what is in a histogram with limits of its own."""
    yield from aggregates(point)
    if point.bucket_counts:
        yield from bucketed(between(point.explicit_bounds, point.bucket_counts), point)


def exponential_histogram(point: Any) -> Iterator[Value]:
    """Yield what is in a histogram whose limits are powers."""
    yield from aggregates(point)
    buckets = exponential(
        point.scale,
        negative=zip(counting(point.negative.offset), point.negative.bucket_counts, strict=False),
        zero=(point.zero_threshold, point.zero_count),
        positive=zip(counting(point.positive.offset), point.positive.bucket_counts, strict=False),
    )
    yield from bucketed(buckets, point)


def summary(point: Any) -> Iterator[Value]:
    """Yield what is in a summary; its quantiles have the metric's own name, as in Prometheus."""
    yield "_count", float(point.count), NO_TAG
    yield "_sum", point.sum, NO_TAG
    for each in point.quantile_values:
        yield "", each.value, {QUANTILE: limit(each.quantile)}


def aggregates(point: Any) -> Iterator[Value]:
    """Yield what a histogram says of all its values together."""
    yield "_count", float(point.count), NO_TAG
    for name in ("sum", "min", "max"):
        if point.HasField(name):
            yield f"_{name}", getattr(point, name), NO_TAG


def bucketed(buckets: Iterator[Bucket], point: Any) -> Iterator[Value]:
    """Yield the buckets of a histogram."""
    for le, below in cumulative(buckets, float(point.count)):
        yield "_bucket", below, {LE: le}


KINDS: Final[Mapping[str, Kind]] = {
    "gauge": Kind(number),
    "sum": Kind(number, has_temporality=True),
    "histogram": Kind(histogram, has_temporality=True),
    "exponential_histogram": Kind(exponential_histogram, has_temporality=True),
    "summary": Kind(summary),
}


def values_of(point: Any, kind: Kind, *, buckets: bool) -> list[Value]:
    """Return the values of a data point; none if it says that it has none.

    Raises:
        UnusableError: One cannot be stored.
    """
    if point.flags & NO_RECORDED_VALUE:
        return []
    try:
        found = [each for each in kind.values(point) if buckets or LE not in each[2]]
    except (OverflowError, ValueError) as error:
        raise UnusableError(str(error)) from None
    wrong = next((value for _, value, _ in found if not isfinite(value) and not isnan(value)), None)
    if wrong is not None:
        raise UnusableError(f"expected finite numbers, got {wrong!r}")
    return [each for each in found if not isnan(each[1])]


def name_of(metric: Any, kind: Kind, data: Any) -> str:
    """Return the name of a metric's series.

    Raises:
        UnusableError: It does not say since when its values count.
    """
    if not kind.has_temporality or data.aggregation_temporality == CUMULATIVE:
        return str(metric.name)
    if data.aggregation_temporality == DELTA:
        return f"{metric.name}_delta"
    raise UnusableError("expected an aggregation_temporality of 1 or 2, delta or cumulative")
