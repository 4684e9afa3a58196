"""A collector's plugin as its file has it now, or as it last worked."""

import asyncio
from pathlib import Path
from typing import Any

from ingestd.calling import Plugin
from ingestd.clock import Clock
from ingestd.errors import PluginLoadError
from ingestd.loading.loader import Loader
from ingestd.tasks import Blocking


class CurrentPlugin:
    """Loads a plugin when it is first wanted, and again when its files have changed.

    Args:
        name: As the collector names it.
        python: The interpreter that runs it, or None for the daemon's own.
        clock: Tells whether the files were looked at a moment ago.
        log: Told of new versions, and once of one that does not load.
    """

    def __init__(
        self,
        name: str,
        *,
        loader: Loader,
        blocking: Blocking,
        clock: Clock,
        log: Any,
        python: Path | None = None,
    ) -> None:
        self._name, self._python = name, python
        self._loader, self._blocking, self._log = loader, blocking, log
        self._clock = clock
        self._plugin: Plugin | None = None
        self._complained = ""
        self._one_at_a_time = asyncio.Lock()  # two that ask at once would both tell what is new

    @property
    def loaded(self) -> Plugin | None:
        """The version that was loaded last, without a look at the file, or None."""
        return self._plugin

    async def get(self) -> Plugin:
        """Return the plugin.

        Raises:
            PluginLoadError: It has never loaded, and does not now.
        """
        async with self._one_at_a_time:
            if self._plugin is None:
                self._plugin = await self._blocking(self._loader.load, self._name, self._python)
            else:
                self._plugin = await self._refreshed(self._plugin)
            return self._plugin

    async def edited(self, running: Plugin) -> bool:
        """Say whether there is a version that loads beyond one that runs.

        The loader may have given it out already, to a run beside that one.
        """
        return await self.get() is not running

    async def _has_changed(self, plugin: Plugin) -> bool:
        """Look at the files, once for all collectors that begin at the same instant."""
        looking, version = self._loader.looking, (plugin.path, plugin.fingerprint)
        if version not in looking:
            look = asyncio.ensure_future(self._blocking(self._loader.changed, plugin))
            looking[version] = look
            look.add_done_callback(lambda _: looking.pop(version))
        return await asyncio.shield(looking[version])

    async def _refreshed(self, plugin: Plugin) -> Plugin:
        now = self._clock.monotonic()
        if self._loader.is_fresh(plugin, now=now):
            return plugin
        if not await self._has_changed(plugin):
            self._loader.note_unchanged(plugin, at=now)
            return plugin
        try:
            refreshed = await self._blocking(self._loader.refresh, plugin)
        except PluginLoadError as error:
            if str(error) != self._complained:
                self._log.error(
                    "plugin does not load, its last good version stays", error=str(error)
                )
            self._complained = str(error)
            return plugin
        if refreshed is not plugin:
            self._log.info("plugin changed, and was read again", plugin=plugin.name)
        self._complained = ""
        return refreshed
