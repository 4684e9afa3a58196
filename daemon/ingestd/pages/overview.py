"""The first page: one sentence, what is wrong, and how stores, backfills and config are."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

import htpy as h

from ingestd.health import counted
from ingestd.pages.backfills import backfills_table
from ingestd.pages.configuration import in_use
from ingestd.pages.frame import Page
from ingestd.pages.parts import (
    COLLECTORS,
    badge,
    bullets,
    exactly,
    facts,
    section,
    to_collector,
)
from ingestd.pages.stores import stores_table
from ingestd.pages.words import Viewing

Told = Mapping[str, Any]
MOST_TROUBLE: Final = 20  # collectors; the others are on their own page
MOST_WARNINGS: Final = 20  # likewise


def page(told: Told, viewing: Viewing) -> Page:
    """Show how everything is.

    Args:
        told: ``status`` in the API's JSON; ``troubled``, the collectors that need attention, the
            worst first; ``problems``, a line for everything else that is wrong.
        viewing: When somebody looks.
    """
    status = told["status"]
    content = [
        _attention(told),
        section("Collectors", _collectors(status["collectors"])),
        section("Stores", stores_table(status["stores"], viewing)),
        section("Backfills", backfills_table(status["backfills"])) if status["backfills"] else None,
        section("Configuration", in_use(status["config"], viewing, most=MOST_WARNINGS)),
        section("Daemon", _daemon(status, viewing)),
    ]
    # Without the names, which are listed below it.
    return Page(status["headline"] or status["summary"], content, here="/", live=True)


def _attention(told: Told) -> h.Node:
    troubled: Sequence[Told] = told["troubled"]
    lines: list[h.Node] = [*told["problems"]]
    lines += [
        [to_collector(each["name"]), " ", badge(each["state"]), " ", each["why"]]
        for each in troubled[:MOST_TROUBLE]
    ]
    if not lines:
        return None
    beyond = len(troubled) - MOST_TROUBLE
    more = h.p[h.a(href=COLLECTORS)[f"and {counted(beyond, 'collector')} more"]]
    return section("Needs attention", bullets(lines), more if beyond > 0 else None)


def _collectors(told: Told) -> h.Node:
    states: list[h.Node] = [
        [
            h.a(href=f"{COLLECTORS}?{urlencode({'state': state}, errors='replace')}")[badge(state)],
            f" {count:,}",
        ]
        for state, count in told["states"].items()
    ]
    off = len(told["disabled"])
    if off:
        states.append([h.a(href=f"{COLLECTORS}?state=disabled")[badge("disabled")], f" {off:,}"])
    total = counted(told["total"], "collector")
    return [h.p[h.a(href=COLLECTORS)[total], f", {told['running']:,} running now"], _row(states)]


def _row(items: Sequence[h.Node]) -> h.Node:
    return h.ul(class_="row")[(h.li[each] for each in items)] if items else None


def _daemon(told: Told, viewing: Viewing) -> h.Node:
    buffer = told["buffer"]
    paused = f"; full for {', '.join(buffer['paused'])}" if buffer["paused"] else ""
    return facts(
        {
            "running since": exactly(told["started"], viewing),
            "state": "stopping" if told["stopping"] else None,
            "points in memory": f"{buffer['points']:,} of {buffer['capacity']:,}{paused}",
            "state directory": h.code[told["state_dir"]],
            "worker processes": told["worker_processes"],
            "process": str(told["pid"]),
        }
    )
