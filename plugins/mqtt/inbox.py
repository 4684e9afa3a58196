"""The messages in our hands, bounded; it outlives connections."""

from collections.abc import Sequence

from .ready import Message


class Inbox:
    """The messages in our hands: waiting to be taken, or taken and not yet safe.

    Args:
        max_held: How many there may be.
        max_bytes: How long their payloads may be together; one more may come on top.
    """

    def __init__(self, *, max_held: int, max_bytes: int) -> None:
        self._max_held, self._max_bytes = max_held, max_bytes
        self._waiting: list[Message] = []
        self._safe: dict[int, Message] = {}
        self.held = 0
        self.held_bytes = 0

    @property
    def full(self) -> bool:
        """Whether no more may be read."""
        return self.held >= self._max_held or self.held_bytes >= self._max_bytes

    @property
    def plenty(self) -> bool:
        """Whether waiting for more would not make a better batch."""
        return len(self._waiting) >= self._max_held // 4 or self.full

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, message: Message) -> None:
        """Take in a message."""
        self._waiting.append(message)
        self.held += 1
        self.held_bytes += len(message.payload)

    def take(self) -> list[Message]:
        """Return messages that wait, at most half of what may be held: the rest keeps coming."""
        most = max(1, self._max_held // 2)
        taken, self._waiting = self._waiting[:most], self._waiting[most:]
        return taken

    def release(self, messages: Sequence[Message]) -> None:
        """Let go of messages that are safe."""
        self.held -= len(messages)
        self.held_bytes -= sum(len(message.payload) for message in messages)

    def remember(self, messages: Sequence[Message]) -> None:
        """Note messages that are safe but could not be acked, because they will come again."""
        self._safe.update((message.mid, message) for message in messages if message.qos)

    def is_repeat(self, mid: int, topic: str, payload: bytes) -> bool:
        """Say whether a message that comes again is safe already."""
        known = self._safe.get(mid)
        if known is None or (known.topic, known.payload) != (topic, payload):
            return False
        del self._safe[mid]
        return True

    def forget(self) -> None:
        """Forget numbers that mean nothing in a new session."""
        self._safe.clear()
