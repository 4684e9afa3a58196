"""Everything that is only here for BMON."""

from ingestd.bmon import settings
from ingestd.bmon.record import as_bmon
from ingestd.bmon.settings import Host, provided

__all__ = ["Host", "as_bmon", "provided", "settings"]
