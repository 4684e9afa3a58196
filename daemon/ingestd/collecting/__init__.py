"""Looks after one collector: its ticks, its runs, their points, and the state behind them."""

from ingestd.collecting.collector import Collector
from ingestd.collecting.collectors import Collectors, naming_of, schedule_of
from ingestd.collecting.committer import StateCommitter
from ingestd.collecting.instants import Past, TimeLimits
from ingestd.collecting.outcomes import OutcomeInto
from ingestd.collecting.points import Conversion, Naming
from ingestd.collecting.report import Report
from ingestd.collecting.run import SLICE, Run, RunCounts
from ingestd.collecting.services import Services
from ingestd.collecting.setup import RunSetup
from ingestd.collecting.vitals import Pulse, Vitals

__all__ = [
    "SLICE",
    "Collector",
    "Collectors",
    "Conversion",
    "Naming",
    "OutcomeInto",
    "Past",
    "Pulse",
    "Report",
    "Run",
    "RunCounts",
    "RunSetup",
    "Services",
    "StateCommitter",
    "TimeLimits",
    "Vitals",
    "naming_of",
    "schedule_of",
]
