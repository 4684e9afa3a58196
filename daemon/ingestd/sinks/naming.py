"""Whether a store would read back the names that the configuration gives."""

from collections.abc import Iterator

from ingestd.config import InfluxStore, StoreConfig, VictoriaStore
from ingestd.sinks.lineprotocol import Dialect, misread, unsayable


def name_problems(store: StoreConfig, role: str, name: str) -> Iterator[str]:
    """Yield why a store would not read a name back the same.

    Args:
        store: One that is configured.
        role: ``measurement`` or ``field``.
        name: What the operator wrote.
    """
    if not isinstance(store, InfluxStore | VictoriaStore):
        return
    dialect = Dialect(doubles_backslashes=isinstance(store, VictoriaStore))
    yield from unsayable(name, dialect)
    yield from misread(role, name, dialect)
