"""A reading fifty times a second whose value is the time it was made.

Emits ``live``; what arrives at the store tells how long it took.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any


async def run(*, ctx: Any, **_: Any) -> AsyncIterator[dict[str, Any]]:
    """Yield a reading of the monotonic clock, over and over."""
    while not ctx.stopping:
        yield {"readings": [(None, "live", time.monotonic())]}
        await asyncio.sleep(0.02)
