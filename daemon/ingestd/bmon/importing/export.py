"""What BMON says of its periodic scripts, and what becomes of it here.

BMON keeps three texts of YAML for each script that is set up: its parameters,
its visible results and its hidden ones. The results are what its next run gets
back, so they are state and hidden here; but among the visible ones BMON also
notes how the run went, and when storing failed it leaves hidden ones there.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ingestd.bmon.importing.tables import printable
from ingestd.errors import StateError
from ingestd.records import yamlvalues

# What BMON notes of a run, or what its host should have taken out.
BOOKKEEPING: Final = frozenset(
    {"script_start_time", "script_execution_time", "script_error", "reading_insert_message"}
)
PYTHON_TAG: Final = re.compile(r"!!python/[\w:./-]+")
UNUSED: Final = 3600.0  # seconds; a period is needed even where a script never runs


@dataclass(frozen=True, slots=True)
class Setup:
    """One script as it was set up in BMON.

    Attributes:
        name: What its collector is called: the same in every export.
        script: The name of its module.
        description: What the administrator called it.
        every: The time from one run to the next, in seconds.
        enabled: Whether it ran.
        notes: What a person should look at.
    """

    name: str
    script: str
    description: str
    every: float
    enabled: bool
    params: Mapping[str, Any] = field(repr=False)
    state: Mapping[str, Any] = field(repr=False)
    hidden: Mapping[str, Any] = field(repr=False)
    notes: tuple[str, ...] = ()


def setups(records: Sequence[Mapping[str, Any]]) -> list[Setup]:
    """Return what the records mean here."""
    return [_setup(record, place) for place, record in enumerate(records, start=1)]


def _setup(record: Mapping[str, Any], place: int) -> Setup:
    notes: list[str] = []
    # BMON, too, forgets everything after the first dot.
    script = str(record.get("script_file_name") or "").strip().partition(".")[0]
    given = _document(record, "script_parameters", notes)
    params = given or {}
    visible = _document(record, "script_results", notes) or {}
    hidden = _document(record, "hidden_script_results", notes) or {}
    if "script_error" in visible and not visible.keys() - BOOKKEEPING and not hidden:
        notes.append("its last run failed in BMON, which has erased its state: it begins anew")
    hidden = {**_leaked(visible), **hidden}
    for name in _deleted(visible):
        params.pop(name, None)
    every, enabled = _period(record.get("period"), notes)
    if given is None:
        notes.append("its parameters could not be read: write them by hand: disabled")
    number = record.get("id")
    return Setup(
        name=f"{_label(script)}-{place if number is None else number}",
        script=script,
        description=printable(record.get("description")),
        every=every,
        enabled=enabled and given is not None,
        params=params,
        state={name: value for name, value in visible.items() if name not in BOOKKEEPING},
        hidden=hidden,
        notes=tuple(notes),
    )


def _document(record: Mapping[str, Any], column: str, notes: list[str]) -> dict[str, Any] | None:
    """Return one of the texts as BMON would load it, empty where that is no mapping.

    Returns:
        None if it cannot be read.
    """
    text = record.get(column) or ""
    try:
        loaded = yamlvalues.loads(str(text), where=column)
    except StateError as exc:
        if tag := PYTHON_TAG.search(str(text)):
            notes.append(f"{column}: hold an object of Python ({tag[0]}): left out")
            return None
        # A NumPy scalar among the results is the usual reason; BMON cannot load it either.
        notes.append(f"{exc}: left out")
        return None
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        notes.append(f"{column}: expected a mapping, got {type(loaded).__name__}: left out")
        return {}
    for name in [each for each in loaded if not isinstance(each, str)]:
        notes.append(f"{column}: expected names that are text, got {name!r:.40}: left out")
        del loaded[name]
    return loaded


def _leaked(visible: dict[str, Any]) -> dict[str, Any]:
    """Take back the hidden results that BMON leaves among the others when storing fails."""
    visible.pop("readings", None)
    leaked = visible.pop("hidden", None)
    return leaked if isinstance(leaked, dict) else {}


def _deleted(visible: dict[str, Any]) -> Iterator[str]:
    """Take the deletions that BMON has not carried out for the same reason."""
    names = visible.pop("delete_params", None)
    yield from (str(name) for name in names) if isinstance(names, list) else ()


def _period(period: Any, notes: list[str]) -> tuple[float, bool]:
    try:
        seconds = float(period)
    except (TypeError, ValueError):
        seconds = -1.0
    if seconds == 0:
        notes.append("was disabled in BMON (period 0)")
    elif not 1 <= seconds <= 366 * 86_400:
        notes.append(f"period: expected seconds, got {period!r:.40}: disabled")
        seconds = 0.0
    return (seconds, True) if seconds else (UNUSED, False)


def _label(script: str) -> str:
    """Return the name of a script as a part of a collector's."""
    text = "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "-" for c in script)
    return text.strip("-") or "script"
