"""The run-contract: what `run` is called with, and what it may give back."""

from ingestd.contract import yamlvalues
from ingestd.contract.functioncontext import FunctionContext
from ingestd.contract.host import Host, HostReadings, RunFacts, unavailable_modules
from ingestd.contract.result import (
    Memory,
    Result,
    arguments,
    plain_reading,
    portable,
    reconciled,
    remember,
    remember_secrets,
    shown,
    take_apart,
)

__all__ = [
    "FunctionContext",
    "Host",
    "HostReadings",
    "Memory",
    "Result",
    "RunFacts",
    "arguments",
    "plain_reading",
    "portable",
    "reconciled",
    "remember",
    "remember_secrets",
    "shown",
    "take_apart",
    "unavailable_modules",
    "yamlvalues",
]
