"""Starts processes under a supervisor, and ends what they have started and left behind."""

from ingestd.processes.descendants import (
    MARK,
    hears,
    kill_descendants,
    kill_strays,
    mark_below,
    new_mark,
    strays,
    supervised,
)
from ingestd.processes.noting import kill_started, note_processes, unnoted

__all__ = [
    "MARK",
    "hears",
    "kill_descendants",
    "kill_started",
    "kill_strays",
    "mark_below",
    "new_mark",
    "note_processes",
    "strays",
    "supervised",
    "unnoted",
]
