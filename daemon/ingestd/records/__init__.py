"""What is kept of collectors on disk: their state, their runs and their series."""

from ingestd.records import runs
from ingestd.records.memories import decode, raw_rows
from ingestd.records.runs import RunRecord
from ingestd.records.series import list_series
from ingestd.records.store import Kept, StateStore

__all__ = ["Kept", "RunRecord", "StateStore", "decode", "list_series", "raw_rows", "runs"]
