"""A collector's memory as one row of the state database: readable text with a checksum.

A memory is encoded where an error can still be told to the plugin, and put by
a write, alone or in one transaction with the readings that it belongs to.
"""

import sqlite3
import zlib
from dataclasses import dataclass, field

from ingestd.contract import Memory
from ingestd.disk import DamagedRow, as_bytes, move_aside
from ingestd.errors import StateError
from ingestd.records import yamlvalues

Raw = tuple[bytes, bytes, bytes, bytes]  # name, state, hidden, masks; empty where there is none


@dataclass(frozen=True, slots=True)
class MemoryRow:
    """A collector's memory as it is kept; made where errors can still be told to the plugin.

    Attributes:
        state: YAML.
        hidden: YAML.
        masks: YAML.
        changed: When it was committed, in seconds since the Unix epoch.
    """

    collector: str
    state: str
    hidden: str = field(repr=False)
    masks: str
    changed: float

    @property
    def crc(self) -> int:
        """The checksum over everything that a plugin or an operator would miss."""
        return checksum(
            *(text.encode() for text in (self.collector, self.state, self.hidden, self.masks))
        )


def checksum(*parts: bytes) -> int:
    """Return a number that changes with any part."""
    return zlib.crc32(b"\0".join(parts))


def encode(collector: str, memory: Memory, *, now: float) -> MemoryRow:
    """Return a memory as it is kept.

    Raises:
        ResultError: Something in it cannot be kept; the message has its path.
    """
    return MemoryRow(
        collector,
        state=yamlvalues.dumps(dict(memory.state), where="state"),
        hidden=yamlvalues.dumps(dict(memory.hidden), where="hidden"),
        masks=yamlvalues.dumps(dict(memory.masks), where="masks"),
        changed=now,
    )


def put(db: sqlite3.Connection, row: MemoryRow) -> None:
    """Replace what is kept for a collector; for use in a write, with others if need be."""
    db.execute(
        "INSERT OR REPLACE INTO state (collector, state, hidden, masks, changed, crc)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (row.collector, row.state, row.hidden, row.masks, row.changed, row.crc),
    )


def raw_rows(db: sqlite3.Connection, collector: str | None) -> list[tuple[int, Raw, int, float]]:
    """Return id, content, checksum and time of change of one row or of all, unchecked."""
    # As bytes, because damaged text would not even reach us as text.
    columns = ", ".join(
        f"coalesce(CAST({name} AS BLOB), x'')" for name in ("collector", "state", "hidden", "masks")
    )
    select = f"SELECT rowid, crc, changed, {columns} FROM state"  # noqa: S608 - our own names
    if collector is None:
        rows = db.execute(select)
    else:
        rows = db.execute(f"{select} WHERE collector = ?", (collector,))
    return [(rowid, raw, crc, changed) for rowid, crc, changed, *raw in rows]


def decode(raw: Raw, crc: int) -> Memory:
    """Return a memory from its row.

    Raises:
        StateError: It is damaged.
    """
    name = raw[0].decode(errors="replace")
    if checksum(*raw) != crc:
        raise StateError(f"state of {name}: damaged: its checksum differs")
    _, state, hidden, masks = raw
    return Memory(
        state=yamlvalues.loads(state.decode(), where=f"state of {name}"),
        hidden=yamlvalues.loads(hidden.decode(), where=f"hidden of {name}"),
        masks=yamlvalues.loads(masks.decode(), where=f"masks of {name}"),
    )


def set_row_aside(db: sqlite3.Connection, *, rowid: int, raw: Raw, error: str) -> None:
    """Move a damaged row out of the way."""
    name = raw[0].decode(errors="replace")
    move_aside(db, [DamagedRow("state", {"rowid": rowid}, name, as_bytes(*raw), error)])
