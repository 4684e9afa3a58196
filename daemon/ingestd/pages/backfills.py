"""A table of backfills: how far each has come, and a way to give it up."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import htpy as h

from ingestd.health import counted
from ingestd.pages.parts import badge, table, to_actions, to_collector

Told = Mapping[str, Any]
OVER: Final = frozenset({"done", "cancelled"})


def backfills_table(told: Sequence[Told]) -> h.Node:
    """Return a table of backfills in the API's JSON."""
    rows = [
        (
            to_collector(each["collector"]),
            badge(each["status"]),
            h.progress(value=f"{each['done']:.3f}", max="1", aria_label="done"),
            f"{each['done']:.0%}",
            counted(each["readings"], "reading"),
            each["why"] or each["error"],
            None if each["status"] in OVER else _cancel(each),
        )
        for each in told
    ]
    headers = ("collector", "is", "progress", "done", "has given", "why it waits", "")
    return table("backfills", headers, rows, empty="None.")


def _cancel(told: Told) -> h.Node:
    return to_actions([("cancel-backfill", "Cancel", {"id": str(told["id"])})])
