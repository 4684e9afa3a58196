"""What to touch when a new configuration takes the place of the running one."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ingestd.config.model import (
    BufferConfig,
    CollectorConfig,
    Config,
    DaemonConfig,
    EmbeddedStore,
    StoreConfig,
)

Options = DaemonConfig | BufferConfig

# These are built into what the daemon opens when it starts.
NEEDS_RESTART: Final = frozenset({"state_dir", "listen", "token", "watch", "workers", "log_format"})
_MOST_NAMED: Final = 8


@dataclass(frozen=True, slots=True)
class Changes:
    """What became of the collectors or the stores, by name."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)

    def describe(self, *, most: int | None = _MOST_NAMED) -> str:
        """Return the changes for people, no more names than that: ``+new ~changed -old``."""
        if not self:
            return "unchanged"
        marked = [
            *(f"+{name}" for name in self.added),
            *(f"~{name}" for name in self.changed),
            *(f"-{name}" for name in self.removed),
        ]
        more = 0 if most is None else len(marked) - most
        return " ".join(marked[:most]) + (f" and {more} more" if more > 0 else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The difference between two configurations, by what has to be done about it.

    Attributes:
        collectors: Only enabled ones count: disabling is removing.
        stores: All of them.
        catalogue: Whether series are named anew; no run has to stop for that.
        live: Options that take effect at once, as ``section.option``.
        restart: Options that take effect when the daemon is restarted.
    """

    collectors: Changes = Changes()
    stores: Changes = Changes()
    catalogue: bool = False
    live: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Return whether anything changed."""
        return bool(self.collectors or self.stores or self.catalogue or self.live or self.restart)

    def describe(self, *, most: int | None = _MOST_NAMED) -> str:
        """Return the plan in one line for people; it holds names only, so no secrets.

        Args:
            most: How many collectors and stores to name, or None for all of them.
        """
        if not self:
            return "nothing changed"
        parts = [
            f"collectors: {self.collectors.describe(most=most)}",
            f"stores: {self.stores.describe(most=most)}",
        ]
        if self.catalogue:
            parts.append("series: changed")
        if self.live:
            parts.append(f"applied: {', '.join(self.live)}")
        if self.restart:
            parts.append(f"needs a restart: {', '.join(self.restart)}")
        return "; ".join(parts)


def plan(old: Config, new: Config) -> Plan:
    """Compare two configurations."""
    daemon = _different(old.daemon, new.daemon)
    buffer = [f"buffer.{name}" for name in _different(old.buffer, new.buffer)]
    return Plan(
        collectors=changes_of(_enabled(old), _enabled(new)),
        stores=changes_of(_stores(old), _stores(new)),
        catalogue=old.catalogue != new.catalogue,
        live=(*(f"daemon.{name}" for name in daemon if name not in NEEDS_RESTART), *buffer),
        restart=tuple(f"daemon.{name}" for name in daemon if name in NEEDS_RESTART),
    )


def until_restart(running: Config, new: Config) -> Config:
    """Return a new configuration with those options of the running one that need a restart.

    Files that a store has in the state directory stay there, whatever else of it changes.
    """
    stays = {name: getattr(running.daemon, name) for name in NEEDS_RESTART}
    daemon = dataclasses.replace(new.daemon, **stays)
    stores = {
        name: dataclasses.replace(store, path=daemon.state_dir / store.path)
        if isinstance(store, EmbeddedStore)
        else store
        for name, store in _stores(new).items()
    }
    return dataclasses.replace(new, daemon=daemon, stores=stores)


def _enabled(config: Config) -> Mapping[str, CollectorConfig]:
    return {name: each for name, each in config.collectors.items() if each.enabled}


def _stores(config: Config) -> Mapping[str, StoreConfig]:
    """Return the stores with files named by their place in the state directory.

    Another state directory needs a restart, and its files wait for that too.
    """
    state_dir = config.daemon.state_dir
    return {
        name: dataclasses.replace(store, path=store.path.relative_to(state_dir))
        if isinstance(store, EmbeddedStore) and store.path.is_relative_to(state_dir)
        else store
        for name, store in config.stores.items()
    }


def changes_of(old: Mapping[str, Any], new: Mapping[str, Any]) -> Changes:
    """Compare what there is with what there should be, by name."""
    both = [name for name in new if name in old]
    return Changes(
        added=tuple(name for name in new if name not in old),
        removed=tuple(name for name in old if name not in new),
        changed=tuple(name for name in both if old[name] != new[name]),
    )


def _different(old: Options, new: Options) -> list[str]:
    """Return the options that are not the same, as they are written in the file."""
    names = (each.name for each in dataclasses.fields(old))
    different = [name for name in names if getattr(old, name) != getattr(new, name)]
    return [name.removesuffix("_bytes") for name in different]
