"""Reads the past anew, window by window, and finds the gaps in it."""

from ingestd.backfilling import absent, records
from ingestd.backfilling.absent import Absence, Absences
from ingestd.backfilling.backfill import BackfillServices
from ingestd.backfilling.backfills import Backfills
from ingestd.backfilling.comparing import Compared, compare
from ingestd.backfilling.gaps import SECOND_US, Bounds, Hole, merged
from ingestd.backfilling.records import OVER, BackfillRecord, Status
from ingestd.backfilling.windows import DEFAULT_CHUNK, beyond, too_short

__all__ = [
    "DEFAULT_CHUNK",
    "OVER",
    "SECOND_US",
    "Absence",
    "Absences",
    "BackfillRecord",
    "BackfillServices",
    "Backfills",
    "Bounds",
    "Compared",
    "Hole",
    "Status",
    "absent",
    "beyond",
    "compare",
    "merged",
    "records",
    "too_short",
]
