"""From sections of YAML to the typed configuration, with the checks across options.

Pure: `ingestd.config.file` reads the files. Whether params suit their plugin is
for the application to check, which knows the plugins.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, TypedDict

from ingestd.config import catalogue, options
from ingestd.config.catalogue import Catalogue
from ingestd.config.cron import CronExpression
from ingestd.config.findings import Findings
from ingestd.config.model import (
    DIRECT,
    NEVER,
    BatchConfig,
    BufferConfig,
    CatchUp,
    CollectorConfig,
    Config,
    DaemonConfig,
    EmbeddedStore,
    HttpConfig,
    InfluxStore,
    IsolationKind,
    Quota,
    StoreConfig,
    VictoriaStore,
)
from ingestd.config.options import bounded, one_of
from ingestd.config.section import Section
from ingestd.errors import Problem
from ingestd.plugins._times import time_zone
from ingestd.plugins._units import duration, format_duration, size

_CATCH_UP: Final[tuple[CatchUp, ...]] = ("once", "none")
_ISOLATION: Final[tuple[IsolationKind, ...]] = ("process", "thread")
_LEVELS: Final = ("debug", "info", "warning", "error")
_FORMATS: Final = ("auto", "console", "journal", "json")
_WAIT: Final = bounded(duration, "100ms")  # anything shorter is a busy loop
_COUNT: Final = bounded(options.whole, "1")
_DAEMON: Final = DaemonConfig(state_dir=Path())  # for the defaults of these sections
_BUFFER: Final = BufferConfig()
_BATCH: Final = BatchConfig()
_STORE: Final = StoreConfig(name="", type="")
_INFLUX: Final = InfluxStore(name="", url="")
_VICTORIA: Final = VictoriaStore(name="", url="")
_COLLECTOR: Final = CollectorConfig(name="", plugin="")
_HTTP: Final = HttpConfig()
_QUOTA: Final = re.compile(r"\s*([0-9]{1,9})\s+per\s+(\S+)\s*")
# What a quota may name besides durations, in seconds; a month is the longest, which keeps to all.
_EACH: Final = {
    "second": 1.0,
    "minute": 60.0,
    "hour": 3600.0,
    "day": 86_400.0,
    "week": 604_800.0,
    "month": 2_678_400.0,
}
_SCHEDULE_ONLY: Final = ("offset", "jitter", "catch_up")
_V1_ONLY: Final = ("database", "retention_policy", "username", "password", "password_file")
_V2_ONLY: Final = ("org", "bucket", "token", "token_file")


def parse(
    root: Section, findings: Findings, *, state_dir: Path, hosts: Sequence[str] = ()
) -> Config:
    """Build the configuration, noting every problem in the findings.

    Args:
        root: The merged files.
        findings: The one that the section was made with.
        state_dir: The state directory, if the configuration names none.
        hosts: The systems that plugins may have been written for, as ``compat`` has them.
    """
    daemon = _daemon(root.section("daemon"), state_dir)
    collectors = {
        name: _collector(name, section, daemon, hosts)
        for name, section in root.sections("collectors")
    }
    config = Config(
        daemon=daemon,
        stores=_stores(root, daemon.state_dir),
        buffer=_buffer(root.section("buffer")),
        collectors=collectors,
        catalogue=_catalogue(root, findings),
    )
    root.done()
    return config


def _daemon(section: Section, state_dir: Path) -> DaemonConfig:
    config = DaemonConfig(
        state_dir=section.path("state_dir", state_dir),
        listen=section.get("listen", options.listen, _DAEMON.listen),
        token=section.secret("token"),
        timezone=section.get("timezone", time_zone, None),
        not_before=section.get("not_before", options.moment, _DAEMON.not_before),
        not_after=section.get("not_after", duration, _DAEMON.not_after),
        plugin_dirs=tuple(path for path, _ in section.paths("plugin_dirs")),
        watch=section.get("watch", options.flag, _DAEMON.watch),
        grace=section.get("grace", duration, _DAEMON.grace),
        workers=section.get("workers", bounded(_COUNT, "1", "64"), _DAEMON.workers),
        log_level=section.get("log_level", one_of(_LEVELS), _DAEMON.log_level),
        log_format=section.get("log_format", one_of(_FORMATS), _DAEMON.log_format),
    )
    if not options.is_private(config.listen) and not section.has_secret("token"):
        section.problem(
            "expected a loopback address such as 127.0.0.1:8470, or a token: besides this one, "
            f"got {config.listen!r}",
            "listen",
        )
    section.done()
    return config


def _buffer(section: Section) -> BufferConfig:
    config = BufferConfig(
        points=section.get("points", bounded(options.whole, "1000"), _BUFFER.points),
        spool_bytes=section.get("spool", bounded(size, "1MiB"), _BUFFER.spool_bytes),
        spool_age=section.get("spool_age", bounded(duration, "1m"), None),
    )
    section.done()
    return config


def _stores(root: Section, state_dir: Path) -> Mapping[str, StoreConfig]:
    stores: dict[str, StoreConfig] = {}
    files: dict[Path, str] = {}
    for name, section in root.sections("stores"):
        _check_label(name, section)
        kind = section.need("type", one_of(tuple(_STORES)), "")
        if not kind:
            continue
        store = stores[name] = _STORES[kind](name, section, state_dir)
        section.done()
        if isinstance(store, EmbeddedStore):
            other = files.setdefault(store.path, name)
            if other != name:
                section.problem(f"expected a file of its own, got that of {other!r}", "path")
    _check_former_names(root, stores)
    return stores or {"embedded": EmbeddedStore(name="embedded", path=state_dir / "readings.db")}


def _check_former_names(root: Section, stores: Mapping[str, StoreConfig]) -> None:
    """Refuse a former name that a store has now, or that two of them had."""
    taken: dict[str, str] = {}
    for name, section in root.sections("stores"):
        former = stores[name].former if name in stores else None
        if former is None:
            continue
        if former in stores:
            section.problem(f"expected the name of no store, got {former!r}", "former")
        elif (other := taken.setdefault(former, name)) != name:
            section.problem(f"expected another name than that of {other!r}", "former")


class _Common(TypedDict):
    name: str
    batch: BatchConfig
    timeout: float
    retry_max: float
    write_ahead: bool
    former: str | None


def _common(name: str, section: Section) -> _Common:
    return {
        "name": name,
        "batch": _batch(section.section("batch")),
        "timeout": section.get("timeout", _WAIT, _STORE.timeout),
        "retry_max": section.get("retry_max", _WAIT, _STORE.retry_max),
        "write_ahead": section.get("write_ahead", options.flag, _STORE.write_ahead),
        "former": section.get("former", options.label, None),
    }


def _embedded(name: str, section: Section, state_dir: Path) -> StoreConfig:
    return EmbeddedStore(
        **_common(name, section),
        path=section.path("path", state_dir / "readings.db"),
    )


def _influx(name: str, section: Section, _: Path) -> StoreConfig:
    store = InfluxStore(
        **_common(name, section),
        url=section.need("url", options.url, ""),
        version=int(section.get("version", one_of(("1", "2")), "2")),
        org=section.get("org", options.text, None),
        bucket=section.get("bucket", options.text, None),
        token=section.secret("token"),
        database=section.get("database", options.text, None),
        retention_policy=section.get("retention_policy", options.text, None),
        username=section.get("username", options.text, None),
        password=section.secret("password"),
        create=section.get("create", options.flag, _INFLUX.create),
        gzip=section.get("gzip", options.flag, _INFLUX.gzip),
        ca_file=section.path("ca_file", None),
    )
    _check_version(store.version, section)
    return store


def _victoria(name: str, section: Section, _: Path) -> StoreConfig:
    store = VictoriaStore(
        **_common(name, section),
        url=section.need("url", options.url, ""),
        username=section.get("username", options.text, None),
        password=section.secret("password"),
        token=section.secret("token"),
        gzip=section.get("gzip", options.flag, _VICTORIA.gzip),
        ca_file=section.path("ca_file", None),
    )
    if section.has("username") and section.has_secret("token"):
        section.problem("expected either a token or a username and password, got both", "username")
    _check_login(section)
    return store


_STORES: Final[Mapping[str, Callable[[str, Section, Path], StoreConfig]]] = {
    "embedded": _embedded,
    "influxdb": _influx,
    "victoriametrics": _victoria,
}


def _check_version(version: int, section: Section) -> None:
    foreign = _V1_ONLY if version == 2 else _V2_ONLY
    for name in filter(section.has, foreign):
        section.problem(f"not an option of InfluxDB's version {version} API", name)
    for name in ("org", "bucket") if version == 2 else ("database",):
        if not section.has(name):
            section.problem(f"missing, but required for version: {version}", name)
    if version == 2 and not section.has_secret("token"):
        section.problem("missing, but required for version: 2", "token")
    if version == 1:
        _check_login(section)


def _check_login(section: Section) -> None:
    if section.has("username") != section.has_secret("password"):
        section.problem("expected username and password together, got one of them")


def _batch(section: Section) -> BatchConfig:
    batch = BatchConfig(
        points=section.get("points", bounded(_COUNT, "1", "1_000_000"), _BATCH.points),
        bytes=section.get("bytes", bounded(size, "1KiB", "64MiB"), _BATCH.bytes),
        linger=section.get("linger", bounded(duration, "0s", "10m"), _BATCH.linger),
    )
    section.done()
    return batch


def _collector(
    name: str, section: Section, daemon: DaemonConfig, hosts: Sequence[str]
) -> CollectorConfig:
    _check_label(name, section)
    config = CollectorConfig(
        name=name,
        plugin=_plugin(section),
        every=section.get("every", _every, None),
        cron=section.get("cron", CronExpression.parse, None),
        timezone=section.get("timezone", time_zone, None) or daemon.timezone,
        offset=section.get("offset", duration, _COLLECTOR.offset),
        jitter=section.get("jitter", duration, _COLLECTOR.jitter),
        catch_up=section.get("catch_up", one_of(_CATCH_UP), _COLLECTOR.catch_up),
        timeout=section.get("timeout", _WAIT, None),
        memory_limit=section.get("memory_limit", bounded(size, "64MiB"), None),
        isolation=section.get("isolation", one_of(_ISOLATION), None),
        python=section.path("python", None),
        environment=frozenset(section.list_of("environment", options.variable)),
        reads=_places(section, "reads"),
        writes=_places(section, "writes"),
        confined=section.get("confined", options.flag, _COLLECTOR.confined),
        compat=section.get("compat", one_of(hosts), None),
        settings=section.mapping("settings"),
        revisit=section.get("revisit", duration, None),
        revisit_full=section.get("revisit_full", bounded(duration, "1h"), None),
        cadence=section.get("cadence", bounded(duration, "1s"), None),
        not_before=section.get("not_before", options.moment, daemon.not_before),
        not_after=section.get("not_after", duration, daemon.not_after),
        enabled=section.get("enabled", options.flag, _COLLECTOR.enabled),
        measurement=section.get("measurement", options.text, None),
        field=section.get("field", options.field_name, None),
        tags=section.texts("tags", options.tag_name),
        params=section.mapping("params"),
        http=_http(section.section("http")),
        targets=_targets(section.section("targets")),
        where=section.where,
        places=section.places(),
    )
    _check_schedule(config, section)
    if config.isolation == "thread" and section.has("memory_limit"):
        section.problem("a thread has no memory limit; expected isolation: process", "memory_limit")
    if config.isolation == "thread":
        for each in filter(section.has, ("environment", "reads", "writes", "confined")):
            text = "a thread sees all that the daemon sees; expected isolation: process"
            section.problem(text, each)
    _check_python(config, section)
    if not config.confined:
        for each in filter(section.has, ("reads", "writes")):
            section.problem("means nothing with confined: false", each)
    if section.has("settings") and config.compat is None:
        section.problem(f"means nothing without compat: {' or '.join(hosts)}", "settings")
    section.done()
    return config


def _check_python(config: CollectorConfig, section: Section) -> None:
    if config.isolation == "thread" and section.has("python"):
        text = "a thread runs in the daemon's own interpreter; expected isolation: process"
        section.problem(text, "python")
    if config.compat is not None and section.has("python"):
        text = f"expected none: what compat: {config.compat} gives is in the daemon's interpreter"
        section.problem(text, "python")


def _every(value: str) -> float:
    return NEVER if value == "never" else _WAIT(value)


def _targets(section: Section) -> dict[str, tuple[str, ...]]:
    """Return the projects that runs can be asked for, each with its traces."""
    return {each: tuple(section.list_of(each, options.text)) for each in section.names()}


def _places(section: Section, name: str) -> tuple[Path, ...] | None:
    """Return files and folders; an empty list is one, too."""
    found = tuple(path for path, _ in section.paths(name))
    return found if section.has(name) else None


def _plugin(section: Section) -> str:
    plugin = section.need("plugin", options.text, "")
    if "/" in plugin or plugin.endswith(".py"):
        return str(section.path("plugin", plugin))
    return plugin


def _quota(value: str) -> Quota:
    """Read how many requests there may be in what time, as in ``10 per day`` or ``100 per 15m``."""
    expected = "expected a quota such as 10 per day or 100 per 15m"
    found = _QUOTA.fullmatch(value)
    if not found or not int(found[1]):
        raise ValueError(expected)
    try:
        seconds = _EACH.get(found[2]) or duration(found[2])
    except ValueError:
        raise ValueError(expected) from None
    if not seconds:
        raise ValueError(expected)
    return Quota(int(found[1]), seconds, " ".join(value.split()))


def _http(section: Section) -> HttpConfig:
    http = HttpConfig(
        timeout=section.get("timeout", _WAIT, _HTTP.timeout),
        retries=section.get("retries", bounded(options.whole, "0", "20"), _HTTP.retries),
        rate=section.get("rate", bounded(options.number, "0.001"), None),
        concurrency=section.get("concurrency", _COUNT, _HTTP.concurrency),
        quota=section.get("quota", _quota, None),
        account=section.get("account", options.text, ""),
        ca_file=section.path("ca_file", None),
        server_name=section.get("server_name", options.text, None),
        proxy=section.get("proxy", _proxy, None),
        proxy_username=section.get("proxy_username", options.text, None),
        proxy_password=section.secret("proxy_password"),
    )
    if section.has("proxy_username") and http.proxy in {None, DIRECT}:
        section.problem("means nothing without proxy", "proxy_username")
    if section.has_secret("proxy_password") and not section.has("proxy_username"):
        section.problem("expected proxy_username beside it", "proxy_password")
    section.done()
    return http


def _proxy(value: str) -> str:
    return value if value == DIRECT else options.url(value)


def _check_schedule(config: CollectorConfig, section: Section) -> None:
    if section.has("every") and section.has("cron"):
        section.problem("expected either every or cron, got both", "cron")
    if not section.has("every") and not section.has("cron"):
        for name in filter(section.has, _SCHEDULE_ONLY):
            section.problem("means nothing without every or cron", name)
    for name, value in (("offset", config.offset), ("jitter", config.jitter)):
        if config.every is not None and value >= config.every:
            every = format_duration(config.every)
            section.problem(
                f"expected less than every: {every}, got {format_duration(value)}", name
            )


def _check_label(name: str, section: Section) -> None:
    try:
        options.label(name)
    except ValueError as exc:
        section.problem(f"{exc}, got {name!r:.80}")


def _catalogue(root: Section, findings: Findings) -> Catalogue:
    entries = [catalogue.parse(name, section) for name, section in root.sections("series")]
    for path, where in root.paths("series_file"):
        try:
            text = findings.read(path)
        except ValueError as exc:
            findings.problems.append(Problem(where, "series_file", str(exc)))
            continue
        if not text.strip():  # without it series would be stored under other names
            problem = "the file is empty, expected a line with the names of the columns"
            findings.problems.append(Problem(str(path), "", problem))
        else:
            entries += catalogue.parse_csv(text, str(path), findings.problems)
    return catalogue.build(entries, findings.problems)
