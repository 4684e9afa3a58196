"""Looks after one collector: its ticks, its runs, their points, and the state behind them."""

from ingestd.collecting.collector import Collector, Services
from ingestd.collecting.collectors import Collectors, naming_of, schedule_of
from ingestd.collecting.committer import Keeper
from ingestd.collecting.windowrun import WindowRun

__all__ = ["Collector", "Collectors", "Keeper", "Services", "WindowRun", "naming_of", "schedule_of"]
