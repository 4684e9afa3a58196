"""The series: a table that is searched, those that are late first; and the chart of one."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

import htpy as h

from ingestd.health import span
from ingestd.pages.chart import chart, in_words
from ingestd.pages.frame import Page
from ingestd.pages.parts import badge, exactly, facts, moment, pager, table, to_collector
from ingestd.pages.words import NOTHING, Viewing

Told = Mapping[str, Any]
PATH: Final = "/ui/series"
CHART: Final = "/ui/chart"
SPANS: Final = ("1h", "6h", "1d", "7d", "30d", "365d")


def page(told: Told, viewing: Viewing) -> Page:
    """Show one page of series.

    Args:
        told: ``series``, each with its ``collector``; ``found``, how many there are on all
            pages; ``never``, the collectors that have never given one; ``query``, ``page`` and
            ``pages``.
        viewing: When somebody looks.
    """
    headers = ("series", "is", "collector", "newest reading", "expected every")
    rows = [_row(each, viewing) for each in told["series"]]
    content = [
        _search(told["query"]),
        _never(told["never"]),
        h.p[f"{told['found']:,} found"],
        table("series", headers, rows, empty="No series is like that."),
        pager(PATH, told["query"], page=told["page"], pages=told["pages"]),
    ]
    return Page("Series", content, here=PATH, live=True)


def _search(query: Told) -> h.Renderable:
    return h.form(class_="search", method="get", action=PATH, role="search")[
        h.label(for_="q")["Name"],
        h.input(id="q", name="q", type="search", value=query["q"]),
        h.label(for_="collector")["Collector"],
        h.input(id="collector", name="collector", type="search", value=query["collector"]),
        h.input(id="late", name="late", type="checkbox", value="true", checked=query["late"]),
        h.label(for_="late")["only late ones"],
        h.button["Search"],
    ]


def _never(names: Sequence[str]) -> h.Node:
    if not names:
        return None
    links = [part for name in names for part in (", ", to_collector(name))][1:]
    return h.p["These collectors have never given a reading: ", links]


def _row(told: Told, viewing: Viewing) -> Sequence[h.Node]:
    return (
        [
            h.a(href=_address(told, {}))[told["series"]],
            h.div(class_="why")[_tags(told["tags"])],
        ],
        badge(told["state"]),
        to_collector(told["collector"]),
        moment(told["newest"], viewing),
        NOTHING if told["every"] is None else span(told["every"]),
    )


def _tags(tags: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in tags.items())


def _address(told: Told, more: Mapping[str, Any]) -> str:
    tags = json.dumps(told["tags"]) if told["tags"] else ""
    given = {"series": told["series"], "tags": tags, "collector": told["collector"], **more}
    shown = {key: each for key, each in given.items() if each not in ("", None)}
    return f"{CHART}?{urlencode(shown, errors='replace')}"


def chart_page(told: Told, viewing: Viewing) -> Page:
    """Show the chart of a series.

    Args:
        told: ``series``, ``tags``, ``collector`` and ``store``; ``start``, ``end`` and ``since``,
            from where on the chart is drawn; ``columns``; ``span``, as it was written.
        viewing: When somebody looks.
    """
    start, end = told["start"], told["end"]
    cut = h.p[
        "There are too many points for one chart: it begins at ", exactly(told["since"], viewing)
    ]
    content = [
        _spans(told),
        chart(
            told["columns"],
            start=start,
            end=end,
            label=f"chart of {told['series']}",
            viewing=viewing,
        ),
        cut if told["since"] > start else None,
        in_words(told["columns"]),
        facts(
            {
                "from": exactly(start, viewing),
                "to": exactly(end, viewing),
                "tags": _tags(told["tags"]),
                "store": told["store"],
                "collector": to_collector(told["collector"]) if told["collector"] else None,
            }
        ),
    ]
    return Page(told["series"], content)


def _spans(told: Told) -> h.Node:
    length, until = told["end"] - told["start"], told["until"]
    links = [h.a(href=_address(told, {"span": each, "until": until}))[each] for each in SPANS]
    earlier = {"span": told["span"], "until": told["end"] - length}
    later = {"span": told["span"], "until": told["end"] + length}
    moves = [
        h.a(href=_address(told, earlier))["earlier"],
        h.a(href=_address(told, later))["later"] if until else None,
        h.a(href=_address(told, {"span": told["span"]}))["now"] if until else None,
    ]
    return h.nav(aria_label="span")[
        h.ul(class_="row")[(h.li[each] for each in [*links, *moves] if each)]
    ]
