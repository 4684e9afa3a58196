"""The run-contract as JSON: what a program in any language is given, and what it gives back.

It gets what ``run`` of a plugin would get as an object, and writes an object with ``readings``,
``hidden``, ``delete_params``, ``script_error`` and ``notes``; whatever else is in it is state.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

import orjson

from ingestd.plugins._times import Notation, settle_readings

# What an object has beside state.
PARTS: Final = ("readings", "hidden", "delete_params", "script_error", "script_errors", "notes")
LONGEST_SHOWN: Final = 120  # characters of what is no such object


class AnswerProblem(ValueError):
    """What a program has written is no result of a run."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One result of a program.

    Attributes:
        readings: As the daemon takes them.
        state: Names and values; those that are None are to be forgotten.
        hidden: The same, but secret.
        spent: The names of params that are used up.
        problem: What it reports as wrong, or None.
        notes: What people may want to know.
    """

    readings: Sequence[Any]
    state: Mapping[str, Any]
    hidden: Mapping[str, Any] = field(repr=False)
    spent: Sequence[str]
    problem: Any
    notes: Sequence[str]


class RunReader:
    """Reads results.

    Args:
        notation: How times are written.
    """

    def __init__(self, notation: Notation) -> None:
        self._notation = notation

    def answer(self, data: bytes) -> Answer:
        """Return the result in a JSON document.

        Raises:
            AnswerProblem: There is none.
        """
        try:
            found = orjson.loads(data)
        except orjson.JSONDecodeError as error:
            shown = data[:LONGEST_SHOWN].decode(errors="replace")
            text = f"expected a result of a run as JSON, got {shown!r}: {error}"
            raise AnswerProblem(text) from None
        return self.read(found)

    def read(self, found: Any) -> Answer:
        """Return the result that an object is.

        Raises:
            AnswerProblem: It is none.
        """
        if not isinstance(found, dict):
            kind = type(found).__name__
            raise AnswerProblem(f"expected a result of a run, an object, got a {kind}")
        state = {name: value for name, value in found.items() if name not in PARTS}
        _check_spelling(state)
        return Answer(
            readings=self._readings(_part(found, "readings", list)),
            state=state,
            hidden=_part(found, "hidden", dict),
            spent=[str(each) for each in _part(found, "delete_params", list)],
            problem=found.get("script_error") or found.get("script_errors"),
            notes=[str(each) for each in _part(found, "notes", list)],
        )

    def _readings(self, listed: Sequence[Any]) -> Sequence[Any]:
        """Return readings with their times read; what is no reading stays, to be counted."""
        read = self._notation.read
        found = [
            (read(each[0]) if isinstance(each[0], str) else each[0], *each[1:])
            if isinstance(each, list) and len(each) in {3, 4}
            else each
            for each in listed
        ]
        if all(isinstance(each, tuple) for each in found):
            return settle_readings(found)
        return found


def _part(found: Mapping[str, Any], name: str, kind: type) -> Any:
    """Return a part of a result, empty if it is missing.

    Raises:
        AnswerProblem: It is of another kind.
    """
    value = found.get(name)
    if value is None:
        return kind()
    if not isinstance(value, kind):
        expected = "an object" if kind is dict else "a list"
        raise AnswerProblem(f"{name}: expected {expected}, got a {type(value).__name__}")
    return value


def _check_spelling(state: Mapping[str, Any]) -> None:
    """Refuse readings under another name: as state they would be kept, and never stored.

    Raises:
        AnswerProblem: There is a list under a name that is nearly right.
    """
    for name, value in state.items():
        if isinstance(value, list) and name.strip().lower() in {"reading", "readings"}:
            raise AnswerProblem(f"expected 'readings' as the name of the readings, got {name!r}")


def updated(before: Mapping[str, Any], answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is remembered after a result: null forgets."""
    return {name: value for name, value in {**before, **answer}.items() if value is not None}


def arguments_of(
    *,
    params: Mapping[str, Any],
    state: Mapping[str, Any],
    hidden: Mapping[str, Any],
    masks: Mapping[str, str],
    window: tuple[datetime | None, datetime | None],
) -> dict[str, Any]:
    """Return what a program is given.

    Args:
        params: What the operator wrote.
        state: What it gave as state.
        hidden: What it gave as hidden.
        masks: The marks of params that are used up.
        window: The times to read from and to, of a backfill; None for both in a run.
    """
    wanted = {name: each for name, each in params.items() if masks.get(name) != mark(each)}
    start, end = (None if each is None else each.isoformat() for each in window)
    return {**hidden, **state, **wanted, "start": start, "end": end}


def masks_of(names: Sequence[str], params: Mapping[str, Any]) -> dict[str, str]:
    """Return the marks of params that are used up."""
    return {name: mark(params[name]) for name in names if name in params}


def mark(value: Any) -> str:
    """Return what tells a value from others without telling it."""
    data = orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    return sha256(data).hexdigest()[:16]
