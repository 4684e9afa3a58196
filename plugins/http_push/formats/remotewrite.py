"""Prometheus remote write, version 1 and 2, as Prometheus, Grafana Alloy and vmagent send it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from math import isfinite, isinf, isnan
from typing import Any, Final, NamedTuple

from .extras import Extra
from .histograms import LE, cumulative
from .message import (
    READING_BYTES,
    FormatError,
    Found,
    MediaTypeError,
    Message,
    TooLargeError,
    doubt_of,
)
from .remotemessages import buckets_of, count_of, version_1, version_2
from .remoteseries import KnownSeries, Label, Series

REMOTE_WRITE: Final = Extra("remote_write", {"google.protobuf": "protobuf", "cramjam": "cramjam"})
SNAPPY: Final = "snappy"
PROTOBUF: Final = "application/x-protobuf"
FIRST: Final = "prometheus.WriteRequest"
SECOND: Final = "io.prometheus.write.v2.Request"
MILLISECONDS: Final = 1e3
MOST_OF_A_SERIES: Final = 512 * 1024  # bytes: 25,000 samples
SAMPLES: Final = "Samples"
HISTOGRAMS: Final = "Histograms"


class Told(NamedTuple):
    """What is told of one series.

    Attributes:
        series: Which.
        samples: Its samples.
        histograms: Its native histograms.
    """

    series: Series
    samples: Sequence[Any]
    histograms: Sequence[Any]


def remote_write() -> Callable[[Message], Found]:
    """Return what finds the readings of a request."""
    known_1, known_2 = KnownSeries(), KnownSeries()

    def find(message: Message) -> Found:
        which = proto_in(message)
        body = unpacked(message.document, most_bytes=message.most_bytes)
        if which == FIRST:
            return found_in(first(body, known_1, message), message)
        return found_in(second(body, known_2, message), message)

    return find


def proto_in(message: Message) -> str:
    """Return which message it is said to be.

    Raises:
        MediaTypeError: It is none that is known.
    """
    told = message.headers.get("Content-Type", PROTOBUF)
    kind, *parameters = (part.strip() for part in told.split(";"))
    proto = FIRST
    for each in parameters:
        name, _, value = each.partition("=")
        if name.strip().lower() == "proto":
            proto = value.strip().strip('"')
    if kind.lower() != PROTOBUF or proto not in {FIRST, SECOND}:
        raise MediaTypeError(
            f"Content-Type: expected {PROTOBUF} with proto={FIRST} or {SECOND}, got {told!r:.120}"
        )
    return proto


def unpacked(body: bytes, *, most_bytes: int) -> bytes:
    """Undo the compression; its first bytes say how large the body becomes.

    Raises:
        FormatError: It is not compressed with snappy.
        TooLargeError: It becomes too large.
    """
    from cramjam import DecompressionError, snappy  # noqa: PLC0415 -- comes with an extra

    try:
        if snappy.decompress_raw_len(body) > most_bytes:
            raise TooLargeError(f"expected a body of at most {most_bytes} bytes when unpacked")
        return bytes(snappy.decompress_raw(body))
    except DecompressionError as error:
        raise FormatError(f"expected a block compressed with snappy: {error!s:.200}") from None


def parsed(kind: Any, body: bytes) -> Any:
    """Return a message.

    Raises:
        FormatError: It is none.
    """
    from google.protobuf.message import DecodeError  # noqa: PLC0415 -- comes with an extra

    message = kind()
    try:
        message.ParseFromString(body)
    except DecodeError as error:
        raise FormatError(f"expected a {message.DESCRIPTOR.full_name}: {error!s:.200}") from None
    return message


def first(body: bytes, known: KnownSeries, message: Message) -> Iterator[Told]:
    """Yield what a request of version 1 tells.

    Raises:
        FormatError: It is none.
        TooLargeError: It would take too much memory.
    """
    kinds = version_1()
    request = parsed(kinds["WriteRequest"], body)
    if body and not request.timeseries and not request.metadata:
        raise FormatError(f"expected a {FIRST}, got a body without any series")
    labels = partial(labels_in, kinds["Label"])
    for each in series_in(request, kinds, message):
        yield Told(known.of(tuple(each.labels), labels), each.samples, each.histograms)


def series_in(request: Any, kinds: Mapping[str, Any], message: Message) -> Iterator[Any]:
    """Yield what is told of each series.

    Raises:
        FormatError: One is none.
        TooLargeError: There are more than could have a reading, or one is too large.
    """
    most = message.most_held // READING_BYTES
    if len(request.timeseries) > most:
        raise TooLargeError(f"expected at most {most} series; send fewer at once")
    for data in request.timeseries:
        if len(data) > MOST_OF_A_SERIES:
            wanted = f"at most {MOST_OF_A_SERIES} bytes of one series"
            raise TooLargeError(f"expected {wanted}, got {len(data)}; send fewer samples at once")
        yield parsed(kinds["TimeSeries"], data)


def labels_in(kind: Any, sent: Sequence[bytes]) -> Iterator[Label]:
    """Yield the labels of version 1.

    Raises:
        FormatError: One is none.
    """
    for each in sent:
        label = parsed(kind, each)
        yield label.name, label.value


def second(body: bytes, known: KnownSeries, message: Message) -> Iterator[Told]:
    """Yield what a request of version 2 tells.

    Raises:
        FormatError: It is none.
        TooLargeError: It would take too much memory.
    """
    kinds = version_2()
    request = parsed(kinds["Request"], body)
    symbols = list(request.symbols)
    if body and not symbols:
        raise FormatError(f"expected a {SECOND}, got a body without any symbols")
    for each in series_in(request, kinds, message):
        try:
            texts = tuple(symbols[at] for at in each.labels_refs)
        except IndexError:
            series = Series("", {}, 0, "expected labels_refs of symbols, got one of none")
        else:
            series = known.of(texts, in_pairs)
        yield Told(series, each.samples, each.histograms)


def in_pairs(texts: Sequence[str]) -> Iterator[Label]:
    """Yield the labels of version 2.

    Raises:
        ValueError: One has no value.
    """
    if len(texts) % 2:
        raise ValueError("expected labels_refs in pairs, got one too many")
    return zip(texts[::2], texts[1::2], strict=True)


def found_in(told: Iterator[Told], message: Message) -> Found:
    """Return the readings of a request.

    Raises:
        FormatError: It is none.
        TooLargeError: The readings take more memory than they may.
    """
    found = Found(counts={SAMPLES: 0, HISTOGRAMS: 0})
    doubts = Doubts(message)
    for series, samples, histograms in told:
        if series.problem:
            found.reject(series.problem, count=len(samples) + len(histograms))
            continue
        take_samples(samples, series, doubts, found)
        for histogram in histograms:
            take_histogram(histogram, series, doubts, found)
        if found.size_bytes > message.most_held:
            wanted = f"readings of at most {message.most_held} bytes"
            raise TooLargeError(f"expected {wanted}; send fewer")
    return found


class Doubts(dict[float, str]):
    """Why times, in Unix seconds, are not believed, or nothing; most of a request are the same.

    Args:
        message: What they are in.
    """

    def __init__(self, message: Message) -> None:
        super().__init__()
        self._message = message

    def __missing__(self, seconds: float) -> str:
        """Look at another time."""
        doubt = self[seconds] = doubt_of(seconds, self._message)
        return doubt


def take_samples(samples: Sequence[Any], series: Series, doubts: Doubts, found: Found) -> None:
    """Add samples of a series to what was found.

    One whose value is not a number says that the series has come to its end, or has no value: it
    counts as written, since nothing of it is left to be stored.
    """
    for sample in samples:
        time, value = sample.timestamp / MILLISECONDS, sample.value
        doubt = doubts[time]
        if not doubt and isfinite(value):
            found.readings.append((time, series.name, value, series.tags))
            found.size_bytes += series.size_bytes
        elif doubt or isinf(value):
            found.reject(f"{series.name}: {doubt or infinite(value)}")
            found.counts[SAMPLES] -= 1
    found.counts[SAMPLES] += len(samples)


def take_histogram(histogram: Any, series: Series, doubts: Doubts, found: Found) -> None:
    """Add a native histogram to what was found, as the series of a classic one."""
    time = histogram.timestamp / MILLISECONDS
    try:
        values = [] if isnan(histogram.sum) else list(values_of(histogram, series))
        problem = doubts[time] or infinite(histogram.sum)
    except (OverflowError, ValueError) as error:
        problem = str(error)
    if problem:
        found.reject(f"{series.name}: {problem}")
        return
    found.counts[HISTOGRAMS] += 1
    for name, value, tags in values:
        found.readings.append((time, name, value, tags))
        found.size_bytes += series.size_bytes


def values_of(histogram: Any, series: Series) -> Iterator[tuple[str, float, Mapping[str, str]]]:
    """Yield the series of a native histogram, and their values.

    Raises:
        ValueError: Its buckets make no sense.
        OverflowError: A limit is too large for a float.
    """
    count = count_of(histogram)
    yield f"{series.name}_count", count, series.tags
    yield f"{series.name}_sum", histogram.sum, series.tags
    for le, below in cumulative(buckets_of(histogram), count):
        yield f"{series.name}_bucket", below, {**series.tags, LE: le}


def infinite(value: float) -> str:
    """Say that a value is infinite, or nothing."""
    return f"expected a finite number, got {value}" if isinf(value) else ""
