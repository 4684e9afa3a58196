"""Ready routes whose values mean something only beside what describes them.

Descriptions are retained messages, so they come with each connection. But what waits at the
broker while the daemon is away comes before them. So they are kept in the state of the collector:
a message that cannot be read yet would be acked and lost.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from ingestd.plugins._readings import Reading

from .kind import Ready
from .message import Message, Subscription, fits


class Described(Ready):
    """Keeps descriptions, and asks for the topics that they name.

    Attributes:
        kept: What is left of each description, by its topic.
        changed: Whether that is other than when it was last put into the state.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.kept: dict[str, Any] = {}
        self.changed = False
        self._stale = False
        super().__init__(options)

    @property
    def subscriptions(self) -> list[Subscription]:
        """What the broker is asked for: descriptions, and what they name."""
        about = [Subscription(each, self.qos, describes=True) for each in super_filters(self)]
        return [*about, *(Subscription(each, self.qos) for each in self.named())]

    def named(self) -> list[str]:
        """Return the filters that descriptions name."""
        raise NotImplementedError

    def matches(self, topic: str) -> bool:
        """Say whether a topic describes, or is named by what does."""
        return self.describes(topic) or any(fits(each.split("/"), topic) for each in self.named())

    def describes(self, topic: str) -> bool:
        """Say whether a topic describes others."""
        return any(fits(levels, topic) for levels in self._levels)

    def recall(self, kept: Mapping[str, Any]) -> None:
        """Take descriptions from the state, those that are of this route."""
        self.kept = {topic: each for topic, each in kept.items() if self.describes(topic)}
        self._stale = True

    def readings(self, message: Message) -> Iterator[Reading]:
        """Yield the readings of a message; a description is kept."""
        if not self.describes(message.topic):
            self.refresh()
            yield from self.values(message)
            return
        found = self.description(message)
        if found == self.kept.get(message.topic):
            return
        self.kept.pop(message.topic, None)
        if found is not None:
            self.kept[message.topic] = found
        self.changed = self._stale = True
        self.noted(message.topic)

    def noted(self, topic: str) -> None:
        """Take note of a new description."""

    def refresh(self) -> None:
        """Read the descriptions anew, if there are others."""
        if self._stale:
            self._stale = False
            self.learn()

    def learn(self) -> None:
        """Read all descriptions that are kept."""
        raise NotImplementedError

    def description(self, message: Message) -> Any:
        """Return what is to be kept of a description, in the form of JSON; None for nothing.

        Raises:
            DocumentError: It is not written as it should be.
        """
        raise NotImplementedError

    def values(self, message: Message) -> Iterator[Reading]:
        """Yield the readings of a message that descriptions tell of."""
        raise NotImplementedError


def super_filters(route: Described) -> list[str]:
    """Return the filters of descriptions."""
    return [route.below_base(each) for each in route.filters()]
