"""The collectors: a table that is searched and filtered, those in trouble first."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import htpy as h

from ingestd.health import State, ago, counted, span
from ingestd.pages.frame import Page
from ingestd.pages.parts import COLLECTORS, badge, moment, pager, table, to_collector, tone
from ingestd.pages.words import NOTHING, Viewing

Told = Mapping[str, Any]
STATES: Final = (*(each.value for each in State), "disabled")


def page(told: Told, viewing: Viewing) -> Page:
    """Show one page of collectors.

    Args:
        told: ``collectors`` in the API's JSON, each with its ``recent`` runs; ``found``, how
            many there are on all pages; ``query``, ``page`` and ``pages``.
        viewing: When somebody looks.
    """
    headers = ("collector", "is", "schedule", "last reading", "last runs", "next run")
    rows = [_row(each, viewing) for each in told["collectors"]]
    content = [
        _search(told["query"]),
        h.p[counted(told["found"], "collector"), " found" if _filtered(told["query"]) else None],
        table("collectors", headers, rows, empty="No collector is like that."),
        pager(COLLECTORS, told["query"], page=told["page"], pages=told["pages"]),
    ]
    return Page("Collectors", content, here=COLLECTORS, live=True)


def _filtered(query: Told) -> bool:
    return any(query.values())


def _search(query: Told) -> h.Renderable:
    options = (
        h.option(value=state, selected=state == query["state"])[state.replace("_", " ")]
        for state in STATES
    )
    return h.form(class_="search", method="get", action=COLLECTORS, role="search")[
        h.label(for_="q")["Name or plugin"],
        h.input(id="q", name="q", type="search", value=query["q"]),
        h.label(for_="state")["State"],
        h.select(id="state", name="state")[h.option(value="")["any"], options],
        h.button["Search"],
    ]


def _row(told: Told, viewing: Viewing) -> Sequence[h.Node]:
    why = h.div(class_="why")[told["why"]] if told["why"] else None
    running = " running" if told["running"] else None
    return (
        [to_collector(told["name"]), h.div(class_="why")[told["plugin"]]],
        [badge(told["state"]), running, why],
        told["schedule"],
        _age(told, viewing),
        strip(told["recent"]),
        moment(told["next_run"], viewing),
    )


def _age(told: Told, viewing: Viewing) -> h.Node:
    """Return how old the newest reading is, beside how often one should come."""
    if told["last_reading"] is None:
        return NOTHING
    shown = moment(told["last_reading"], viewing)
    every = told["cadence"] or told["every"]
    if not every:
        return shown
    age = max(0.0, viewing.now - told["last_reading"]) / every
    gauge = h.meter(
        min="0",
        max="4",
        low="1.5",
        high="2.5",
        optimum="0",
        value=f"{min(age, 4.0):.2f}",
        aria_label=f"{ago(told['last_reading'], viewing.now)}, expected every {span(every)}",
    )
    return [shown, h.div(class_="why")[f"every {span(every)}"], gauge]


def strip(outcomes: Sequence[str]) -> h.Node:
    """Return the outcomes of runs, the newest last, as a row of marks."""
    if not outcomes:
        return NOTHING
    counts = {word: outcomes.count(word) for word in dict.fromkeys(outcomes)}
    said = ", ".join(f"{count} {word}" for word, count in counts.items())
    marks = (h.i(class_=tone(each)) for each in outcomes)
    return h.span(class_="strip", role="img", aria_label=f"last runs: {said}", title=said)[marks]
