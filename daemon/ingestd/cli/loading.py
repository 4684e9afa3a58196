"""Plugins, found and checked as the daemon would with a configuration."""

import os
import sqlite3
from contextlib import closing

from ingestd.config import Config
from ingestd.disk import open_reader, see_that_it_answers
from ingestd.errors import IngestError
from ingestd.hosts import HOSTS
from ingestd.loading import (
    Loader,
    PluginFindings,
    access_by_plugin,
    check_plugins,
    protection_for,
)
from ingestd.records import decode, raw_rows


def loader_for(config: Config) -> Loader:
    """Return a loader that searches the folders of a configuration."""
    return Loader(
        config.daemon.plugin_dirs,
        protection=protection_for(config, os.environ),
        hosts=HOSTS.values(),
        access=access_by_plugin(config),
    )


def plugin_findings(config: Config) -> PluginFindings:
    """Compare every collector with its plugin, knowing what each remembers."""
    return check_plugins(config, loader_for(config), remembered=_remembered(config))


def _remembered(config: Config) -> dict[str, frozenset[str]] | None:
    """Return which names each collector holds in its state; None if that cannot be read."""
    path = config.daemon.state_dir / "state.db"
    try:
        see_that_it_answers(path.parent)
        if not path.exists():
            return {}
        with closing(open_reader(path)) as db:
            rows = raw_rows(db, None)
            memories = {raw[0].decode(): decode(raw, crc) for _, raw, crc, _ in rows}
    except (
        OSError,
        sqlite3.Error,
        IngestError,
        UnicodeDecodeError,
    ):  # the daemon tells what is wrong there
        return None
    return {name: frozenset({*each.state, *each.hidden}) for name, each in memories.items()}
