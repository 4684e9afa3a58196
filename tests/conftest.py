"""Fixtures for all tests; each lives with its topic in tests/support."""

from hypothesis import settings

# No test judges by the wall clock: how long an example takes says how busy the machine is.
settings.register_profile("ingestd", deadline=None)
settings.load_profile("ingestd")

pytest_plugins = [
    "tests.support.archive",
    "tests.support.config",
    "tests.support.daemonprocess",
    "tests.support.cli",
    "tests.support.daemon",
    "tests.support.dcs.fixtures",
    "tests.support.disk",
    "tests.support.influx2",
    "tests.support.plugins",
    "tests.support.servers",
    "tests.support.source",
    "tests.support.workers",
]
