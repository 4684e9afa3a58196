"""A run that was asked for: with params of its own, and without moving the collector's position."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ingestd.calling import PluginResult
from ingestd.collecting import Conversion, Run
from ingestd.contract import Result
from ingestd.model import Priority, Receipt


@dataclass(kw_only=True)
class RunOnRequest(Run):
    """One call of a collector's plugin, apart from its schedule.

    Attributes:
        given: What is laid over what is configured and remembered, never over what is hidden.
        commit: Whether it counts as a scheduled run does: for the state, and for its series.
        document: What it gave under ``result``, as JSON, or None.
    """

    given: Mapping[str, Any] = field(repr=False)
    commit: bool
    document: str | None = field(default=None, repr=False)

    @property
    def _overrides(self) -> Mapping[str, Any]:
        return {name: each for name, each in self.given.items() if name not in self.hidden}

    def _priority(self, _given: PluginResult, _result: Result) -> Priority:
        # It has succeeded only when they are safe, so none may be dropped; they wait for room.
        return Priority.SOURCE_KEEPS

    def _follow(self, readings: Sequence[Any], found: Conversion) -> None:
        """Note how far the series have come, unless that says nothing of the schedule."""
        if self.commit:
            super()._follow(readings, found)

    def _keep(self, given: PluginResult, result: Result, receipts: Sequence[Receipt]) -> None:
        """Keep the document, and the secrets at once; the state only if that was asked for."""
        if result.document is not None:
            self.document = result.document
        # A code that is used up is the operator's only if it came from the configuration.
        used_up = result.delete_params - self.given.keys()
        result = replace(result, delete_params=used_up)
        if self.commit:
            super()._keep(given, result, receipts)
            return
        remembering = self._with_secrets_of(result)
        if remembering(self._committer.memory) != self._committer.memory:
            self._committer.amend(remembering)
