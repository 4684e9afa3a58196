"""The state directory and its one database."""

from ingestd.disk.database import READERS, Database, set_aside
from ingestd.disk.directory import Holder, StateDirectory, holder
from ingestd.disk.schema import MIGRATIONS, migrate, open_reader, preparing, translate
from ingestd.disk.writer import Writer

__all__ = [
    "MIGRATIONS",
    "READERS",
    "Database",
    "Holder",
    "StateDirectory",
    "Writer",
    "holder",
    "migrate",
    "open_reader",
    "preparing",
    "set_aside",
    "translate",
]
