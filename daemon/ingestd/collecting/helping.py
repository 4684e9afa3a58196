"""Files that a plugin calls beside itself, such as decoders: loaded and run as plugins are."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from ingestd.calling import CallOptions
from ingestd.collecting.setup import RunSetup
from ingestd.errors import PluginLoadError
from ingestd.loading import CurrentPlugin
from ingestd.worker import Kind

TIMEOUT: Final = 10.0  # seconds


@dataclass(slots=True)
class Helpers:
    """Calls the files that one run's plugin names.

    Attributes:
        setup: What every run of the collector is made of.
        options: How the plugin itself is called.
    """

    setup: RunSetup
    options: CallOptions
    _files: dict[str, CurrentPlugin] = field(default_factory=dict)

    async def call(self, file: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Call the ``run`` of a file, and return what it gives.

        Raises:
            PluginError: It fails, in the way that its class says.
        """
        plugin = await self._current(file).get()
        if plugin.kind is not Kind.FUNCTION:
            raise PluginLoadError(f"{file}: expected an ordinary function, got {plugin.kind.value}")
        # A turn of its own at the workers, as its plugin may be waiting for it.
        name = f"{self.options.name}.{Path(file).stem}"
        options = replace(self.options, name=name, timeout=TIMEOUT)
        finished = await options.isolation.call(plugin, arguments, options)
        return finished.result

    def _current(self, file: str) -> CurrentPlugin:
        services = self.setup.services
        if file not in self._files:
            self._files[file] = CurrentPlugin(
                file,
                loader=services.loader,
                blocking=services.blocking,
                clock=services.clock,
                log=self.setup.log,
            )
        return self._files[file]
