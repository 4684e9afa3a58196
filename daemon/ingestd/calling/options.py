"""How a plugin is called, and the interface of what calls ordinary functions."""

import asyncio
from collections.abc import Callable, Mapping, MutableSet, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from ingestd.calling.access import EVERYDAY, Access
from ingestd.calling.owntime import OwnTime
from ingestd.calling.plugin import Plugin
from ingestd.calling.process import Log
from ingestd.contract import Host


@dataclass(frozen=True, slots=True)
class Finished:
    """A run that came to its end.

    Attributes:
        result: What it returned, in plain builtins.
        output: The end of what it printed.
        nothing: Whether it returned no result, as plugins that were written for a host may.
    """

    result: dict[str, Any] = field(repr=False)
    output: str
    nothing: bool = False


class Isolation(Protocol):
    """Where ordinary functions run: in processes or in threads."""

    async def call(
        self, plugin: Plugin, kwargs: Mapping[str, Any], options: "CallOptions"
    ) -> Finished:
        """Call a plugin's ``run``.

        Args:
            plugin: One whose kind is FUNCTION.
            kwargs: Everything but ``ctx``, which is added if it is declared.
            options: How to call it.

        Raises:
            PluginError: The run failed, in the way that its class says.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOptions:
    """How a plugin is called.

    Attributes:
        name: The collector's name.
        timeout: The plugin's own time, in seconds, or None.
        memory_limit: The data that the process of an ordinary function may hold, all in all, in
            bytes, or None. The configuration refuses it where there is no such process.
        isolation: Where ordinary functions run.
        log: Takes at once what the plugin logs.
        note: Puts a line into the record of the run.
        host: The system that the plugin was written for, or None.
        timezone: The IANA name of the zone that is local to an ordinary function, if it has a
            process of its own; None leaves that of the machine.
        access: What an ordinary function may see of the daemon's surroundings, if it has a
            process of its own.
        left_behind: Earlier calls of that name on the event loop that ignore their cancellation.
        own_time: Says what is left of ``timeout`` to a run on the event loop; None: nobody asks.
    """

    name: str
    timeout: float | None
    memory_limit: int | None
    isolation: Isolation
    log: Log
    note: Callable[[str], object] = str  # or else nowhere
    host: Host | None = None
    timezone: str | None = None
    access: Access = EVERYDAY
    left_behind: MutableSet[asyncio.Task[None]] = field(default_factory=set, repr=False)
    own_time: OwnTime | None = field(default=None, repr=False)


MOST_NAMED: Final = 5  # processes in a line


def tell_strays(names: Sequence[str], options: CallOptions) -> None:
    """Tell which processes a run has left behind that were ended, if there are any."""
    if names:
        named = ", ".join(sorted(names)[:MOST_NAMED])
        options.log.warning("run left processes behind, which were ended", names=named)
        options.note(f"left processes behind, which were ended: {named}")
