"""All ready routes of a collector, as its stream sees them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .described import Described
from .homeassistant import HomeAssistant
from .kind import Ready
from .message import Outgoing


class ReadyRoutes:
    """The ready routes of a collector; most have none."""

    def __init__(self, routes: Iterable[Ready]) -> None:
        self._routes = tuple(routes)
        self._described = [each for each in self._routes if isinstance(each, Described)]

    def __bool__(self) -> bool:
        return bool(self._routes)

    def recall(self, described: Mapping[str, Any] | None) -> None:
        """Take the descriptions of earlier runs from the state."""
        for each in self._described:
            each.recall(described or {})

    def describes(self, topic: str) -> bool:
        """Say whether what is retained of a topic is wanted in any case."""
        return any(each.describes(topic) for each in self._routes)

    def connected(self) -> None:
        """Take note of a new connection."""
        for each in self._routes:
            each.connected()

    def state(self) -> dict[str, Any]:
        """Return what is to be put into the state: all descriptions, if any has changed."""
        if not any(each.changed for each in self._described):
            return {}
        for each in self._described:
            each.changed = False
        return {
            "described": {
                topic: kept for each in self._described for topic, kept in each.kept.items()
            }
        }

    def outgoing(self) -> Iterator[Outgoing]:
        """Yield what is to be published, once."""
        for each in self._routes:
            yield from each.outgoing()

    def warnings(self) -> Iterator[dict[str, Any]]:
        """Yield what a person should know, once."""
        for each in self._routes:
            if isinstance(each, HomeAssistant):
                yield from each.warnings()
