"""Reads what BMON has stored: its database of readings, and in which unit they are."""

from ingestd.bmon.history.database import History, Table
from ingestd.bmon.history.units import as_stored, catalogued, unclear

__all__ = ["History", "Table", "as_stored", "catalogued", "unclear"]
