"""Looks after one collector: its ticks, its runs, their points, and the state behind them."""

from ingestd.collecting.collector import Collector, Services
from ingestd.collecting.collectors import Collectors, naming_of, schedule_of
from ingestd.collecting.committer import StateCommitter
from ingestd.collecting.windowrun import WindowRun

__all__ = [
    "Collector",
    "Collectors",
    "Services",
    "StateCommitter",
    "WindowRun",
    "naming_of",
    "schedule_of",
]
