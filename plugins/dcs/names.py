"""What sources were called when they were first named, so that a series stays one series.

Meters are renamed at the server, and get other units and serial numbers. Tags belong to
the identity of a series, so a series whose tags follow would end, and another one begin.
What a series and its tags are made of is therefore kept in the collector's state as it
was first; a change is told, and taken over only if the operator wants that.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ingestd.plugins._templates import Template

from .sources import Source
from .templates import LASTING


class Names:
    """The names of sources in templates.

    Args:
        kept: What the state has of them: by the id of the source, field to text.
        templates: What is to be filled.
        follow: Whether names that have changed are taken over.

    Attributes:
        changed: What has changed at the server, by the label of the source, for people.
    """

    def __init__(self, kept: Any, templates: Sequence[Template], *, follow: bool) -> None:
        known = kept if isinstance(kept, Mapping) else {}
        self._before = {
            key: {name: str(text) for name, text in fields.items()}
            for key, fields in known.items()
            if isinstance(fields, Mapping)
        }
        self._kept: dict[str, dict[str, str]] = dict(self._before)
        self._fields = sorted(frozenset().union(*(each.fields for each in templates)) - LASTING)
        self._follow = follow
        self.changed: dict[str, str] = {}

    def fields(self, source: Source, quantity: str) -> dict[str, str]:
        """Return what templates are filled with for a quantity of a source."""
        return {**source.fields(quantity), **self._kept.get(source.id, {})}

    def meet(self, source: Source) -> None:
        """Note what a source is called now, unless that is known."""
        now = source.fields("")
        before = self._before.get(source.id, {})
        kept = {
            name: before[name] if name in before and not self._follow else now[name]
            for name in self._fields
        }
        changes = [
            f"{name} {before[name]!r} to {now[name]!r}"
            for name in self._fields
            if before.get(name, now[name]) != now[name]
        ]
        if changes:
            self.changed[source.id] = ", ".join(changes)
        if kept:
            self._kept[source.id] = kept

    @property
    def consequence(self) -> str:
        """What becomes of series whose names or tags have it, for people."""
        if self._follow:
            return "its series end, and others begin"
        return "its series keep what they had (renamed: follow takes over what is new)"

    @property
    def state(self) -> dict[str, Any]:
        """What the state has to keep, if that is something else than it has."""
        return {} if self._kept == self._before else {"names": self._kept}
