"""Puts one configuration in the place of another: all of it, or nothing.

``prepare`` makes what is new; it may fail, and touches nothing. ``commit`` puts that
in place; it is a plain function, so that no other task ever meets half of a
configuration. Should a bug interrupt it even so, ``restore`` puts back what there was.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ingestd.backfilling import Backfills
from ingestd.collecting import Collector, Collectors, Services
from ingestd.config import Config, Plan, changes_of
from ingestd.delivery import Buffer, Deliveries, Delivery
from ingestd.logs import Threshold
from ingestd.metrics import Metrics
from ingestd.requesting import Requests
from ingestd.tasks import Task, Tasks


@dataclass(frozen=True, slots=True)
class Prepared:
    """A configuration that is ready to be put in place.

    Attributes:
        config: What the operator wrote.
        plan: How it differs from what runs.
        deliveries: Those to new and changed stores, made but not started.
        collectors: New and changed ones, made but not started.
    """

    config: Config
    plan: Plan
    deliveries: Sequence[Delivery]
    collectors: Sequence[Collector]


@dataclass(frozen=True, slots=True)
class Running:
    """What runs at one moment, by name."""

    deliveries: Mapping[str, Delivery]
    collectors: Mapping[str, Collector]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reloader:
    """Goes from a configuration to the next; its attributes are what that touches."""

    deliveries: Deliveries
    collectors: Collectors
    backfills: Backfills
    requests: Requests
    buffer: Buffer
    threshold: Threshold
    metrics: Metrics
    tasks: Tasks
    log: Any

    async def prepare(self, config: Config, plan: Plan, services: Services) -> Prepared:
        """Make everything that is new in a configuration.

        Raises:
            StateError: What a collector remembers cannot be read.
        """
        stores, collectors = plan.stores, plan.collectors
        return Prepared(
            config,
            plan,
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

    def commit(self, prepared: Prepared) -> None:
        """Touch what changed, stores first, so that new collectors find theirs."""
        config, plan = prepared.config, prepared.plan
        if "daemon.log_level" in plan.live:  # otherwise the command line may have said another
            self.threshold.level = config.daemon.log_level
        self.collectors.grace = config.daemon.grace
        self.buffer.capacity = config.buffer.points
        self.deliveries.limit(config.buffer)
        staying = self.deliveries.by_store.keys() & config.stores.keys()
        for delivery in prepared.deliveries:
            self.deliveries.start(delivery)
        for name in plan.stores.removed:
            self.deliveries.remove(name, beside=staying)
        self.collectors.leave_removed_stores()
        if plan.catalogue:
            self.collectors.rename(config.catalogue)
        for collector in prepared.collectors:
            self.collectors.start(collector)
        for name in plan.collectors.removed:
            ended = self.collectors.remove(name)
            self.tasks.start(f"{name}.forget", partial(self._forget, name, ended))
        self.backfills.follow()
        self.requests.follow()

    def running(self) -> Running:
        """Note which deliveries and collectors run now, for a restore."""
        return Running(dict(self.deliveries.by_store), dict(self.collectors.by_name))

    async def restore(
        self, running: Running, interrupted: Prepared, config: Config, services: Services
    ) -> None:
        """Put the former configuration back after a commit that was interrupted.

        Args:
            running: What ran before the commit.
            interrupted: What the commit was to put in place.
            config: The former configuration.
            services: What its collectors share.
        """
        undo = Plan(
            stores=changes_of(self.deliveries.by_store, running.deliveries),
            collectors=changes_of(self.collectors.by_name, running.collectors),
            catalogue=interrupted.plan.catalogue,
            live=interrupted.plan.live,
        )
        try:
            self.commit(await self.prepare(config, undo, services))
        except Exception:  # border: what interrupted the commit may interrupt this one, too
            self.log.exception("the former config could not be put back in place")

    async def _forget(self, name: str, ended: Task | None) -> None:
        """Forget a collector, and its metrics, once it has ended, unless it came back."""
        if ended is not None:
            await asyncio.wait({ended})
        if name not in self.collectors.by_name:
            self.metrics.forget(name)
        await self.collectors.forget(name)
