"""The systems whose plugins run here as they are, by the name that ``compat:`` has for each."""

from collections.abc import Mapping
from typing import Final

from ingestd.bmon import BmonHost
from ingestd.contract import Host

HOSTS: Final[Mapping[str, Host]] = {each.name: each for each in (BmonHost(),)}
