"""What commands ask, of a running daemon or of the files where none runs.

Both answer in the API's own JSON, so a command is written once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

Json = dict[str, Any]
Follow = Callable[[Json], None]  # told of a backfill again and again, as the API shows it


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillRequest:
    """What is to be read again.

    Attributes:
        collector: Whose plugin reads it.
        spans: From each first time to before each second one, in Unix seconds.
        chunk: The longest span for one call of the plugin, in seconds; None for the default.
        rate: The most readings in a second, or None for no limit.
    """

    collector: str
    spans: Sequence[tuple[float, float]]
    chunk: float | None
    rate: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAsked:
    """A run that is asked for.

    Attributes:
        collector: Whose plugin is called.
        project: What the run is about, or None.
        trace: Which part of that, or None.
        input: A document that the plugin is given instead, or None.
        params: What is laid over the collector's params.
        key: What the request is called, so that it can be made again; or None.
        commit: Whether what the plugin gives as state is remembered.
    """

    collector: str
    project: str | None = None
    trace: str | None = None
    input: Any = field(default=None, repr=False)
    params: Mapping[str, Any] = field(default_factory=dict, repr=False)
    key: str | None = None
    commit: bool = False


class Backend(Protocol):
    """Answers in the API's JSON.

    Every method raises IngestError where there is no answer.
    """

    async def status(self) -> Json:
        """Say how everything is; ``pid`` is None if no daemon runs."""

    async def collectors(self) -> list[Json]:
        """List the collectors."""

    async def run_now(self, collector: str) -> Json:
        """Run a collector and return the record of the run."""

    async def runs(
        self,
        *,
        collector: str | None,
        limit: int,
        before: int | None = None,
        failing: bool = False,
    ) -> list[Json]:
        """List runs, the newest first: those with a lower number, or that failed, if asked to."""

    async def forget_series(self, collector: str, series: str, tags: Mapping[str, str]) -> bool:
        """Forget a series of a collector, so that it is late no more; say whether it was known."""

    async def run(self, run_id: int) -> Json:
        """Return the record of one run."""

    async def ask_for_run(self, wanted: RunAsked, *, wait: bool) -> Json:
        """Ask for a run; return it at once, or once it has ended."""

    async def requested_runs(
        self, *, collector: str | None, status: str | None, limit: int, before: str | None
    ) -> list[Json]:
        """List requested runs, the newest first: those that stand so if a status is given."""

    async def requested_run(self, name: str) -> Json:
        """Return a requested run."""

    async def run_result(self, name: str) -> Json:
        """Return what a requested run that has succeeded gave."""

    async def cancel_run(self, name: str) -> Json:
        """Give up a requested run, and return it."""

    async def state(self, collector: str) -> Json:
        """Return what is remembered for a collector, what is hidden only counted."""

    async def reset(self, collector: str, *, masks: bool) -> None:
        """Forget what is remembered for a collector; which params are masked only if asked to."""

    async def keep_hidden(self, collector: str, hidden: Mapping[str, Any]) -> None:
        """Give the next runs of a collector secrets, beside those that it has."""

    async def spool(self) -> list[Json]:
        """List what waits on disk for each store."""

    async def move_spool(self, name: str, store: str, *, overwrite: bool) -> Json:
        """Give a store what waits for a former one; return how many readings of each kind."""

    async def drop_spool(self, name: str) -> int:
        """Delete what waits for a former store; return how many readings."""

    async def dead_letters(self, *, store: str | None, after: int, limit: int) -> list[Json]:
        """List dead letters in the order of their numbers."""

    async def retry(self, store: str, ids: Sequence[int] | None) -> int:
        """Queue dead letters again, all of them for None; return how many."""

    async def purge(self, store: str, ids: Sequence[int] | None) -> int:
        """Forget dead letters, all of them for None; return how many."""

    async def latest(self, *, within: float, series: str | None, store: str | None) -> list[Json]:
        """List the newest reading of each series that has one in so many seconds."""

    async def series(self, collector: str) -> list[Json]:
        """List the series that a collector has given."""

    async def backfills(self, collector: str | None = None) -> list[Json]:
        """List the backfills of one collector, or of all, the newest first."""

    async def backfill(self, wanted: BackfillRequest, follow: Follow | None) -> Json:
        """Begin a backfill, or go on with the one that was asked for in the same words.

        Returns it at its end, or at once if ``follow`` is None.
        """

    async def cancel_backfill(self, number: int) -> Json:
        """Give up a backfill, and return how far it came."""

    async def absent(self, collector: str) -> list[Json]:
        """List what the source of a collector is known not to have."""

    async def note_absent(self, collector: str, holes: Sequence[Json]) -> None:
        """Keep what the source of a collector does not have: series, tags, start and end."""

    async def plugins(self) -> list[Json]:
        """List the plugins that have a name."""

    async def reload(self) -> Json:
        """Have the configuration read again; return ``changes`` and ``warnings``."""
