"""One run: how it went, why it failed, and what it printed."""

from collections.abc import Mapping
from typing import Any

import htpy as h

from ingestd.health import span
from ingestd.pages.frame import Page
from ingestd.pages.parts import (
    badge,
    bullets,
    exactly,
    facts,
    folded,
    section,
    to_collector,
    to_run,
    verbatim,
)
from ingestd.pages.words import Viewing, number

Told = Mapping[str, Any]


def page(told: Told, viewing: Viewing) -> Page:
    """Show the record of a run, in the API's JSON."""
    unusable = ", ".join(f"{count:,} {reason}" for reason, count in told["unusable"].items())
    known: dict[str, h.Node] = {
        "collector": to_collector(told["collector"]),
        "ended": badge(told["outcome"]),
        "began": exactly(told["started"], viewing),
        "was due": exactly(told["tick"], viewing),
        "took": span(told["seconds"]),
        "readings": number(told["readings"]),
        "points": number(told["points"]),
        "unusable": unusable,
        "degraded": told["degraded"],
        "late series by then": number(told["late"]) if told["late"] else None,
        "was requested": to_run(told["requested"]) if told["requested"] else None,
    }
    return Page(f"Run {told['id']} of {told['collector']}", [facts(known), *_texts(told)])


def _texts(told: Told) -> list[h.Node]:
    lists = {
        "What the plugin told": told["notes"],
        "Some unusable readings": told["samples"],
        "Late series": told["late_series"],
    }
    return [
        section("Error", verbatim(told["error"])) if told["error"] else None,
        folded("Traceback", told["details"]),
        *(section(title, bullets(lines)) for title, lines in lists.items() if lines),
        section("What it printed", verbatim(told["output"])) if told["output"] else None,
    ]
