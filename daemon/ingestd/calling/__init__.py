"""Calls a plugin's `run`: on the event loop, in a worker process or in a thread."""

from ingestd.calling.starting import command, environment, request
from ingestd.calling.plugin import Plugin, PluginInfo, check_params
from ingestd.calling.pool import Isolation, Workers
from ingestd.calling.results import Conditions, Given, results
from ingestd.calling.threads import Threads

__all__ = [
    "Conditions",
    "Given",
    "Isolation",
    "Plugin",
    "PluginInfo",
    "Threads",
    "Workers",
    "check_params",
    "command",
    "environment",
    "request",
    "results",
]
