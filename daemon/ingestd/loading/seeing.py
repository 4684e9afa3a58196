"""What a configuration keeps from worker processes, and what it lets each collector's see."""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path

from ingestd.calling import Access, Protection, folders_of
from ingestd.config import DROP_INS, CollectorConfig, Config, EmbeddedStore

OWN_FOLDER = "ingestd"  # a folder of this name has no other purpose than to configure us


def protection_for(config: Config, environ: Mapping[str, str]) -> Protection:
    """Say what a daemon with a configuration keeps from all worker processes."""
    stores = config.stores.values()
    protected = {config.daemon.state_dir, *config.files}
    protected |= {store.path for store in stores if isinstance(store, EmbeddedStore)}
    if config.files:
        folder = config.files[0].parent
        protected.add(folder if folder.name == OWN_FOLDER else folder / DROP_INS)
    if credentials := environ.get("CREDENTIALS_DIRECTORY"):
        protected.add(Path(credentials))
    return Protection(
        withheld=config.secret_variables,
        protected=frozenset(each.absolute() for each in protected),
        code=frozenset(each.absolute() for each in _code(config)),
    )


def _code(config: Config) -> Iterator[Path]:
    """Yield where there is code of plugins that has not come with ingestd."""
    yield from config.daemon.plugin_dirs
    for collector in config.collectors.values():
        if "/" in collector.plugin:  # or else it is a name
            yield Path(collector.plugin)
        if collector.python is not None:  # its packages run with the rights of the collector
            yield from folders_of(collector.python)


def access_for(config: CollectorConfig) -> Access:
    """Say what the worker processes of a collector may see."""
    return Access(config.environment, config.reads, config.writes, config.confined)


def access_by_plugin(config: Config) -> dict[str, Access]:
    """Say what a process that only imports a plugin may see: what any of its collectors may."""
    found: dict[str, Access] = {}
    for each in config.collectors.values():
        before, access = found.get(each.plugin, Access()), access_for(each)
        found[each.plugin] = dataclasses.replace(
            before,
            environment=before.environment | access.environment,
            confined=before.confined and access.confined,
        )
    return found
