"""Finds what answers a command: the daemon that holds the state directory, or else its files."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ingestd.cli.backend import Backend
from ingestd.cli.settings import load, load_daemon
from ingestd.errors import ConfigError

if TYPE_CHECKING:
    from ingestd.config import Config

T = TypeVar("T")


def ask(config_path: Path, question: Callable[[Backend], Awaitable[T]]) -> T:
    """Put a question to the daemon, or to its files.

    Raises:
        ConfigError: The configuration is wrong, and no daemon runs that could answer anyway.
    """
    from ingestd.loop import run  # noqa: PLC0415 -- takes its time

    async def asked() -> T:
        async with connected(config_path) as backend:
            return await question(backend)

    return run(asked())


@asynccontextmanager
async def connected(config_path: Path) -> AsyncIterator[Backend]:
    """Connect with the daemon that holds the state directory, or else with its files.

    Raises:
        ConfigError: The configuration is wrong, and no daemon runs that could answer anyway.
    """
    from ingestd.disk import holder  # noqa: PLC0415 -- takes its time

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


def _configured(config_path: Path) -> "tuple[Config, ConfigError | None]":
    """Return the configuration, or what is left of it and what is wrong."""
    try:
        return load(config_path), None
    except ConfigError as wrong:
        config = load_daemon(config_path)
        if config is None:
            raise
        return config, wrong
