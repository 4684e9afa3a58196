"""What the shipped plugins share to run commands: what is started, and what its output means.

Imported by its full name, so that a copy of a plugin works in any folder.
"""

from .command import Command, command_of, folder_of
from .exits import CommandError, Ending, endings_of, told
from .memory import RunMemory
from .outputs import (
    NAMING,
    Found,
    LineProtocol,
    Output,
    check_unused,
    line_protocol_of,
    output_of,
    some,
)
from .runs import Answer, RunReader
from .words import check_words, texts_by_name, words_of

__all__ = [
    "NAMING",
    "Answer",
    "Command",
    "CommandError",
    "Ending",
    "Found",
    "LineProtocol",
    "Output",
    "RunMemory",
    "RunReader",
    "check_unused",
    "check_words",
    "command_of",
    "endings_of",
    "folder_of",
    "line_protocol_of",
    "output_of",
    "some",
    "texts_by_name",
    "told",
    "words_of",
]
