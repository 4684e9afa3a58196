"""What the broker is asked for over one connection, which may change while it lasts."""

from collections.abc import Sequence
from typing import Any

import aiomqtt
from paho.mqtt.subscribeoptions import SubscribeOptions

from .client import Settings
from .ready import Subscription


class Subscriber:
    """Subscribes to filters over one connection.

    Attributes:
        filters: What was asked for, in that order; also what was refused since the beginning.
    """

    def __init__(self, client: aiomqtt.Client, settings: Settings, *, log: Any) -> None:
        self._client, self._settings, self._log = client, settings, log
        self.filters: list[str] = []

    async def begin(self, wanted: Sequence[Subscription], *, gone: Sequence[str]) -> str:
        """Subscribe to what is wanted, and end what is gone.

        Returns:
            Why the broker does not grant something, or an empty text.

        Raises:
            MqttError: The connection is lost.
        """
        for each in wanted:
            refused = await self._subscribe(each)
            if refused:
                return refused
        for name in gone:
            await self._client.unsubscribe(name)
        return ""

    def changes(self, wanted: Sequence[Subscription]) -> tuple[list[Subscription], list[str]]:
        """Return what is new in what is wanted, and what is gone."""
        new = [each for each in wanted if each.filter not in self.filters]
        return new, sorted(set(self.filters) - {each.filter for each in wanted})

    async def follow(self, new: Sequence[Subscription], gone: Sequence[str]) -> None:
        """Subscribe to topics that others have named; one that is forbidden costs no other.

        Raises:
            MqttError: The connection is lost.
        """
        for each in new:
            refused = await self._subscribe(each)
            if refused:
                self.filters.append(each.filter)  # it is not asked for again
                self._log.warning("a topic is not read", error=refused)
        for name in gone:
            await self._client.unsubscribe(name)
            self.filters.remove(name)

    async def _subscribe(self, wanted: Subscription) -> str:
        codes = await self._client.subscribe(wanted.filter, **self._options(wanted))
        code: Any = codes[0]
        if (code if isinstance(code, int) else code.value) >= 128:
            return f"{wanted.filter!r}: expected to be subscribed, got {code}"
        self.filters.append(wanted.filter)
        return ""

    def _options(self, wanted: Subscription) -> dict[str, Any]:
        if self._settings.protocol < 5:
            return {"qos": wanted.qos}
        # 0: send what is retained; 1: only when the subscription is new; 2: never.
        handling = 0 if wanted.describes else 1 if self._settings.retained else 2
        return {"options": SubscribeOptions(qos=wanted.qos, retainHandling=handling)}
