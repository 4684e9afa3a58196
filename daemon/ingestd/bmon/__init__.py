"""Everything that is only here for BMON."""

from ingestd.bmon.host import BmonHost

__all__ = ["BmonHost"]
