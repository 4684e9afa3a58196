"""One requested run: how far it has come, and with what it was asked for."""

import json
from collections.abc import Mapping
from typing import Any, Final

import htpy as h

from ingestd.pages.frame import Page
from ingestd.pages.parts import (
    badge,
    facts,
    folded,
    section,
    to_actions,
    to_collector,
    to_run,
    verbatim,
)
from ingestd.pages.words import Viewing, number

OPEN: Final = frozenset({"PENDING", "RUNNING"})


def page(told: Mapping[str, Any], _viewing: Viewing) -> Page:
    """Show a requested run, in the API's JSON."""
    known: dict[str, h.Node] = {
        "collector": to_collector(told["collector"]),
        "status": badge(told["status"]),
        "project": told["project"],
        "trace": told["trace"],
        "asked for": told["added"],
        "last change": told["updated"],
        "readings": number(told["readings"]),
        "attempt": number(told["attempt"]),
        "key": told["key"],
        "moves the position": "yes" if told["commit"] else "no",
        "its record": to_run(told["run"]) if told["run"] else None,
        "what it was given": h.a(href=told["input"])["as JSON"] if told["input"] else None,
        "what it gave": h.a(href=told["result"])["as JSON"] if told["result"] else None,
    }
    params = json.dumps(told["params"], indent=2, ensure_ascii=False, default=str)
    failure = told["failure_message"]
    cancel = [("cancel-run", "Cancel", {"id": told["id"]})]
    content = [
        facts(known),
        to_actions(cancel) if told["status"] in OPEN else None,
        section("Why it failed", verbatim(failure)) if failure else None,
        folded("Traceback", told["traceback"] or ""),
        section("Params", verbatim(params)) if told["params"] else None,
    ]
    return Page(f"Requested run {told['id']}", content, live=told["status"] in OPEN)
