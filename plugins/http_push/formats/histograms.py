"""Histograms as series: the counts of buckets become those of all that is at most a limit.

Each limit is a series of its own, with the limit as the tag ``le``, as Prometheus has them. The
bucket that has no upper limit is that of ``+Inf``, whose count is that of the whole histogram.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import inf, isinf
from typing import Final

LE: Final = "le"


@dataclass(frozen=True, slots=True)
class Bucket:
    """How many values there are between two limits.

    Attributes:
        lower: The limit that they are above.
        upper: The limit that they do not exceed.
        count: How many.
    """

    lower: float
    upper: float
    count: float


def limit(number: float) -> str:
    """Write a limit as Prometheus does: ``0.5``, ``10``, ``+Inf``."""
    if isinf(number):
        return "+Inf" if number > 0 else "-Inf"
    return repr(number).removesuffix(".0")


def cumulative(buckets: Iterable[Bucket], total: float) -> Iterator[tuple[str, float]]:
    """Yield how many values are at most each limit, the limits rising.

    Args:
        buckets: Those that are told, in the order of their limits; a gap between them is empty, and
            its end is a limit too, or readers would take what lies behind for what lies in it.
        total: How many values there are.

    Raises:
        ValueError: The limits do not rise.
    """
    below, reached = 0.0, -inf
    for bucket in buckets:
        if bucket.upper <= reached:
            raise ValueError(f"expected limits that rise, got {bucket.upper} behind {reached}")
        if bucket.lower > reached:
            yield limit(bucket.lower), below
        below += bucket.count
        reached = bucket.upper
        if reached < inf:
            yield limit(reached), below
    yield limit(inf), total


def between(limits: Sequence[float], counts: Sequence[float]) -> Iterator[Bucket]:
    """Yield the buckets between limits; one bucket more than there are limits.

    Raises:
        ValueError: There are more or fewer.
    """
    if len(counts) != len(limits) + 1:
        raise ValueError(f"expected {len(limits) + 1} buckets, got {len(counts)}")
    edges = [-inf, *limits, inf]
    yield from map(Bucket, edges, edges[1:], counts)


def exponential(
    scale: int,
    *,
    negative: Iterable[tuple[int, float]],
    zero: tuple[float, float],
    positive: Iterable[tuple[int, float]],
) -> Iterator[Bucket]:
    """Yield the buckets of an exponential histogram in which there is something.

    Args:
        scale: Limits are powers of 2 to the power of 2 to the power of minus this.
        negative: The power at the end near zero of each bucket, rising, and its count.
        zero: How far from zero what counts as zero is, and how many there are.
        positive: Likewise, the lower limit.

    Raises:
        OverflowError: A limit is too large for a float.
    """
    step = 2.0**-scale
    for power, count in reversed([each for each in negative if each[1]]):
        yield Bucket(-(2.0 ** ((power + 1) * step)), -(2.0 ** (power * step)), count)
    width, zeros = zero
    if zeros:
        yield Bucket(-width if width else -inf, width, zeros)
    for power, count in positive:
        if count:
            yield Bucket(2.0 ** (power * step), 2.0 ** ((power + 1) * step), count)
