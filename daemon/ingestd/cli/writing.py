"""Readings into a store straight from a command, beside a daemon or without one."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import click

from ingestd.cli import show
from ingestd.errors import BodyRejected, BodyTooLarge, StoreUnavailable
from ingestd.model import Point
from ingestd.plugins._backoff import Backoff
from ingestd.sinks import Sink

PATIENCE: Final = 60.0  # seconds that a store may be away
BACKOFF: Final = Backoff(first=0.5, longest=PATIENCE)
REASONS_SHOWN: Final = 5  # reasons


@dataclass(slots=True)
class Written:
    """What has become of points that a command writes.

    Attributes:
        points: How many the store took.
        refused: How many it will never take, by reason.
    """

    points: int = 0
    refused: Counter[str] = field(default_factory=Counter)


async def write(sink: Sink, points: Sequence[Point], written: Written) -> None:
    """Write points; what is refused is halved until the culprits stand alone.

    Raises:
        StoreUnavailable: The store was away for longer than a minute.
    """
    encoded = await asyncio.to_thread(sink.encode, points)
    written.refused.update(reason for _, reason in encoded.refused)
    if encoded.body is None:
        return
    try:
        await _patiently(sink, encoded.body.data)
    except (BodyRejected, BodyTooLarge) as error:
        if len(points) == 1:
            written.refused[str(error)] += 1
            return
        middle = len(points) // 2
        written.refused.subtract(reason for _, reason in encoded.refused)  # they come again
        await write(sink, points[:middle], written)
        await write(sink, points[middle:], written)
    else:
        written.points += encoded.body.points


async def _patiently(sink: Sink, data: bytes) -> None:
    """Write, trying again for a while if the store is away."""
    deadline, failures = time.monotonic() + PATIENCE, 0
    while True:
        try:
            return await sink.write(data)
        except StoreUnavailable as error:
            failures += 1
            wait = max(BACKOFF.pause(failures), error.retry_after or 0.0)
            if time.monotonic() + wait > deadline:
                raise
        await asyncio.sleep(wait)


def tell_reasons(counts: Counter[str], what: str) -> None:
    """Print why readings are missing, with how many, unless there are none."""
    if total := sum(counts.values()):
        click.echo(f"{show.counted(total, 'reading')} {what}:", err=True)
        for reason, count in counts.most_common(REASONS_SHOWN):
            click.echo(f"  {count:,}: {show.visible(reason)}", err=True)
