"""Fixtures for all tests; each lives with its topic in tests/support."""

import pytest
from hypothesis import HealthCheck, settings

# No test judges by the wall clock: how long an example takes, or how long it takes to make,
# says how busy the machine is.
settings.register_profile("ingestd", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ingestd")

pytest_plugins = [
    "tests.support.forked",  # before those that import it
    "tests.support.archive",
    "tests.support.config",
    "tests.support.daemonprocess",
    "tests.support.cli",
    "tests.support.commands",
    "tests.support.daemon",
    "tests.support.dcs.fixtures",
    "tests.support.disk",
    "tests.support.growing",
    "tests.support.idletime",
    "tests.support.influx2",
    "tests.support.plugins",
    "tests.support.pythons",
    "tests.support.servers",
    "tests.support.databases",  # behind what it imports
    "tests.support.source",
    "tests.support.workers",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest tests first, so that none is left for one worker when the others are done."""
    items.sort(key=_seconds, reverse=True)


def _seconds(item: pytest.Item) -> float:
    """Return how long a test takes, as far as its mark says; the others stay in random order."""
    return max((float(mark.args[0]) for mark in item.iter_markers("slow") if mark.args), default=0)
