"""Pages for people: HTML made from what the views tell as JSON.

Whatever stands in that JSON is text and never markup: ``htpy`` escapes all that it is given.
This package is imported when somebody asks for a page, so that nobody else pays for it.
"""

from ingestd.pages.drawing import PAGES, draw
from ingestd.pages.words import Viewing

__all__ = ["PAGES", "Viewing", "draw"]
