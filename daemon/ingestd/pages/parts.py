"""The pieces that pages are made of."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote, urlencode

import htpy as h

from ingestd.health import ago, span
from ingestd.pages.words import NOTHING, Viewing, for_machines, written

COLLECTORS: Final = "/ui/collectors"
RUNS: Final = "/ui/runs"
ACTIONS: Final = "/ui/act"
# What is well, what is neither, and the rest is bad.
GOOD: Final = frozenset({"ok", "up", "fresh", "success", "done"})
NEUTRAL: Final = frozenset(
    {"waiting", "disabled", "cancelled", "running", "pending", "paused by hand", "gone"}
)
UNSURE: Final = frozenset({"degraded", "probing"})
LONGEST: Final = 50_000  # characters of a text; the API has all of it


def tone(word: str) -> str:
    """Return the class of a word that says how something is."""
    word = word.lower()
    if word in GOOD:
        return "good"
    if word in NEUTRAL:
        return "neutral"
    return "unsure" if word in UNSURE else "bad"


def badge(word: str) -> h.Renderable:
    """Return a word that says how something is; its colour only says it again."""
    return h.span(class_=["badge", tone(word)])[word.replace("_", " ").lower()]


def moment(when: float | None, viewing: Viewing) -> h.Node:
    """Return a time in Unix seconds: how long ago, and exactly when in its title."""
    if when is None:
        return NOTHING
    title = written(when, viewing.zone)
    return h.time(datetime=for_machines(when), title=title)[ago(when, viewing.now)]


def lasting(since: float, viewing: Viewing) -> h.Renderable:
    """Return for how long something has been so, since a time in Unix seconds."""
    title = f"since {written(since, viewing.zone)}"
    return h.time(datetime=for_machines(since), title=title)[span(max(0.0, viewing.now - since))]


def exactly(when: float | None, viewing: Viewing) -> h.Node:
    """Return a time in Unix seconds as a date and a time of day, and how long ago that is."""
    if when is None:
        return NOTHING
    shown = h.time(datetime=for_machines(when))[written(when, viewing.zone)]
    return [shown, f" ({ago(when, viewing.now)})"]


def in_path(name: str) -> str:
    """Return a name as a part of a path."""
    return quote(name, safe="", errors="replace")


def to_collector(name: str) -> h.Renderable:
    """Return a link to the page of a collector."""
    return h.a(href=f"{COLLECTORS}/{in_path(name)}")[name]


def to_run(number: int | str, text: h.Node = None) -> h.Renderable:
    """Return a link to the page of a run."""
    return h.a(href=f"{RUNS}/{in_path(str(number))}")[text or str(number)]


def table(
    label: str, headers: Sequence[str], rows: Sequence[Sequence[h.Node]], *, empty: str
) -> h.Renderable:
    """Return a table that scrolls where the screen is narrow.

    Args:
        label: What it lists.
        headers: Of its columns.
        rows: The first cell of each is its header.
        empty: What to say if there are none.
    """
    if not rows:
        return h.p(class_="none")[empty]
    head = h.thead[h.tr[(h.th(scope="col")[each] for each in headers)]]
    body = h.tbody[
        (h.tr[h.th(scope="row")[row[0]], (h.td[cell] for cell in row[1:])] for row in rows)
    ]
    return h.div(class_="scroll", role="region", aria_label=label, tabindex="0")[
        h.table[head, body]
    ]


def facts(pairs: Mapping[str, h.Node]) -> h.Renderable:
    """Return names with what there is to say about them; those that are None are left out."""
    told = ((h.dt[name], h.dd[value]) for name, value in pairs.items() if value not in (None, ""))
    return h.dl[told]


def section(title: str, *content: h.Node) -> h.Renderable:
    """Return a part of a page under its heading."""
    return h.section[h.h2[title], content]


def folded(summary: str, text: str) -> h.Renderable | None:
    """Return a long text that shows when it is asked for, or None if there is none."""
    return h.details[h.summary[summary], verbatim(text)] if text else None


def verbatim(text: str) -> h.Renderable:
    """Return a text with its lines as they are."""
    cut = f"{text[:LONGEST]}\n..." if len(text) > LONGEST else text
    return h.pre(tabindex="0")[cut]


def bullets(lines: Iterable[h.Node]) -> h.Renderable:
    """Return a list."""
    return h.ul[(h.li[each] for each in lines)]


def acting(path: str, viewing: Viewing, content: h.Node, *, class_: str = "") -> h.Renderable:
    """Return a form that acts, which only pages of ours can make.

    Args:
        path: Where it goes.
        viewing: With its CSRF token.
        content: What stands in it.
        class_: How it looks.
    """
    csrf_token = h.input(type="hidden", name="csrf_token", value=viewing.csrf_token)
    return h.form(method="post", action=path, class_=class_ or None)[csrf_token, content]


def to_actions(links: Sequence[tuple[str, str, Mapping[str, str]]]) -> h.Node:
    """Return links to pages that ask: what to do, the words for it, and what it is about."""
    items = (
        h.li[h.a(href=f"{ACTIONS}/{name}?{urlencode(about, errors='replace')}")[text]]
        for name, text, about in links
    )
    return h.ul(class_=["row", "actions"])[items] if links else None


def pager(path: str, query: Mapping[str, Any], *, page: int, pages: int) -> h.Node:
    """Return links to the pages before and behind one, or nothing if there is only one."""
    if pages <= 1:
        return None

    def link(to: int, text: str) -> h.Node:
        given = {key: each for key, each in query.items() if each}
        address = f"{path}?{urlencode({**given, 'page': to}, errors='replace')}"
        return h.a(href=address)[text] if 1 <= to <= pages else h.span[text]

    return h.nav(class_="pager", aria_label="pages")[
        link(page - 1, "previous"), h.span[f"page {page:,} of {pages:,}"], link(page + 1, "next")
    ]
