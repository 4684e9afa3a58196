"""As many readings as the daemon takes: series by the thousand, half-hourly, three decimals.

Emits ``dcs-10000000`` and so on.

Parameters: ``readings`` -- how many in all; ``report`` -- a file that is told when the first
was made, and when all were safe.
State: ``position`` -- how many were given.
"""

import json
import random
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

CHUNK = 5000
START = 1_600_000_200
HALF_HOUR = 1800

random.seed(1)
NAMES = [f"dcs-{10_000_000 + number}" for number in range(1000)]
VALUES = [round(random.uniform(0, 10), 3) for _ in NAMES]


def chunk(position: int) -> list[tuple[int, str, float]]:
    """Return the readings from that position on."""
    first = START + position // len(NAMES) * HALF_HOUR
    return [
        (first + row * HALF_HOUR, name, value)
        for row in range(CHUNK // len(NAMES))
        for name, value in zip(NAMES, VALUES, strict=True)
    ]


async def run(
    *, ctx: Any, readings: int, report: str, position: int = 0, **_: Any
) -> AsyncIterator[dict[str, Any]]:
    """Yield the readings in chunks, and then wait for the end of the daemon."""
    began, cpu = time.monotonic(), time.process_time()
    while position < readings:
        some = chunk(position)
        position += len(some)
        yield {"readings": some, "position": position}
    await ctx.settled()
    said = {"began": began, "cpu": cpu, "safe": time.monotonic()}
    Path(report).with_suffix(".new").write_text(json.dumps(said))
    Path(report).with_suffix(".new").rename(report)
    await ctx.stopping.wait()
