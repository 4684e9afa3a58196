"""The stores: what waits for each of them, and what they have refused for good."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import htpy as h

from ingestd.health import counted, size, span
from ingestd.pages.frame import Page
from ingestd.pages.parts import badge, folded, lasting, moment, section, table, to_actions
from ingestd.pages.words import NOTHING, Viewing, number, room_left

Told = Mapping[str, Any]
PATH: Final = "/ui/stores"


def page(told: Told, viewing: Viewing) -> Page:
    """Show all stores.

    Args:
        told: ``stores`` in the API's JSON; ``refused``, dead letters by store and reason, those
            that are most first; ``most``, how many groups of them are shown at most.
        viewing: When somebody looks.
    """
    groups = [_group(each, viewing) for each in told["refused"]]
    headers = ("store", "dead letters", "reason", "first", "last")
    cut = h.p[f"Reasons beyond the first {told['most']:,} are left out."]
    content = [
        stores_table(told["stores"], viewing),
        section(
            "Dead letters",
            h.p["Readings that a store has refused for good."],
            _actions(told),
            table("dead letters", headers, groups, empty="There are none."),
            cut if len(groups) == told["most"] else None,
        ),
    ]
    return Page("Stores", content, here=PATH, live=True)


def _actions(told: Told) -> h.Node:
    """Return what can be done with dead letters; a former store can be sent nothing."""
    known = {each["name"] for each in told["stores"] if each["health"]}
    links = []
    for name in sorted({each["store"] for each in told["refused"]}):
        about = {"store": name}
        if name in known:
            links.append(("retry", f"Send those of {name} again", about))
        links.append(("purge", f"Delete those of {name}", about))
    return to_actions(links)


def _group(told: Told, viewing: Viewing) -> Sequence[h.Node]:
    return (
        told["store"],
        number(told["count"]),
        [told["reason"] or NOTHING, folded("one of them", told["sample"])],
        moment(told["first"], viewing),
        moment(told["last"], viewing),
    )


def stores_table(told: Sequence[Told], viewing: Viewing) -> h.Node:
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
