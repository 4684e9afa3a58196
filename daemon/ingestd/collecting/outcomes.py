"""How the end of a run is put into its record: good, failed in some way, cancelled, or a bug."""

import asyncio
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from ingestd.contract import safe_repr
from ingestd.errors import PluginError, RunTimeout
from ingestd.records import Outcome, RunRecord
from ingestd.tasks import is_being_cancelled


@dataclass(slots=True)
class OutcomeInto:
    """A context for a run, which notes why it failed; only a cancellation gets out of it.

    Border: what the plugin gave is looked at in there, and its objects may raise anything.

    Attributes:
        record: Where it is noted.
        log: Told of bugs of ours.
    """

    record: RunRecord
    log: Any

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        """Note what ended the run; return whether that is all there is to do about it."""
        record = self.record
        if isinstance(error, GeneratorExit) or (
            isinstance(error, asyncio.CancelledError) and is_being_cancelled()
        ):
            record.outcome, record.error = Outcome.CANCELLED, "the daemon stopped it"
            return False
        if isinstance(error, PluginError):
            record.outcome = Outcome.TIMEOUT if isinstance(error, RunTimeout) else Outcome.FAILED
            record.error, record.details, record.output = str(error), error.details, error.output
        elif error is not None:
            self.log.error("a run met a bug of the daemon", exc_info=error)
            record.outcome, record.error = Outcome.FAILED, f"bug in the daemon: {safe_repr(error)}"
        return True
