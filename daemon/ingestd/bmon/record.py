"""What BMON shows its administrators of a script's last run, made of a run's record."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ingestd.plugins._bmon import SKIPPED, message

if TYPE_CHECKING:
    from ingestd.records import RunRecord


def as_bmon(record: "RunRecord") -> dict[str, str | float]:
    """Return a record under the names that BMON's administrators know.

    There they stand among a script's results, and come back to it as arguments.
    Here they are told of the run and of nothing else.
    """
    started = datetime.fromtimestamp(record.started, UTC)
    shown: dict[str, str | float] = {"script_start_time": f"{started:%Y-%m-%d %H:%M:%S} UTC"}
    if record.error:
        return {**shown, "script_error": record.details or record.error}
    shown["script_execution_time"] = round(record.seconds, 2)
    if record.readings:
        unusable = sum(record.unusable.values()) - record.unusable.get(SKIPPED, 0)
        shown["reading_insert_message"] = message(record.points, unusable)
    return shown
