"""The ecobee plugin in a daemon that is stopped at the worst moment."""

import asyncio
import time
from dataclasses import dataclass, field
from signal import SIGTERM
from typing import Final

import pytest
from aiohttp import web

from tests.support.daemonprocess import DaemonProcess
from tests.support.ecobee import Ecobee, served

GRACE: Final = 0.2  # seconds


@dataclass
class SlowEcobee(Ecobee):
    """Rotates the tokens at once, and takes its time to tell them.

    Attributes:
        turned: Set once it has rotated them.
        answer: Whether it tells them.
    """

    turned: asyncio.Event = field(default_factory=asyncio.Event)
    answer: asyncio.Event = field(default_factory=asyncio.Event)

    async def token(self, request: web.Request) -> web.StreamResponse:
        """Give tokens for a grant, once it is time."""
        reply = await super().token(request)
        self.turned.set()
        await self.answer.wait()
        return reply


@pytest.mark.slow  # a daemon stops by its grace, and starts again
async def test_tokens_survive_a_stop_whose_grace_ends_while_they_come(
    daemon: DaemonProcess,
) -> None:
    """The next start goes on with them; what it has in its params is void by then."""
    ecobee = SlowEcobee(now=time.time)
    async with served(ecobee) as url:
        params = {"url": url, "api_key": "app-key", "code": "the-code", "lookback": "1h"}
        daemon.configure(
            daemon={"grace": f"{GRACE}s"},
            collectors={"stat": {"plugin": "ecobee", "every": "1s", "params": params}},
        )
        await asyncio.to_thread(daemon.start)
        await ecobee.turned.wait()
        daemon.send(SIGTERM)
        await asyncio.to_thread(daemon.wait_for, "stopping")
        await asyncio.sleep(3 * GRACE)  # its end is no event outside of the daemon
        ecobee.answer.set()
        assert await asyncio.to_thread(daemon.ended) == 0
        cancelled = daemon.logged("run cancelled")

        await asyncio.to_thread(daemon.start)
        ok = await asyncio.to_thread(daemon.wait_for, "run ok")

    assert len(cancelled) == 1
    assert ok["readings"] > 0
    assert (ecobee.authorizations, ecobee.renewals) == (1, 0)
