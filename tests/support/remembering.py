"""Runs of a plugin one after the other, with what it remembers in between."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from ingestd.contract.memory import Memory, arguments, remember
from ingestd.contract.result import take_apart
from ingestd.testing import TestContext, context


class Remembering:
    """What a daemon remembers of a collector, and its one process.

    Args:
        run: The plugin's.
        now: What time it is.
        params: What the operator wrote.

    Attributes:
        memory: What the next run gets back.
        results: Of the newest run.
        kept: What that has kept apart from its results.
        process: The context of the newest run; the next one shares its process.
    """

    def __init__(self, run: Callable[..., Any], now: datetime, **params: Any) -> None:
        self._run = run
        self.now = now
        self.memory = Memory()
        self.params = params
        self.results: list[dict[str, Any]] = []
        self.kept: list[dict[str, Any]] = []
        self.process: TestContext | None = None

    def clock(self) -> float:
        """Return what time it is, in Unix seconds."""
        return self.now.timestamp()

    def kwargs(self) -> dict[str, Any]:
        """Return what the next run is called with."""
        return arguments(self.memory, self.params, fingerprint=repr)

    async def run(self, url: str) -> list[dict[str, Any]]:
        """Do one run against a server, and keep what it yields, as the daemon does."""
        self.results, self.kept = [], []
        async with context(now=self.now, beside=self.process) as ctx:
            self.process = ctx
            try:
                async for result in self._run(ctx=ctx, url=url, **self.kwargs()):
                    self._take_what_was_kept(ctx)
                    self.results.append(result)
                    self._remember(result)
            finally:
                self._take_what_was_kept(ctx)
        return self.results

    def _take_what_was_kept(self, ctx: TestContext) -> None:
        for given in ctx.kept[len(self.kept) :]:
            self.kept.append(given)
            self._remember(given)

    def _remember(self, result: dict[str, Any]) -> None:
        self.memory = remember(
            self.memory,
            take_apart(result),
            yielded=True,
            params=self.params,
            fingerprint=repr,
        )

    def readings(self) -> list[tuple[float, str, Any]]:
        """Return the readings of the newest run."""
        return [each for result in self.results for each in result.get("readings", ())]
