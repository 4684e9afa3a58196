"""The configuration, as everything else in the daemon sees it.

Durations are in seconds and sizes in bytes. Secrets take part in comparisons,
because a new token is a new configuration, but never in a ``repr``.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from ingestd.config.catalogue import Catalogue
from ingestd.config.cron import CronExpression
from ingestd.errors import Problem
from ingestd.plugins._limits import NOT_AFTER, NOT_BEFORE
from ingestd.plugins._units import format_duration

CatchUp = Literal["once", "none"]
IsolationKind = Literal["process", "thread"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonConfig:
    """The ``daemon:`` section.

    Attributes:
        state_dir: Where everything that must survive is kept.
        listen: ``host:port``, ``unix:/path`` or ``off``.
        token: What callers of the HTTP API must present, or None.
        timezone: Of collectors that have none of their own.
        not_before: Likewise.
        not_after: Likewise.
        plugin_dirs: Searched for plugins before the ones that are shipped.
        watch: Whether to reload when a file of the configuration changes.
        grace: How long runs may go on after a stop was asked for.
        workers: The most worker processes.
        log_level: The least important messages to show.
        log_format: How to write them.
    """

    state_dir: Path
    listen: str = "127.0.0.1:8470"
    token: str | None = dataclasses.field(default=None, repr=False)
    timezone: ZoneInfo | None = None
    not_before: float = NOT_BEFORE
    not_after: float = NOT_AFTER
    plugin_dirs: tuple[Path, ...] = ()
    watch: bool = False
    grace: float = 20.0
    workers: int = 4
    log_level: str = "info"
    log_format: str = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class BufferConfig:
    """The ``buffer:`` section.

    Attributes:
        points: The most points in memory; collectors wait beyond it.
        spool_bytes: The most bytes on disk that wait for a store, each store by itself.
        spool_age: The longest time a batch waits on disk, or None for no limit.
    """

    points: int = 200_000
    spool_bytes: int = 2 * 2**30
    spool_age: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchConfig:
    """The ``batch:`` section of a store: a batch is sent when any of these is reached.

    Attributes:
        points: How many points.
        bytes: The size of the body before compression.
        linger: How long the first point has waited.
    """

    points: int = 10_000
    bytes: int = 2**20
    linger: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreConfig:
    """What every store under ``stores:`` has.

    Attributes:
        timeout: The longest time for one request.
        retry_max: The longest pause between attempts.
        write_ahead: Whether every batch goes to the spool before it is sent.
        former: The name that it had before, whose spool it takes over; or None.
    """

    name: str
    type: str
    batch: BatchConfig = BatchConfig()
    timeout: float = 30.0
    retry_max: float = 60.0
    write_ahead: bool = False
    former: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedStore(StoreConfig):
    """A store of ``type: embedded``: a file of our own."""

    type: str = "embedded"
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class InfluxStore(StoreConfig):
    """A store of ``type: influxdb``.

    Attributes:
        version: 2 for org, bucket and token; 1 for database, user and password.
        create: Whether to create a missing bucket or database.
        ca_file: Certificates to trust besides the system's.
    """

    type: str = "influxdb"
    url: str
    version: int = 2
    org: str | None = None
    bucket: str | None = None
    token: str | None = dataclasses.field(default=None, repr=False)
    database: str | None = None
    retention_policy: str | None = None
    username: str | None = None
    password: str | None = dataclasses.field(default=None, repr=False)
    create: bool = False
    gzip: bool = True
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VictoriaStore(StoreConfig):
    """A store of ``type: victoriametrics``.

    Attributes:
        ca_file: Certificates to trust besides the system's.
    """

    type: str = "victoriametrics"
    url: str
    username: str | None = None
    password: str | None = dataclasses.field(default=None, repr=False)
    token: str | None = dataclasses.field(default=None, repr=False)
    gzip: bool = True
    ca_file: Path | None = None


DIRECT: Final = "none"  # as a proxy


@dataclass(frozen=True, slots=True)
class Quota:
    """How often a collector may ask.

    Attributes:
        number: The most requests.
        seconds: In how much time.
        text: As the operator wrote it.
    """

    number: int
    seconds: float
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpConfig:
    """The ``http:`` section of a collector: limits of its ``ctx.http``.

    Attributes:
        timeout: The longest time for one request.
        retries: How often a failed request is tried again.
        rate: The most requests in a second, or None for no limit.
        concurrency: The most requests at once.
        quota: The most requests in a longer time, also over restarts, or None for no limit.
        account: Whose requests a server counts, if not those of all collectors; empty for those.
        ca_file: Certificates to trust besides the system's.
        server_name: The name that certificates have to be for, or None for that of the url.
        proxy: The proxy to ask through; ``DIRECT`` for none, None for that of the environment.
        proxy_username: Who we are for that proxy, or None.
        proxy_password: The password for that.
    """

    timeout: float = 30.0
    retries: int = 3
    rate: float | None = None
    concurrency: int = 4
    quota: Quota | None = None
    account: str = ""
    ca_file: Path | None = None
    server_name: str | None = None
    proxy: str | None = None
    proxy_username: str | None = None
    proxy_password: str | None = dataclasses.field(default=None, repr=False)


# What stands for ``every: never``: a century, in seconds, which all that counts ticks can do with.
NEVER: Final = 36_525 * 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectorConfig:
    """One collector under ``collectors:``; without ``every`` and ``cron`` it is a stream.

    Attributes:
        plugin: A name, or the absolute path of a file or package.
        every: The time from one run to the next, ``NEVER``, or None.
        cron: A cron expression, or None.
        timezone: Of the cron expression and of naive datetimes; the daemon's unless
            the collector has its own.
        offset: How much later than the tick every run starts.
        jitter: The most that is added to that, always the same for one collector.
        catch_up: What happens after ticks were missed.
        timeout: The longest time for one run, or None for the default.
        memory_limit: The most memory of a worker process that runs it, or None.
        isolation: Where an ordinary function runs, or None for the default.
        python: The interpreter whose worker processes run it, or None for the daemon's own.
        environment: The variables that its worker process gets beside those that all get.
        reads: The files and folders that it may read, or None for all but the daemon's.
        writes: Those that it may write to, likewise.
        confined: Whether the daemon's files are kept from it.
        compat: The system that the plugin was written for, or None.
        settings: What it finds there in ``django.conf.settings``.
        revisit: How far back every run reads again what it has read before, or None
            for what the plugin thinks right.
        revisit_full: How often everything is read again, or None.
        cadence: How far apart the readings of each series should be, or None.
        not_before: The earliest time of a reading that is believed, in Unix seconds.
        not_after: How far ahead of now the latest is, in seconds.
        targets: What runs can be asked for: project -> its traces.
        where: ``file:line``, for messages.
        places: The same of each option and param, by its dotted path.
    """

    name: str
    plugin: str
    every: float | None = None
    cron: CronExpression | None = None
    timezone: ZoneInfo | None = None
    offset: float = 0.0
    jitter: float = 0.0
    catch_up: CatchUp = "once"
    timeout: float | None = None
    memory_limit: int | None = None
    isolation: IsolationKind | None = None
    python: Path | None = None
    environment: frozenset[str] = frozenset()
    reads: tuple[Path, ...] | None = None
    writes: tuple[Path, ...] | None = None
    confined: bool = True
    compat: str | None = None
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict, repr=False)
    revisit: float | None = None
    revisit_full: float | None = None
    cadence: float | None = None
    not_before: float = -inf
    not_after: float = inf
    enabled: bool = True
    measurement: str | None = None
    field: str | None = None
    tags: Mapping[str, str] = dataclasses.field(default_factory=dict)
    params: Mapping[str, Any] = dataclasses.field(default_factory=dict, repr=False)
    http: HttpConfig = HttpConfig()
    targets: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    where: str = dataclasses.field(default="", compare=False)
    places: Mapping[str, str] = dataclasses.field(default_factory=dict, compare=False, repr=False)

    @property
    def schedule_text(self) -> str:
        """The schedule as it is written: ``every 30s``, ``cron 0 3 * * *`` or ``stream``."""
        if self.on_request:
            return "only when asked"
        if self.every is not None:
            return f"every {format_duration(self.every)}"
        return f"cron {self.cron.text}" if self.cron is not None else "stream"

    @property
    def on_request(self) -> bool:
        """Whether it runs only when it is asked to."""
        return self.every == NEVER

    @property
    def revisits(self) -> Mapping[str, float | None]:
        """The options that go to a plugin that declares them, by name."""
        return {"revisit": self.revisit, "revisit_full": self.revisit_full}


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The whole configuration.

    Attributes:
        secrets: Every value in it that must not be shown.
        secret_variables: The environment variables that some of them came from.
        unchecked: What could not be looked at here, because only the service knows it.
        files: All that were read, so that they can be watched.
    """

    daemon: DaemonConfig
    stores: Mapping[str, StoreConfig]
    buffer: BufferConfig = BufferConfig()
    collectors: Mapping[str, CollectorConfig] = dataclasses.field(default_factory=dict)
    catalogue: Catalogue = dataclasses.field(default_factory=Catalogue)
    secrets: frozenset[str] = dataclasses.field(default=frozenset(), repr=False)
    secret_variables: frozenset[str] = dataclasses.field(default=frozenset(), repr=False)
    unchecked: tuple[Problem, ...] = dataclasses.field(default=(), compare=False)
    files: tuple[Path, ...] = ()
