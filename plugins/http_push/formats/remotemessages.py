"""What Prometheus sends, version 1 and 2: the tables of its messages, and what is read of them.

Labels of version 1 are told as bytes, because most are those of a request before. Series are, too,
and taken apart one at a time, because a sample of two bytes becomes an object of a hundred.
"""

from collections.abc import Iterator, Mapping
from itertools import accumulate, chain
from typing import Any, Final

from ingestd.plugins._protobuf import Tables, classes

from .histograms import Bucket, between, exponential

SAMPLE: Final = {"value": (1, "double"), "timestamp": (2, "int64")}
SPAN: Final = {"offset": (1, "sint32"), "length": (2, "uint32")}
HISTOGRAM: Final = {
    "count_int": (1, "uint64"),
    "count_float": (2, "double"),
    "sum": (3, "double"),
    "schema": (4, "sint32"),
    "zero_threshold": (5, "double"),
    "zero_count_int": (6, "uint64"),
    "zero_count_float": (7, "double"),
    "negative_spans": (8, "repeated Span"),
    "negative_deltas": (9, "repeated sint64"),
    "negative_counts": (10, "repeated double"),
    "positive_spans": (11, "repeated Span"),
    "positive_deltas": (12, "repeated sint64"),
    "positive_counts": (13, "repeated double"),
    "timestamp": (15, "int64"),
    "custom_values": (16, "repeated double"),
}
COMMON: Final[Tables] = {"Sample": SAMPLE, "Span": SPAN, "Histogram": HISTOGRAM}
VERSION_1: Final[Tables] = {
    **COMMON,
    "Label": {"name": (1, "string"), "value": (2, "string")},
    "TimeSeries": {
        "labels": (1, "repeated bytes"),
        "samples": (2, "repeated Sample"),
        "histograms": (4, "repeated Histogram"),
    },
    "WriteRequest": {"timeseries": (1, "repeated bytes"), "metadata": (3, "repeated bytes")},
}
VERSION_2: Final[Tables] = {
    **COMMON,
    "TimeSeries": {
        "labels_refs": (1, "repeated uint32"),
        "samples": (2, "repeated Sample"),
        "histograms": (3, "repeated Histogram"),
    },
    "Request": {"symbols": (4, "repeated string"), "timeseries": (5, "repeated bytes")},
}
CUSTOM: Final = -53  # the schema of histograms whose limits are told


def version_1() -> Mapping[str, Any]:
    """Return the classes of version 1."""
    return classes("prometheus", VERSION_1)


def version_2() -> Mapping[str, Any]:
    """Return the classes of version 2."""
    return classes("io.prometheus.write.v2", VERSION_2)


def count_of(histogram: Any) -> float:
    """Return how many values a histogram has; only one of its two counts is not 0."""
    return float(histogram.count_int + histogram.count_float)


def buckets_of(histogram: Any) -> Iterator[Bucket]:
    """Yield the buckets of a histogram.

    Raises:
        ValueError: They make no sense.
        OverflowError: A limit is too large for a float.
    """
    positive = indexed(
        histogram.positive_spans, histogram.positive_deltas, histogram.positive_counts
    )
    if histogram.schema == CUSTOM:
        counts = [0.0] * (len(histogram.custom_values) + 1)
        for at, count in positive:
            if not 0 <= at < len(counts):
                raise ValueError(f"expected a bucket of 0 to {len(counts) - 1}, got {at}")
            counts[at] = count
        return between(histogram.custom_values, counts)
    negative = indexed(
        histogram.negative_spans, histogram.negative_deltas, histogram.negative_counts
    )
    zeros = float(histogram.zero_count_int + histogram.zero_count_float)
    return exponential(
        histogram.schema,
        negative=((at - 1, count) for at, count in negative),  # counted from the far end
        zero=(histogram.zero_threshold, zeros),
        positive=((at - 1, count) for at, count in positive),
    )


def indexed(spans: Any, deltas: Any, counts: Any) -> list[tuple[int, float]]:
    """Return the number of each bucket, and its count, which whole ones tell as differences.

    Raises:
        ValueError: There are more or fewer counts than buckets.
    """
    told = [float(each) for each in counts or accumulate(deltas)]
    if sum(span.length for span in spans) != len(told):
        raise ValueError("expected a count for each bucket, got more or fewer")
    return list(zip(chain.from_iterable(ranges(spans)), told, strict=True))


def ranges(spans: Any) -> Iterator[range]:
    """Yield the numbers of the buckets of each span, whose offset is that from the one before."""
    at = 0
    for span in spans:
        at += span.offset
        yield range(at, at + span.length)
        at += span.length
