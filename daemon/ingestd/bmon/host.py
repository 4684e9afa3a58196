"""BMON as its scripts find it here: their settings, its rules for readings, its words for a run."""

import hashlib
import os
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Final, Self

from ingestd.bmon import settings
from ingestd.bmon.record import as_bmon
from ingestd.contract import RunFacts
from ingestd.plugins import _bmonrules

_KEY: Final = os.urandom(32)


@dataclass(frozen=True, slots=True)
class BmonHost:
    """What scripts of BMON expect of the program that runs them.

    Attributes:
        settings: What they find in ``django.conf.settings``.
    """

    name: ClassVar[str] = "bmon"
    title: ClassVar[str] = "BMON"
    provider: ClassVar[str] = settings.__name__
    unavailable: ClassVar[Mapping[str, str]] = {
        "bmsapp": "needs 'bmsapp', which is BMON itself: only BMON can run what reads its database",
    }

    settings: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def mark(self) -> str:
        """A keyed hash of the settings."""
        text = repr(sorted((name, repr(each)) for name, each in self.settings.items()))
        return hashlib.blake2b(text.encode(errors="surrogatepass"), key=_KEY).hexdigest()

    def configured(self, settings: Mapping[str, Any]) -> Self:
        """Return BMON with the settings of one collector."""
        return replace(self, settings=settings)

    def provided(self) -> AbstractContextManager[None]:
        """Give the settings to what is called within, in this thread."""
        return settings.provided(self.settings)

    def convert(self, readings: Iterable[Any], *, now: float) -> _bmonrules.Converted:
        """Make of readings what BMON would store."""
        return _bmonrules.convert(readings, now=now)

    def told(self, run: RunFacts) -> dict[str, str | float]:
        """Return what BMON would show its administrators of a run."""
        return as_bmon(run)
