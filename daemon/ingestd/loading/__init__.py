"""From the name or path of a plugin to a plugin that can be called."""

from ingestd.loading.check import PluginFindings, check_plugins, with_plugins
from ingestd.loading.current import CurrentPlugin
from ingestd.loading.loader import Loader
from ingestd.loading.seeing import access_by_plugin, access_for, protection_for

__all__ = [
    "CurrentPlugin",
    "Loader",
    "PluginFindings",
    "access_by_plugin",
    "access_for",
    "check_plugins",
    "protection_for",
    "with_plugins",
]
