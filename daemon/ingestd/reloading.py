"""Puts one configuration in the place of another: all of it, or nothing.

What may fail is made beforehand and touches nothing. Putting it in place awaits
nothing, so that nobody ever meets half of it, and should a bug interrupt even
that, what there was is put back.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ingestd.backfilling import Backfills
from ingestd.collecting import Collector, Collectors, Services
from ingestd.config import Config, Plan, changes_of
from ingestd.delivery import Buffer, Deliveries, Delivery
from ingestd.logs import Threshold
from ingestd.metrics import Metrics
from ingestd.tasks import Task, Tasks


@dataclass(frozen=True, slots=True)
class Parts:
    """What a change starts, made but not started."""

    deliveries: Sequence[Delivery]
    collectors: Sequence[Collector]


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """Switches from a configuration to the next; its attributes are what that touches."""

    deliveries: Deliveries
    collectors: Collectors
    backfills: Backfills
    buffer: Buffer
    threshold: Threshold
    metrics: Metrics
    tasks: Tasks
    log: Any

    async def make(self, changes: Plan, config: Config, services: Services) -> Parts:
        """Make everything that is new.

        Raises:
            StateError: What a collector remembers cannot be read.
        """
        stores, collectors = changes.stores, changes.collectors
        return Parts(
            [
                self.deliveries.make(config.stores[name], config.buffer)
                for name in (*stores.added, *stores.changed)
            ],
            [
                await self.collectors.make(
                    config.collectors[name], catalogue=config.catalogue, services=services
                )
                for name in (*collectors.added, *collectors.changed)
            ],
        )

    async def over(
        self, changes: Plan, config: Config, parts: Parts, *, former: tuple[Config, Services]
    ) -> None:
        """Put a configuration in place, or the former one back if that does not work."""
        stores, collectors = dict(self.deliveries.by_store), dict(self.collectors.by_name)
        try:
            self.apply(changes, config, parts)
        except Exception:
            undo = Plan(
                stores=changes_of(self.deliveries.by_store, stores),
                collectors=changes_of(self.collectors.by_name, collectors),
                catalogue=changes.catalogue,
                live=changes.live,
            )
            await self._go_back(undo, *former)
            raise

    def apply(self, changes: Plan, config: Config, parts: Parts) -> None:
        """Touch what changed, stores first, so that new collectors find theirs."""
        if "daemon.log_level" in changes.live:  # otherwise the command line may have said another
            self.threshold.level = config.daemon.log_level
        self.collectors.grace = config.daemon.grace
        self.buffer.capacity = config.buffer.points
        self.deliveries.limit(config.buffer)
        for delivery in parts.deliveries:
            self.deliveries.start(delivery)
        for name in changes.stores.removed:
            self.deliveries.remove(name)
        if changes.catalogue:
            self.collectors.rename(config.catalogue)
        for collector in parts.collectors:
            self.collectors.start(collector)
        for name in changes.collectors.removed:
            ended = self.collectors.remove(name)
            self.tasks.start(f"{name}.forget", partial(self._forget, name, ended))
        self.backfills.follow()

    async def _go_back(self, undo: Plan, config: Config, services: Services) -> None:
        try:
            self.apply(undo, config, await self.make(undo, config, services))
        except Exception:  # border: what stopped us on the way may well stop us on the way back
            self.log.exception("the former config could not be put back in place")

    async def _forget(self, name: str, ended: Task | None) -> None:
        """Forget the metrics of a collector once it has ended, unless it came back."""
        if ended is not None:
            await asyncio.wait({ended})
        if name not in self.collectors.by_name:
            self.metrics.forget(name)
