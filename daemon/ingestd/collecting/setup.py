"""What the runs of one collector are made of, those on its schedule and those of its backfills."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from ingestd.calling import CallOptions, Isolation, Plugin
from ingestd.collecting.committer import StateCommitter
from ingestd.collecting.points import Naming
from ingestd.collecting.services import Services
from ingestd.config import CollectorConfig
from ingestd.context import LazySession
from ingestd.errors import PluginLoadError
from ingestd.health import SeriesWatch
from ingestd.loading import CurrentPlugin, access_for
from ingestd.logs import OF_PLUGIN
from ingestd.records import RunRecord
from ingestd.worker import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSetup:
    """What every run of one collector is made of.

    Attributes:
        config: What the operator wrote.
        services: What the collector shares with the others.
        committer: What it remembers.
        watch: Its series.
        naming: Returns how its readings become points; a reload may replace that meanwhile.
        current: Its plugin, as the file has it now.
        http: The session of its scheduled runs.
        log: Bound to the collector.
        left_behind: Its runs on the event loop that ignore their cancellation, by the name of
            the turn that they took.
    """

    config: CollectorConfig
    services: Services
    committer: StateCommitter
    watch: SeriesWatch
    naming: Callable[[], Naming]
    current: CurrentPlugin
    http: LazySession
    log: Any
    left_behind: dict[str, set[asyncio.Task[None]]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        config: CollectorConfig,
        *,
        services: Services,
        committer: StateCommitter,
        watch: SeriesWatch,
        naming: Callable[[], Naming],
    ) -> Self:
        """Make what the runs of a collector have in common; the arguments are described above."""
        log = services.log.bind(collector=config.name)
        return cls(
            config=config,
            services=services,
            committer=committer,
            watch=watch,
            naming=naming,
            current=CurrentPlugin(
                config.plugin,
                python=config.python,
                loader=services.loader,
                blocking=services.blocking,
                clock=services.clock,
                log=log,
            ),
            http=LazySession(
                config.http,
                clock=services.clock,
                collector=config.name,
                limits=services.shared.limits,
                timeout=config.timeout,
            ),
            log=log,
        )

    @property
    def stream(self) -> bool:
        """Whether the scheduled run is one that goes on for ever."""
        return self.config.every is None and self.config.cron is None

    async def plugin(self) -> Plugin:
        """Return the plugin as it is now.

        Raises:
            PluginLoadError: It does not load, or is not of the kind that the schedule needs.
        """
        plugin, config = await self.current.get(), self.config
        if self.stream and plugin.kind is not Kind.GENERATOR:
            raise PluginLoadError(
                f"{config.plugin}: expected an async generator, because the collector has "
                f"neither every: nor cron:, got a {plugin.kind.value}"
            )
        return plugin

    def told_by_hosts(self, record: RunRecord) -> dict[str, Mapping[str, str | float]]:
        """Return what each host would show of a run: nothing unless the plugin was made for it."""
        return {
            name: host.told(record) if name == self.config.compat else {}
            for name, host in self.services.hosts.items()
        }

    def call_options(
        self, *, name: str, timeout: float | None, processes: Isolation, log: Any
    ) -> CallOptions:
        """Return how the plugin is to be called.

        Args:
            name: Which turn at the workers the run takes: no two runs of a name go on at a time.
            timeout: The plugin's own time, in seconds, or None for no limit.
            processes: Where an ordinary function runs, unless it needs a thread.
            log: Takes what the plugin logs.
        """
        config, services = self.config, self.services
        host = services.hosts.get(config.compat or "")
        return CallOptions(
            name=name,
            timeout=timeout,
            memory_limit=config.memory_limit,
            isolation=services.threads if config.isolation == "thread" else processes,
            log=log.bind(**{OF_PLUGIN: config.name}),
            host=host and host.configured(config.settings),
            timezone=None if config.timezone is None else config.timezone.key,
            access=access_for(config),
            left_behind=self.left_behind.setdefault(name, set()),
        )
