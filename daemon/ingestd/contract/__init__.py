"""The run-contract: what `run` is called with, and what it may give back."""

from ingestd.contract.authorizing import Authorize, authorize_of
from ingestd.contract.builtins import reading_as_builtins, result_as_builtins, safe_repr
from ingestd.contract.checking import NOTE, Check, check_of, problems_of
from ingestd.contract.functioncontext import FunctionContext
from ingestd.contract.host import Host, HostReadings, RunFacts, unavailable_modules
from ingestd.contract.jsonable import json_text
from ingestd.contract.keepable import check_keepable
from ingestd.contract.memory import Memory, arguments, reconciled, remember, remember_secrets
from ingestd.contract.result import Result, take_apart

__all__ = [
    "NOTE",
    "Authorize",
    "Check",
    "FunctionContext",
    "Host",
    "HostReadings",
    "Memory",
    "Result",
    "RunFacts",
    "arguments",
    "authorize_of",
    "check_keepable",
    "check_of",
    "json_text",
    "problems_of",
    "reading_as_builtins",
    "reconciled",
    "remember",
    "remember_secrets",
    "result_as_builtins",
    "safe_repr",
    "take_apart",
    "unavailable_modules",
]
