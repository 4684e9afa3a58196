"""What commands share: where the configuration is, and how it is read."""

import os
from pathlib import Path

import click

from ingestd import configfile
from ingestd.config import Config

config_option = click.option(
    "--config",
    "-c",
    "config_path",
    type=click.Path(path_type=Path),
    default=lambda: configfile.default_path(os.environ, root=os.geteuid() == 0),
    metavar="PATH",
    help="The configuration file.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def load(path: Path) -> Config:
    """Read the configuration.

    Raises:
        ConfigError: Lists everything that is wrong with it.
    """
    return configfile.load(path, os.environ)
