"""``ingestd config`` and ``ingestd systemd``: the files that come with the package."""

import sysconfig
from pathlib import Path

import click

from ingestd.cli.exitcodes import CommandError
from ingestd.cli.settings import Verbs


@click.group(cls=Verbs, short_help="Print a sample configuration.")
def config() -> None:
    """Help with the configuration."""


@config.command(short_help="Print a sample, with comments.")
def sample() -> None:
    """Print the sample configuration, with comments."""
    click.echo(_shipped("ingestd.yaml", "conf").read_text(), nl=False)


@click.group(cls=Verbs, short_help="Print the systemd unit.")
def systemd() -> None:
    """Help with systemd."""


@systemd.command(short_help="Print the unit.")
def unit() -> None:
    """Print ingestd.service, for /etc/systemd/system."""
    click.echo(_shipped("systemd/ingestd.service", ".").read_text(), nl=False)


def _shipped(name: str, in_checkout: str) -> Path:
    """Return a file that is installed with the package, or lies in the checkout."""
    checkout = Path(__file__).resolve().parents[3] / in_checkout / name
    installed = Path(sysconfig.get_path("data")) / "share" / "ingestd" / name
    user = Path(sysconfig.get_path("data", f"{sysconfig.get_preferred_scheme('user')}"))
    for path in (checkout, installed, user / "share" / "ingestd" / name):
        if path.is_file():
            return path
    raise CommandError(f"{installed}: not there; it is installed together with the package")
