"""What the shipped plugins share to turn a document into readings: one description of its shape.

Imported by its full name, so that a copy of a plugin works in any folder.
"""

from ingestd.plugins._readings import Reading

from .checking import check_shape
from .missing import Missing
from .numbers import is_quick
from .options import OPTIONS, Description, description_of
from .reader import Reader
from .records import WHOLE, look, shown
from .templates import NOT_FIXED, Fixed

__all__ = [
    "NOT_FIXED",
    "OPTIONS",
    "WHOLE",
    "Description",
    "Fixed",
    "Missing",
    "Reader",
    "Reading",
    "check_shape",
    "description_of",
    "is_quick",
    "look",
    "shown",
]
