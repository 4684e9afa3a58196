"""Takes over what a BMON installation has set up."""

from ingestd.bmon.importing.config import Entry, params_stay, written
from ingestd.bmon.importing.export import TABLE, Setup, dumped, setups

__all__ = ["TABLE", "Entry", "Setup", "dumped", "params_stay", "setups", "written"]
