"""Looks at a configuration and at the plugins that it names, before any of it is used."""

import asyncio
import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from ingestd.calling import PluginInfo, Protection, Workers
from ingestd.config import Config
from ingestd.config import file as configfile
from ingestd.errors import ConfigError
from ingestd.hosts import HOSTS
from ingestd.loading import (
    Loader,
    PluginFindings,
    access_by_plugin,
    check_plugins,
    protection_for,
    with_plugins,
)
from ingestd.redaction import Redactor
from ingestd.tasks import Blocking


class ConfigChecker:
    """Looks at configurations for a daemon.

    Args:
        path: Where the configuration is.
        environ: What its variables stand for.
        redactor: Learns its secrets.
        blocking: Calls what blocks, in a thread.

    Attributes:
        loader: What loads the plugins of the configuration in use.
        processes: Where plugins run, which its secrets are to be kept from.
    """

    def __init__(
        self, path: Path, environ: Mapping[str, str], *, redactor: Redactor, blocking: Blocking
    ) -> None:
        self._path, self._environ = path, environ
        self._redactor, self._blocking = redactor, blocking
        self.loader = Loader([], hosts=HOSTS.values())
        self.processes: Sequence[Workers] = ()
        self._protection = Protection()
        self._looking = asyncio.Lock()  # one thread at most, since some take long to import

    async def read(self) -> Config:
        """Read the configuration on disk.

        Raises:
            ConfigError: It cannot be used; says what is wrong with its plugins as well.
        """
        load = partial(configfile.load, hosts=HOSTS)
        try:
            return await self._blocking(load, self._path, self._environ)
        except ConfigError as error:
            raise await self._blocking(with_plugins, error, self._loader_for) from None

    async def check(self, config: Config) -> tuple[Loader, PluginFindings]:
        """Compare the collectors of a configuration that is to be used with their plugins.

        Returns:
            What has loaded them, and what was found.

        Raises:
            ConfigError: They do not fit.
        """
        self._redactor.add(config.secrets)
        self._protection = self._protection_for(config)
        for processes in self.processes:
            processes.protection = self._protection
        loader = self._loader_for(config)
        found = await self._blocking(check_plugins, config, loader)
        if found.wrong:
            raise ConfigError(found.wrong)
        return loader, found

    async def findings(self) -> tuple[list[str], list[str]]:
        """Return what is wrong and what is suspicious in the configuration on disk; use none of it.

        Plugins that it names are loaded, as by ``ingestd check``.
        """
        async with self._looking:
            try:
                config = await self.read()
            except ConfigError as error:
                return [str(each) for each in error.problems], []
            self._redactor.add(config.secrets)
            found = await self._blocking(check_plugins, config, self._loader_for(config))
            return [str(each) for each in found.wrong], found.warnings

    async def plugins(self) -> list[PluginInfo]:
        """List the plugins that have a name, as the configuration in use finds them."""
        async with self._looking:
            return await self._blocking(self.loader.available)

    def _loader_for(self, config: Config) -> Loader:
        return self.loader.with_dirs(
            config.daemon.plugin_dirs,
            protection=self._protection_for(config),
            access=access_by_plugin(config),
        )

    def _protection_for(self, config: Config) -> Protection:
        """Say what to keep from plugins; once a secret, always, whatever becomes of the config."""
        protection = protection_for(config, self._environ)
        withheld = protection.withheld | self._protection.withheld
        return dataclasses.replace(protection, withheld=withheld)
