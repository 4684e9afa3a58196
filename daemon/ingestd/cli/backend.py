"""What commands ask: of a running daemon over its API, or of the files where none runs.

Both answer in the API's own JSON, so a command is written once.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from ingestd.cli.settings import load, load_daemon
from ingestd.config import Config
from ingestd.disk import holder
from ingestd.errors import ConfigError

T = TypeVar("T")
Json = dict[str, Any]
Follow = Callable[[Json], None]  # told of a backfill again and again, as the API shows it


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
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


class Backend(Protocol):
    """Answers in the API's JSON.

    Every method raises IngestError where there is no answer.
    """

    async def status(self) -> Json:
        """Say how everything is; ``pid`` is None if no daemon runs."""

    async def collectors(self) -> list[Json]:
        """List the collectors."""

    async def run_now(self, collector: str) -> Json:
        """Run a collector and return the record of that."""

    async def runs(self, *, collector: str | None, limit: int) -> list[Json]:
        """List runs, the newest first."""

    async def run(self, run_id: int) -> Json:
        """Return the record of one run."""

    async def state(self, collector: str) -> Json:
        """Return what is remembered for a collector, what is hidden only counted."""

    async def reset(self, collector: str, *, masks: bool) -> None:
        """Forget that."""

    async def spool(self) -> list[Json]:
        """List what waits on disk for each store."""

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

    async def backfill(self, wanted: Wanted, follow: Follow | None) -> Json:
        """Begin a backfill, or go on with the one that was asked for in the same words.

        Returns it at its end, or at once if nobody follows it.
        """

    async def cancel_backfill(self, number: int) -> Json:
        """Give up a backfill, and return how far it came."""

    async def plugins(self) -> list[Json]:
        """List the plugins that have a name."""

    async def reload(self) -> Json:
        """Have the configuration read again; return ``changes`` and ``warnings``."""


def ask(config_path: Path, question: Callable[[Backend], Awaitable[T]]) -> T:
    """Put a question to whoever can answer it.

    Raises:
        ConfigError: Nobody can, because the configuration is wrong.
    """

    async def asked() -> T:
        async with connected(config_path) as backend:
            return await question(backend)

    return asyncio.run(asked())


@asynccontextmanager
async def connected(config_path: Path) -> AsyncIterator[Backend]:
    """Find the daemon that holds the state directory, or else its files."""
    config, wrong = _configured(config_path)
    found = holder(config.daemon.state_dir)
    if found is not None and found.listen:
        from ingestd.cli.remote import Remote  # noqa: PLC0415 -- takes its time

        async with Remote.connect(found.listen, config.daemon.token) as remote:
            yield remote
        return
    if wrong is not None:
        raise wrong
    from ingestd.cli.offline import Offline  # noqa: PLC0415 -- takes its time

    yield Offline(config, found)


def _configured(config_path: Path) -> tuple[Config, ConfigError | None]:
    """Return the configuration, or what is left of it and what is wrong."""
    try:
        return load(config_path), None
    except ConfigError as wrong:
        config = load_daemon(config_path)
        if config is None:
            raise
        return config, wrong
