"""Runs that are asked for, apart from any schedule: kept until they have ended, told by number."""

from ingestd.records import number_of
from ingestd.requesting import records
from ingestd.requesting.asking import RunRequest, digest_of, single
from ingestd.requesting.queue import RequestServices
from ingestd.requesting.records import OVER, RequestedRun, RequestStatus, Selection
from ingestd.requesting.requests import Asked, Requests
from ingestd.requesting.shown import RequestedRunJson, RunResultJson, as_json
from ingestd.requesting.targets import Target, all_of

__all__ = [
    "OVER",
    "Asked",
    "RequestServices",
    "RequestStatus",
    "RequestedRun",
    "RequestedRunJson",
    "Requests",
    "RunRequest",
    "RunResultJson",
    "Selection",
    "Target",
    "all_of",
    "as_json",
    "digest_of",
    "number_of",
    "records",
    "single",
]
