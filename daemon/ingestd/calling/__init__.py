"""Calls a plugin's `run`: on the event loop, in a worker process or in a thread."""

from ingestd.calling.coroutines import PluginResult
from ingestd.calling.plugin import Plugin, PluginInfo, check_params
from ingestd.calling.pool import Isolation, Workers
from ingestd.calling.results import CallOptions, results
from ingestd.calling.starting import (
    check_request,
    describe_request,
    worker_command,
    worker_environment,
)
from ingestd.calling.threads import Threads

__all__ = [
    "CallOptions",
    "Isolation",
    "Plugin",
    "PluginInfo",
    "PluginResult",
    "Threads",
    "Workers",
    "check_params",
    "check_request",
    "describe_request",
    "results",
    "worker_command",
    "worker_environment",
]
