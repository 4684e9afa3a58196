"""What BMON shows its administrators of a script's last run, made of a run's record."""

from datetime import UTC, datetime

from ingestd.contract import RunFacts
from ingestd.plugins._bmonrules import SKIPPED, message


def as_bmon(run: RunFacts) -> dict[str, str | float]:
    """Return the facts of a run under the names that BMON's administrators know.

    There they stand among a script's results, and come back to it as arguments.
    Here they are told of the run and of nothing else.
    """
    started = datetime.fromtimestamp(run.started, UTC)
    shown: dict[str, str | float] = {"script_start_time": f"{started:%Y-%m-%d %H:%M:%S} UTC"}
    # That no reading is usable is a failure here; BMON goes on to count them.
    if run.error and not (run.readings and not run.points):
        return {**shown, "script_error": run.details or run.error}
    shown["script_execution_time"] = round(run.seconds, 2)
    if run.readings:
        unusable = sum(run.unusable.values()) - run.unusable.get(SKIPPED, 0)
        shown["reading_insert_message"] = message(run.points, unusable)
    return shown
