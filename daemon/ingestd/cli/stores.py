"""The stores of the configuration, opened for a command."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ingestd.config import EmbeddedStore, StoreConfig
from ingestd.sinks import Sink, make_sink


@asynccontextmanager
async def opened(config: StoreConfig) -> AsyncIterator[Sink | None]:
    """Make the adapter to a store; None for a file that is not there yet.

    Looking for readings must not leave an empty file behind, least of all one that
    belongs to another user than the daemon's.
    """
    if isinstance(config, EmbeddedStore) and not config.path.exists():
        yield None
        return
    sink = make_sink(config)
    try:
        yield sink
    finally:
        await sink.close()
