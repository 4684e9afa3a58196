"""What a command that speaks the run-contract is told of the runs before, and gives since."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import orjson

from ingestd.plugins._places import Place, Write
from ingestd.plugins._readings import flat

from .runs import Answer, arguments_of, masks_of, updated

Window = tuple[datetime | None, datetime | None]


class RunMemory:
    """What is remembered for a command.

    Args:
        params: Those of the run.
        window: The times to read from and to, of a backfill.
    """

    def __init__(self, params: Any, window: Window = (None, None)) -> None:
        self._given: Mapping[str, Any] = params.params or {}
        self._initial: Mapping[str, Any] = params.initial or {}
        self._state: Mapping[str, Any] = params.state or {}
        self._hidden: Mapping[str, Any] = params.secrets or {}
        self._masks: Mapping[str, str] = params.spent or {}
        self._window = window

    @property
    def state(self) -> Mapping[str, Any]:
        """What it gave as state, and what it has begun with."""
        return {**self._initial, **self._state}

    def arguments(self) -> bytes:
        """Return what the command is given, as a line of JSON."""
        found = arguments_of(
            params=self._given,
            state=self.state,
            hidden=self._hidden,
            masks=self._masks,
            window=self._window,
        )
        return orjson.dumps(found, option=orjson.OPT_NON_STR_KEYS) + b"\n"

    def result(self, answers: Iterable[Answer]) -> dict[str, Any]:
        """Return some results of the command, one behind the other, as one of ours."""
        found: dict[str, Any] = {}
        parts = []
        for answer in answers:
            parts.append(answer.readings)
            if answer.state:
                found["state"] = self._state = updated(self._state, answer.state)
            if answer.hidden or answer.spent:
                self._hidden = updated(self._hidden, answer.hidden)
                self._masks = {**self._masks, **masks_of(answer.spent, self._given)}
                found["hidden"] = {"secrets": self._hidden, "spent": self._masks}
            if answer.problem:
                found["script_error"] = answer.problem
        return {"readings": parts[0] if len(parts) == 1 else flat(parts), **found}

    def writer(self) -> Write:
        """Return what writes values of the state in their places."""
        state = self.state

        def write(place: Place) -> str:
            found = state.get(place.name)
            if isinstance(found, bool):
                return str(found).lower()
            if not isinstance(found, str | int | float):
                raise ValueError(  # noqa: TRY004 -- a program's value
                    f"{{{place.name}}}: expected a text or a number in the state, "
                    f"got {type(found).__name__}"
                )
            return str(found)

        return write
