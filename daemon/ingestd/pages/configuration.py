"""The configuration: the one in use, and what is said of the files as they are now."""

from collections.abc import Mapping
from typing import Any, Final

import htpy as h

from ingestd.pages.frame import Page
from ingestd.pages.parts import bullets, exactly, facts, moment, section, verbatim
from ingestd.pages.words import Viewing

Told = Mapping[str, Any]
PATH: Final = "/ui/config"
MOST_FINDINGS: Final = 200


def page(told: Told, viewing: Viewing) -> Page:
    """Show the configuration.

    Args:
        told: ``config`` of the status in the API's JSON; ``files``, what was read;
            ``findings``, what is ``wrong`` and what is ``suspicious`` in the files as they are
            now, or None if nobody asked for that.
        viewing: When somebody looks.
    """
    files = bullets(h.code[each] for each in told["files"])
    content = [
        in_use(told["config"], viewing),
        section("Files", files),
        section("The files as they are now", _findings(told["findings"])),
    ]
    return Page("Configuration", content, here=PATH)


def in_use(told: Told, viewing: Viewing, *, most: int = MOST_FINDINGS) -> h.Node:
    """Return how the configuration in use came to be, and why another was refused.

    Args:
        told: ``config`` of the status in the API's JSON.
        viewing: When somebody looks.
        most: How many warnings are shown.
    """
    refused: list[h.Node] = []
    if not told["ok"]:
        when = moment(told["refused_at"], viewing)
        refused = [
            h.p["The configuration on disk was refused ", when, ":"],
            verbatim(told["last_reload"]),
        ]
    known = {
        "file": h.code[told["path"]],
        "in use since": exactly(told["loaded_at"], viewing),
        "last reload": told["last_reload"] if told["ok"] else None,
    }
    return [refused, facts(known), _lines("Warnings:", told["warnings"], most)]


def _findings(told: Told | None) -> h.Node:
    if told is None:
        ask = h.form(method="get", action=PATH)[
            h.button(name="check", value="true")["Check them now"]
        ]
        return [h.p["What a reload would say of them. Nothing changes."], ask]
    if not told["wrong"] and not told["suspicious"]:
        return h.p["They are fine."]
    return [
        _lines("A reload would refuse them:", told["wrong"], MOST_FINDINGS),
        _lines("Warnings:", told["suspicious"], MOST_FINDINGS),
    ]


def _lines(title: str, lines: list[str], most: int) -> h.Node:
    if not lines:
        return None
    beyond = len(lines) - most
    return [h.p[title], bullets([*lines[:most], *([f"and {beyond:,} more"] * (beyond > 0))])]
