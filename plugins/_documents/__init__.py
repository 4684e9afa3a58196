"""What the shipped plugins share to read documents: JSON, NDJSON, CSV, XML, also compressed.

Imported by its full name, so that a copy of a plugin works in any folder.
"""

from .csvtext import Columns
from .errors import DocumentError
from .feeds import Feed
from .formats import FORMATS, OPTIONS, Format, format_of, kind_of
from .lines import BY_LINES, Lines
from .listed import Headed, Listed
from .tables import Table, joined

__all__ = [
    "BY_LINES",
    "FORMATS",
    "OPTIONS",
    "Columns",
    "DocumentError",
    "Feed",
    "Format",
    "Headed",
    "Lines",
    "Listed",
    "Table",
    "format_of",
    "joined",
    "kind_of",
]
