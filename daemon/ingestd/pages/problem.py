"""Why there is no page."""

from collections.abc import Mapping
from typing import Any

import htpy as h

from ingestd.pages.frame import Page
from ingestd.pages.words import Viewing


def page(told: Mapping[str, Any], _viewing: Viewing) -> Page:
    """Show a problem, in the API's JSON."""
    return Page(told["title"], h.p[told["detail"]])
