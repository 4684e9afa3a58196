"""The run-contract: what `run` is called with, and what it may give back."""

from ingestd.contract import yamlvalues
from ingestd.contract.functioncontext import FunctionContext
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
    "Memory",
    "Result",
    "arguments",
    "plain_reading",
    "portable",
    "reconciled",
    "remember",
    "remember_secrets",
    "shown",
    "take_apart",
    "yamlvalues",
]
