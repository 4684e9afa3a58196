"""Requested runs of a daemon in the process of the test."""

import asyncio
from pathlib import Path
from typing import Any

from ingestd.requesting import number_of
from tests.support.daemon import Answer, RunningDaemon
from tests.support.deadline import WITHIN

# Fits a model of a trace, or of what it is given, and remembers how often it ran.
FIT = """
    def run(*, project=None, trace=None, input=None, model="daily", fail="", token="", n=0, **_):
        if fail:
            raise ValueError(f"no fit: {fail} {token}")
        data = {"model": model, "of": [project, trace], "input": input}
        return {"readings": [(10 + n, f"fit_{trace}", 1)], "n": n + 1, "result": data}
"""
# Waits for a file with the name of its gate.
GATED = """
    import asyncio, pathlib
    async def run(*, gate=None, value=1, **_):
        if gate:
            pathlib.Path(f"{gate}.begun").touch()
            while not pathlib.Path(gate).exists():
                await asyncio.sleep(0.01)
        return {"readings": [(value, "level", value)], "result": value}
"""


async def ask(it: RunningDaemon, body: Any, path: str = "runs") -> Answer:
    """Ask for a run, or for runs."""
    return await it.ask("POST", f"/api/v1/{path}", json=body)


async def ended(it: RunningDaemon, answer: Answer) -> Any:
    """Return a run that was asked for, once it has ended."""
    assert answer.status in {200, 202}, answer
    return await ended_id(it, answer.body["id"])


async def ended_id(it: RunningDaemon, name: str) -> Any:
    """Return a requested run by its number, once it has ended."""
    number = number_of(name)
    assert number is not None
    async with asyncio.timeout(WITHIN):
        await it.daemon.requests.ended(number)
    return await it.get(f"runs/{name}")


async def begun(gate: Path) -> None:
    """Return once a plugin has begun to wait for its gate."""
    async with asyncio.timeout(WITHIN):
        while not gate.with_name(f"{gate.name}.begun").exists():  # noqa: ASYNC110 -- a file
            await asyncio.sleep(0.01)
