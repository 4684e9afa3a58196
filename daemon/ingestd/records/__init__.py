"""What is kept of collectors on disk: their state, their runs and their series."""

from ingestd.records import runs, yamlvalues
from ingestd.records.memories import decode, raw_rows
from ingestd.records.requestids import number_of, request_id
from ingestd.records.runs import FAILED_OUTCOMES, GOOD_OUTCOMES, Outcome, RunRecord
from ingestd.records.series import Named, Paces, list_series, load_paces
from ingestd.records.store import Kept, StateStore

__all__ = [
    "FAILED_OUTCOMES",
    "GOOD_OUTCOMES",
    "Kept",
    "Named",
    "Outcome",
    "Paces",
    "RunRecord",
    "StateStore",
    "decode",
    "list_series",
    "load_paces",
    "number_of",
    "raw_rows",
    "request_id",
    "runs",
    "yamlvalues",
]
