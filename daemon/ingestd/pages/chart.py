"""A chart as SVG: for each column a band from its lowest to its highest value, and a line."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from math import floor, inf, log10
from statistics import median
from typing import Any, Final

import htpy as h

from ingestd.pages.parts import bullets
from ingestd.pages.words import Viewing, number

WIDTH: Final = 720
HEIGHT: Final = 300
LEFT: Final = 64  # for the numbers
BOTTOM: Final = 24  # for the times
TOP: Final = 8
TICKS: Final = 5
LARGEST: Final = sys.float_info.max
GAP: Final = 3.0  # times the usual distance; no line is drawn over it
FEW: Final = 3  # distances between columns that say too little of what is usual
DAY: Final = 86_400.0  # seconds

Column = Mapping[str, float]
_SVG: Final = h.Element("svg")
_PATH: Final = h.Element("path")
_TEXT: Final = h.Element("text")
_CIRCLE: Final = h.Element("circle")


class Scale:
    """From values and times to places in the picture.

    Args:
        columns: What is drawn; at least one.
        start: The left end, in seconds since the Unix epoch.
        end: The right end, likewise.
    """

    def __init__(self, columns: Sequence[Column], start: float, end: float) -> None:
        self.start, self.end = start, end
        low, high = min(each["low"] for each in columns), max(each["high"] for each in columns)
        if low == high:
            room = abs(low) / 10 or 1
            low, high = max(low - room, -LARGEST), min(high + room, LARGEST)
        self.low, self.high = low, high

    def x(self, when: float) -> float:
        """Return how far from the left a time is."""
        return LEFT + (WIDTH - LEFT) * (when - self.start) / (self.end - self.start)

    def y(self, value: float) -> float:
        """Return how far from the top a value is."""
        # In halves, because the difference of two numbers may be beyond the largest.
        part = (self.high / 2 - value / 2) / (self.high / 2 - self.low / 2)
        return TOP + (HEIGHT - TOP - BOTTOM) * part

    def values(self) -> list[float]:
        """Return round values to write beside the picture."""
        rough = (self.high / 2 - self.low / 2) / 2
        size = 10.0 ** floor(log10(rough))
        step = next(size * each for each in (1, 2, 5, 10) if size * each >= rough)
        first = floor(self.low / step) + 1
        found = (step * (first + at) for at in range(TICKS + 1))
        return [each for each in found if self.low <= each <= self.high]


def chart(
    columns: Sequence[Column], *, start: float, end: float, label: str, viewing: Viewing
) -> h.Renderable:
    """Return a chart.

    Args:
        columns: In order, each with ``first``, ``at`` and ``last`` in seconds since the Unix epoch,
            ``low``, ``high``, ``mean`` and ``count``.
        start: The left end, likewise.
        end: The right end.
        label: What it shows, for those who do not see it.
        viewing: In which zone times are written.
    """
    if not columns:
        return h.p(class_="none")["There is nothing in this span."]
    scale = Scale(columns, start, end)
    drawn = _SVG(viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=label, class_="chart")[
        _grid(scale, viewing),
        _PATH(class_="band", d=" ".join(_bands(columns, scale))),
        _PATH(class_="line", d=" ".join(_line(columns, scale))),
        (_dot(each, scale) for each in _lonely(columns)),
    ]
    return h.div(class_="scroll", role="region", aria_label="chart", tabindex="0")[drawn]


def _bands(columns: Sequence[Column], scale: Scale) -> Iterator[str]:
    for each in columns:
        x = scale.x(each["at"])
        yield f"M{x:.1f} {scale.y(each['high']):.1f}V{scale.y(each['low']):.1f}"


def _distances(columns: Sequence[Column]) -> list[float]:
    """Return how far the points of each column are from those of the one before, in seconds."""
    return [right["first"] - left["last"] for left, right in pairwise(columns)]


def _far(columns: Sequence[Column]) -> float:
    """Return from which distance on two columns are no neighbours, in seconds."""
    distances = _distances(columns)
    if len(distances) <= FEW:
        distances += [
            (each["last"] - each["first"]) / (each["count"] - 1)
            for each in columns
            if each["count"] > 1
        ]
    return GAP * median(distances) if distances else 0.0


def _line(columns: Sequence[Column], scale: Scale) -> Iterator[str]:
    far = _far(columns)
    for each, distance in zip(columns, [inf, *_distances(columns)], strict=True):
        pen = "M" if distance > far else "L"
        yield f"{pen}{scale.x(each['at']):.1f} {scale.y(each['mean']):.1f}"


def _lonely(columns: Sequence[Column]) -> Iterator[Column]:
    """Yield those columns that no line would show: nothing is near them."""
    far, distances = _far(columns), [inf, *_distances(columns), inf]
    for each, (left, right) in zip(columns, pairwise(distances), strict=True):
        if min(left, right) > far:
            yield each


def _dot(column: Column, scale: Scale) -> h.Node:
    x, y = scale.x(column["at"]), scale.y(column["mean"])
    return _CIRCLE(class_="dot", cx=f"{x:.1f}", cy=f"{y:.1f}", r="2.5")


def _grid(scale: Scale, viewing: Viewing) -> Iterator[h.Node]:
    for value in scale.values():
        y = scale.y(value)
        yield _PATH(class_="grid", d=f"M{LEFT} {y:.1f}H{WIDTH}")
        yield _TEXT(class_="value", x=str(LEFT - 6), y=f"{y + 4:.1f}")[f"{value:.6g}"]
    for at in range(TICKS):
        when = scale.start + (scale.end - scale.start) * (at + 0.5) / TICKS
        text = _clock(when, scale.end - scale.start, viewing)
        yield _TEXT(class_="time", x=f"{scale.x(when):.1f}", y=str(HEIGHT - 6))[text]


def _clock(when: float, seconds: float, viewing: Viewing) -> str:
    shape = "%H:%M:%S" if seconds < DAY / 24 else "%H:%M" if seconds <= DAY else "%m-%d %H:%M"
    shape = "%Y-%m-%d" if seconds > 30 * DAY else shape
    return f"{datetime.fromtimestamp(when, viewing.zone):{shape}}"


def in_words(columns: Sequence[Mapping[str, Any]]) -> h.Node:
    """Return what the chart shows as numbers."""
    if not columns:
        return None
    low, high = min(each["low"] for each in columns), max(each["high"] for each in columns)
    points = sum(each["count"] for each in columns)
    told = {"lowest": low, "highest": high, "points": points}
    return bullets(f"{name}: {number(value)}" for name, value in told.items())
