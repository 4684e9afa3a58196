"""The records of runs, the newest first."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import htpy as h

from ingestd.health import span
from ingestd.pages.frame import Page
from ingestd.pages.parts import RUNS, badge, moment, table, to_collector, to_run
from ingestd.pages.words import Viewing, number

Told = Mapping[str, Any]


def page(told: Told, viewing: Viewing) -> Page:
    """Show one page of runs.

    Args:
        told: ``runs`` in the API's JSON, ``query``, and ``more``, whether there are older ones.
        viewing: When somebody looks.
    """
    query = told["query"]
    failing = h.input(
        id="failing", name="failing", type="checkbox", value="true", checked=query["failing"]
    )
    content = [
        h.form(class_="search", method="get", action=RUNS, role="search")[
            h.label(for_="collector")["Collector"],
            h.input(id="collector", name="collector", type="search", value=query["collector"]),
            failing,
            h.label(for_="failing")["only those that failed"],
            h.button["Search"],
        ],
        runs_table(told["runs"], viewing, named=True),
        _older(told),
    ]
    return Page("Runs", content, here=RUNS, live=True)


def _older(told: Told) -> h.Node:
    if not told["more"]:
        return None
    given = {key: str(each).lower() for key, each in told["query"].items() if each}
    address = urlencode({**given, "before": told["runs"][-1]["id"]}, errors="replace")
    return h.nav(class_="pager", aria_label="pages")[h.a(href=f"{RUNS}?{address}")["older"]]


def runs_table(told: Sequence[Told], viewing: Viewing, *, named: bool) -> h.Renderable:
    """Return a table of records.

    Args:
        told: In the API's JSON.
        viewing: When somebody looks.
        named: Whether they are of several collectors.
    """
    rows = [
        (
            to_run(each["id"]),
            *([to_collector(each["collector"])] if named else ()),
            [badge(each["outcome"]), " requested" if each["requested"] else None],
            moment(each["started"], viewing),
            span(each["seconds"]),
            number(each["readings"]),
            h.div(class_="cut")[each["error"] or each["degraded"]],
        )
        for each in told
    ]
    whose = ("collector",) if named else ()
    headers = ("run", *whose, "ended", "began", "took", "readings", "why")
    return table("runs", headers, rows, empty="None is on record.")
