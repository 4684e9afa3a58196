"""What the shipped plugins share to run commands: what is started, and what its output means.

Imported by its full name, so that a copy of a plugin works in any folder.
"""

from .command import Command, command_of, folder_of
from .exits import Ending, endings_of, told
from .outputs import Found, Output, check_unused, output_of
from .runs import Answer, AnswerProblem, RunReader, arguments_of, masks_of, updated
from .words import check_words, texts_by_name, words_of

__all__ = [
    "Answer",
    "AnswerProblem",
    "Command",
    "Ending",
    "Found",
    "Output",
    "RunReader",
    "arguments_of",
    "check_unused",
    "check_words",
    "command_of",
    "endings_of",
    "folder_of",
    "masks_of",
    "output_of",
    "texts_by_name",
    "told",
    "updated",
    "words_of",
]
