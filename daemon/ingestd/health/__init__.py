"""Says from facts alone how collectors, series and stores are: one model for all faces."""

from ingestd.health.collector import CollectorFacts, CollectorHealth, judge
from ingestd.health.overview import Overview
from ingestd.health.pace import MARGIN, Pace, PaceKept, allowance
from ingestd.health.quantities import ago, counted, number, size
from ingestd.health.series import KnownSeries, LateSeries, SeriesKey, SeriesWatch
from ingestd.health.states import State, by_trouble
from ingestd.health.summary import StoreFacts, problems, sentence
from ingestd.health.words import span

__all__ = [
    "MARGIN",
    "CollectorFacts",
    "CollectorHealth",
    "KnownSeries",
    "LateSeries",
    "Overview",
    "Pace",
    "PaceKept",
    "SeriesKey",
    "SeriesWatch",
    "State",
    "StoreFacts",
    "ago",
    "allowance",
    "by_trouble",
    "counted",
    "judge",
    "number",
    "problems",
    "sentence",
    "size",
    "span",
]
