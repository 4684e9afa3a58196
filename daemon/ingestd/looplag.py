"""Watches whether the event loop turns: a coroutine that blocks it stops everything else."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final

from ingestd.collecting import Collector
from ingestd.worker import Kind

LOOK: Final = 1.0  # seconds
LATE: Final = 1.0


async def watch(collectors: Mapping[str, Collector], log: Any) -> None:
    """Log when the loop was held up, and by whom that may have been, until cancelled.

    The machine's own clock is used in any case: it is the real loop that is held up.
    """
    while True:
        due = time.monotonic() + LOOK
        await asyncio.sleep(LOOK)
        late = time.monotonic() - due
        if late > LATE:
            names = [name for name, each in collectors.items() if _may_have(each, late)]
            log.warning("event loop was held up", seconds=round(late, 1), collectors=names)


def _may_have(collector: Collector, late: float) -> bool:
    """Whether a collector ran on the loop, or has just ended a run that took so long."""
    last, under_way = collector.last, [collector.running, collector.window]
    if any(run is not None and run.plugin.kind is not Kind.FUNCTION for run in under_way):
        return True
    if collector.running is not None:
        return False
    if last is None or last.seconds < late:
        return False
    return last.started + last.seconds > time.time() - LOOK - late
