"""Fixtures for all tests; each lives with its topic in tests/support."""

pytest_plugins = [
    "tests.support.disk",
    "tests.support.servers",
]
