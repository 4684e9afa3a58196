"""The plugins that there are, and how many collectors use each."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

import htpy as h

from ingestd.health import counted
from ingestd.pages.frame import Page
from ingestd.pages.parts import COLLECTORS, badge, table
from ingestd.pages.words import NOTHING, Viewing

PATH: Final = "/ui/plugins"


def page(told: Mapping[str, Any], _viewing: Viewing) -> Page:
    """Show all plugins that have a name.

    Args:
        told: ``plugins`` in the API's JSON, and ``used``, by how many collectors each is.
        _viewing: When somebody looks.
    """
    rows = [
        (
            each["name"],
            [badge("failing"), h.div(class_="why")[each["error"]]]
            if each["error"]
            else each["summary"],
            each["kind"] or NOTHING,
            _used(each["name"], told["used"].get(each["name"], 0)),
            h.code[each["path"]],
        )
        for each in told["plugins"]
    ]
    headers = ("plugin", "what it does", "kind", "used by", "file")
    return Page("Plugins", table("plugins", headers, rows, empty="There are none."), here=PATH)


def _used(name: str, by: int) -> h.Node:
    if not by:
        return NOTHING
    address = f"{COLLECTORS}?{urlencode({'q': name}, errors='replace')}"
    return h.a(href=address)[counted(by, "collector")]
