"""Calls a plugin's `run`: on the event loop, in a worker process or in a thread."""

from ingestd.calling.access import Access, Protection
from ingestd.calling.coroutines import PluginResult
from ingestd.calling.interpreter import environment_fingerprint, folders_of
from ingestd.calling.options import CallOptions, Isolation
from ingestd.calling.owntime import OwnTime
from ingestd.calling.plugin import Plugin, PluginInfo, check_params
from ingestd.calling.pool import Workers
from ingestd.calling.programs import Order, Program, Programs
from ingestd.calling.results import results
from ingestd.calling.rulesets import Rulesets, confinement
from ingestd.calling.starting import (
    check_request,
    describe_request,
    interpreter_command,
    worker_command,
    worker_environment,
)
from ingestd.calling.threads import Threads

__all__ = [
    "Access",
    "CallOptions",
    "Isolation",
    "Order",
    "OwnTime",
    "Plugin",
    "PluginInfo",
    "PluginResult",
    "Program",
    "Programs",
    "Protection",
    "Rulesets",
    "Threads",
    "Workers",
    "check_params",
    "check_request",
    "confinement",
    "describe_request",
    "environment_fingerprint",
    "folders_of",
    "interpreter_command",
    "results",
    "worker_command",
    "worker_environment",
]
