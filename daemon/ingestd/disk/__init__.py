"""The state directory and its one database."""

from ingestd.disk.damage import (
    DamagedRow,
    any_text,
    as_bytes,
    is_moment,
    is_text,
    mend_rows,
    move_aside,
)
from ingestd.disk.database import READERS, Database
from ingestd.disk.directory import Ballast, Holder, StateDirectory, holder, see_that_it_answers
from ingestd.disk.recordtable import RecordTable
from ingestd.disk.schema import MIGRATIONS, migrate, open_reader, preparing, translate
from ingestd.disk.writer import Writer

__all__ = [
    "MIGRATIONS",
    "READERS",
    "Ballast",
    "DamagedRow",
    "Database",
    "Holder",
    "RecordTable",
    "StateDirectory",
    "Writer",
    "any_text",
    "as_bytes",
    "holder",
    "is_moment",
    "is_text",
    "mend_rows",
    "migrate",
    "move_aside",
    "open_reader",
    "preparing",
    "see_that_it_answers",
    "translate",
]
