"""From the name or path of a plugin to a plugin that can be called."""

from ingestd.loading.check import PluginFindings, check_plugins, with_plugins
from ingestd.loading.current import CurrentPlugin
from ingestd.loading.loader import Loader

__all__ = ["CurrentPlugin", "Loader", "PluginFindings", "check_plugins", "with_plugins"]
