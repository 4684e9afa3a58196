"""A plugin's result, taken apart: readings, state, hidden state and requests.

Pure. A result that was made in a worker process has been through
``result_as_builtins`` there. What becomes of the readings is told in
``collecting/points.py``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ingestd.contract.builtins import (
    as_builtins,
    check_spelling,
    foreign_errors,
    listed,
    text_keys,
)
from ingestd.contract.jsonable import json_text
from ingestd.contract.keepable import check_keepable
from ingestd.errors import ResultError

DEGRADED: Final = ("script_error", "script_errors")


@dataclass(frozen=True)
class Result:
    """One result of a plugin, taken apart.

    Attributes:
        readings: As the plugin wrote them, but of plain types.
        state: What the next run gets back and the operator may see.
        hidden: The same, but secret.
        delete_params: Names to mask in the collector's params from now on.
        degraded: What the plugin itself reported as wrong, or an empty string.
        unread: The names of the series that it reported as wrong; empty if it named none.
        document: What it gave under ``result``, as JSON, or None.
    """

    readings: Sequence[Any]
    state: Mapping[str, Any]
    hidden: Mapping[str, Any] = field(repr=False)
    delete_params: frozenset[str]
    degraded: str
    unread: frozenset[str] = frozenset()
    document: str | None = field(default=None, repr=False)

    @property
    def remembers(self) -> bool:
        """Whether the next run will know more for it than that something was wrong."""
        return bool(self.hidden) or not self.state.keys() <= set(DEGRADED)


def take_apart(result: object, *, hosted: bool = False) -> Result:
    """Sort a result into readings, state, hidden and requests.

    State and hidden are copied, so that a plugin that goes on changing them
    does not change what it handed over. The readings are left as they are.

    Args:
        result: What ``run`` gave.
        hosted: Whether the plugin was written for a host; none of these knows the key
            ``result``, so there it is state like any other.

    Raises:
        ResultError: It is not a dict, or a part of it cannot be kept.
    """
    with foreign_errors():
        parts = text_keys(result)
        check_spelling(parts)
        readings = listed(parts.pop("readings", None))
        names = _names(parts.pop("delete_params", None))
        hidden = _hidden(parts.pop("hidden", None))
        document = None if hosted else _document(parts.pop("result", None))
        state = {name: as_builtins(value, where=name) for name, value in parts.items()}
    check_keepable(state, where="state")
    check_keepable(hidden, where="hidden")
    problem = next((state[name] for name in DEGRADED if state.get(name)), "")
    return Result(readings, state, hidden, names, _told(problem), _unread(problem), document)


def _told(problem: Any) -> str:
    """Return a problem as a text; one of several series is told once."""
    if not isinstance(problem, dict):
        return str(problem)
    return "; ".join(dict.fromkeys(map(str, problem.values())))


def _unread(problem: Any) -> frozenset[str]:
    return frozenset(map(str, problem)) if isinstance(problem, dict) else frozenset()


def _document(value: object) -> str | None:
    return None if value is None else json_text(as_builtins(value, where="result"), where="result")


def _hidden(value: object) -> dict[str, Any]:
    hidden = {} if value is None else as_builtins(value, where="hidden")
    if not isinstance(hidden, dict) or not all(isinstance(key, str) for key in hidden):
        raise ResultError(f"hidden: expected a dict with text keys, got {type(hidden).__name__}")
    return hidden


def _names(value: object) -> frozenset[str]:
    if value is None:
        return frozenset()
    if not isinstance(value, Collection) or isinstance(value, (str, bytes, Mapping)):
        raise ResultError(f"delete_params: expected a list of names, got {type(value).__name__}")
    return frozenset(map(str, value))
