"""The loader of plugins as the daemon would have it with a configuration."""

from ingestd.config import Config
from ingestd.hosts import HOSTS
from ingestd.loading import Loader


def loader_for(config: Config) -> Loader:
    """Return a loader that searches the folders of a configuration."""
    return Loader(config.daemon.plugin_dirs, withheld=config.secret_variables, hosts=HOSTS.values())
