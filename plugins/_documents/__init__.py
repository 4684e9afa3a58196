"""What the shipped plugins share to read documents: JSON, NDJSON, CSV, XML, also compressed.

Imported by its full name, so that a copy of a plugin works in any folder.
"""

from .errors import DocumentError
from .feeds import Feed
from .formats import FORMATS, OPTIONS, Format, format_of
from .listed import Headed, Listed
from .tables import Table, joined

__all__ = [
    "FORMATS",
    "OPTIONS",
    "DocumentError",
    "Feed",
    "Format",
    "Headed",
    "Listed",
    "Table",
    "format_of",
    "joined",
]
