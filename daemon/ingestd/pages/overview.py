"""The first page: one sentence, what is wrong, and how stores, backfills and config are."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

import htpy as h

from ingestd.health import span
from ingestd.pages.frame import Page
from ingestd.pages.parts import (
    COLLECTORS,
    badge,
    bullets,
    exactly,
    facts,
    lasting,
    moment,
    section,
    table,
    to_collector,
    verbatim,
)
from ingestd.pages.words import NOTHING, Viewing, counted, number, room_left, size

Told = Mapping[str, Any]
MOST_TROUBLE: Final = 20  # collectors; the others are on their own page
MOST_WARNINGS: Final = 20  # ``ingestd check`` has all of them


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
        section("Stores", stores(status["stores"], viewing)),
        section("Backfills", _backfills(status["backfills"])) if status["backfills"] else None,
        section("Configuration", _config(status["config"], viewing)),
        section("Daemon", _daemon(status, viewing)),
    ]
    # Without the names, which are listed below it.
    return Page(status["headline"] or status["summary"], content, here="/")


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


def stores(told: Sequence[Told], viewing: Viewing) -> h.Node:
    """Return a table of stores, with what waits for each."""
    headers = ("store", "kind", "is", "waits on disk", "in memory", "stored", "dead letters")
    return table(
        "stores", headers, [_store(each, viewing) for each in told], empty="No store is configured."
    )


def _store(told: Told, viewing: Viewing) -> Sequence[h.Node]:
    health = badge(told["health"]) if told["health"] else "not configured"
    since: h.Node = [" for ", lasting(told["since"], viewing)] if told["since"] else None
    error = h.div(class_="why")[told["error"]] if told["error"] else None
    return (
        told["name"],
        [told["type"] or NOTHING, h.div(class_="why")[told["identity"]]],
        [health, since, error],
        _spool(told, viewing),
        number(told["in_memory"]),
        number(told["stored"]),
        number(told["dead_letters"]),
    )


def _spool(told: Told, viewing: Viewing) -> h.Node:
    spool = told["spool"]
    if not spool["bodies"]:
        return "nothing"
    shown = f"{counted(spool['points'], 'point')}, {size(spool['bytes'])}"
    left = room_left(
        spool["bytes"], spool["limit_bytes"], since=spool["oldest_at"], now=viewing.now
    )
    limit = f"of {size(spool['limit_bytes'])}"
    if told["health"] == "up" or left is None:
        return [shown, f" {limit}"]
    return [shown, f" {limit}", h.div(class_="why")[f"room for about {span(left)}"]]


def _backfills(told: Sequence[Told]) -> h.Node:
    rows = [
        (
            to_collector(each["collector"]),
            badge(each["status"]),
            h.progress(value=f"{each['done']:.3f}", max="1", aria_label="done"),
            f"{each['done']:.0%}",
            counted(each["readings"], "reading"),
            each["why"] or each["error"],
        )
        for each in told
    ]
    headers = ("collector", "is", "progress", "done", "has given", "why it waits")
    return table("backfills", headers, rows, empty="None.")


def _config(told: Told, viewing: Viewing) -> h.Node:
    refused: list[h.Node] = []
    if not told["ok"]:
        when = moment(told["refused_at"], viewing)
        refused = [
            h.p["The configuration on disk was refused ", when, ":"],
            verbatim(told["last_reload"]),
        ]
    beyond = len(told["warnings"]) - MOST_WARNINGS
    shown = [*told["warnings"][:MOST_WARNINGS], *([f"and {beyond:,} more"] if beyond > 0 else [])]
    warnings = [h.p["Warnings:"], bullets(shown)] if shown else None
    known = {
        "file": h.code[told["path"]],
        "in use since": exactly(told["loaded_at"], viewing),
        "last reload": told["last_reload"] if told["ok"] else None,
    }
    return [refused, facts(known), warnings]


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
