"""One collector: how it is, its last error, its runs, its series, its config and its plugin."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

import htpy as h

from ingestd.health import counted, span
from ingestd.pages.backfills import backfills_table
from ingestd.pages.frame import Page
from ingestd.pages.parts import (
    RUNS,
    badge,
    exactly,
    facts,
    folded,
    moment,
    section,
    table,
    to_actions,
    verbatim,
)
from ingestd.pages.runs import runs_table
from ingestd.pages.series import PATH as SERIES
from ingestd.pages.words import NOTHING, Viewing

Told = Mapping[str, Any]
MOST_LATE: Final = 100  # series


def page(told: Told, viewing: Viewing) -> Page:
    """Show a collector.

    Args:
        told: ``collector``, ``state``, ``runs`` and ``backfills`` in the API's JSON;
            ``options``, what the operator wrote; ``plugin``, what its file says of it, or None.
        viewing: When somebody looks.
    """
    collector = told["collector"]
    content = [
        _health(collector, viewing),
        _actions(collector),
        _last_error(collector),
        section(
            "Last runs",
            runs_table(told["runs"], viewing, named=False),
            h.p[h.a(href=f"{RUNS}?{_only(collector['name'])}")["All runs on record"]],
        ),
        section("Backfills", backfills_table(told["backfills"])) if told["backfills"] else None,
        section("Series", _series(collector, viewing)),
        section("Configuration", _options(collector, told["options"])),
        section("State", _state(told["state"])),
        section("Plugin", _plugin(told["plugin"])),
    ]
    return Page(collector["name"], content, live=True)


def _only(name: str) -> str:
    return urlencode({"collector": name}, errors="replace")


def _health(told: Told, viewing: Viewing) -> h.Node:
    running = told["running"]
    since = [" since ", moment(running["since"], viewing)] if running else None
    gives = f", {counted(running['readings'], 'reading')} so far" if running else None
    backs_off = f"leaves its source alone for {span(told['backing_off_for'])}"
    return [
        h.p(class_="lead")[badge(told["state"]), " ", told["why"]],
        facts(
            {
                "plugin": told["plugin"],
                "schedule": told["schedule"],
                "running": ["now", since, gives] if running else None,
                "next run": exactly(told["next_run"], viewing) if told["next_run"] else None,
                "after failures": backs_off if told["backing_off_for"] else None,
                "newest reading": exactly(told["last_reading"], viewing),
                "expected every": span(told["cadence"]) if told["cadence"] else None,
                "written in": h.code[told["where"]],
            }
        ),
    ]


def _actions(told: Told) -> h.Node:
    if told["state"] == "disabled":
        return None
    about = {"collector": told["name"]}
    return to_actions(
        [
            ("run", "Run now", about),
            ("backfill", "Read the past anew", about),
            ("reset", "Reset its state", about),
        ]
    )


def _last_error(told: Told) -> h.Node:
    last = told["last_run"]
    if not last or not last["error"]:
        return None
    return section(
        "Last error",
        verbatim(last["error"]),
        folded("Traceback", last["details"]),
        folded("What it printed", last["output"]),
    )


def _series(told: Told, viewing: Viewing) -> h.Node:
    late = told["late_series"][:MOST_LATE]
    rows = [
        (
            [each["series"], tags(each["tags"])],
            span(each["silent"]),
            NOTHING if each["every"] is None else span(each["every"]),
            moment(each["newest"], viewing),
        )
        for each in late
    ]
    known = h.a(href=f"{SERIES}?{_only(told['name'])}")[f"{told['series']:,} known"]
    said: h.Node = [known, f", {told['late']:,} late"]
    headers = ("late series", "silent for", "expected every", "newest reading")
    return [h.p[said], table("late series", headers, rows, empty="") if rows else None]


def tags(told: Mapping[str, str]) -> h.Node:
    """Return the tags of a series."""
    text = ", ".join(f"{name}={value}" for name, value in told.items())
    return h.div(class_="why")[text] if text else None


def _options(collector: Told, told: Sequence[Told]) -> h.Node:
    rows = [(h.code[each["option"]], h.code[each["value"]], each["where"]) for each in told]
    headers = ("option", "value", "written in")
    return table(f"configuration of {collector['name']}", headers, rows, empty="Nothing.")


def _state(told: Told) -> h.Node:
    hidden = told["hidden"]["keys"]
    secret = h.p[f"{counted(hidden, 'value')} beside it that is never shown."] if hidden else None
    masks = ", ".join(told["masks"])
    removed = h.p[f"Params that the plugin has deleted: {masks}."] if masks else None
    text = json.dumps(told["state"], indent=2, ensure_ascii=False, default=str)
    nothing = h.p(class_="none")["It remembers nothing."]
    return [verbatim(text) if told["state"] else nothing, secret, removed]


def _plugin(told: Told | None) -> h.Node:
    if told is None:
        return h.p(class_="none")["It has not been loaded yet."]
    return [
        facts({"file": h.code[told["path"]], "kind": told["kind"]}),
        folded("Documentation", told["doc"]),
    ]
