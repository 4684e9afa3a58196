"""What a system that plugins were written for has to offer, so that they run here unchanged.

The packages that call plugins know only this protocol. Which hosts there are is
told in ``ingestd.hosts``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol


class RunFacts(Protocol):
    """What a host may know of a run that has ended."""

    @property
    def started(self) -> float:
        """When it began, in seconds since the Unix epoch."""

    @property
    def seconds(self) -> float:
        """How long it took, in seconds."""

    @property
    def readings(self) -> int:
        """How many readings the plugin gave."""

    @property
    def points(self) -> int:
        """How many of those can be stored."""

    @property
    def unusable(self) -> Mapping[str, int]:
        """How many cannot, by reason."""

    @property
    def error(self) -> str:
        """Why the run failed, in a line, or an empty text."""

    @property
    def details(self) -> str:
        """The traceback of the failure, or an empty text."""


class HostReadings(Protocol):
    """What the rules of a host make of some readings."""

    @property
    def readings(self) -> Sequence[Any]:
        """Those that can be stored, as the contract has them."""

    @property
    def unusable(self) -> Counter[str]:
        """How many cannot be stored, by reason."""

    @property
    def samples(self) -> Sequence[str]:
        """A few of the unusable ones, described for people."""

    @property
    def notes(self) -> Sequence[str]:
        """What the record of the run tells besides."""


class Host(Protocol):
    """A system that plugins were written for, as their runs find it here."""

    @property
    def name(self) -> str:
        """What ``compat:`` calls it; a record has what it tells of the run under this key."""

    @property
    def title(self) -> str:
        """What its users call it."""

    @property
    def provider(self) -> str:
        """The module whose ``provide`` gives a worker process what plugins import of it.

        ``provide(None)`` gives it for a look at a plugin whose collector is not known.
        """

    @property
    def settings(self) -> Mapping[str, Any]:
        """What the operator wrote for the plugin; the provider gets it."""

    @property
    def unavailable(self) -> Mapping[str, str]:
        """Modules that only the host itself has: their names, and what to say of each."""

    @property
    def mark(self) -> str:
        """A text that differs where the settings do, and tells nothing of them."""

    def configured(self, settings: Mapping[str, Any]) -> Host:
        """Return the host with the settings of one collector."""

    def provided(self) -> AbstractContextManager[None]:
        """Give plugins what they import of it to what is called within, in this thread."""

    def convert(self, readings: Iterable[Any], *, now: float) -> HostReadings:
        """Make of readings what the host would store.

        Args:
            readings: Of plain builtins.
            now: The time of those that have none, in seconds since the Unix epoch.
        """

    def told(self, run: RunFacts) -> Mapping[str, str | float]:
        """Return what the host would show its users of a run."""


def unavailable_modules(hosts: Iterable[Host]) -> dict[str, str]:
    """Return the modules that only the hosts themselves have, and what to say of each."""
    return {name: text for each in hosts for name, text in each.unavailable.items()}
