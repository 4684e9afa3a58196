"""The modbus plugin through a real ser2net, on lines whose devices answer whenever they like."""

import asyncio
import random
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import pytest

from ingestd.plugins.modbus import ModbusError, run
from ingestd.testing import collect, context
from tests.support.modbus import values
from tests.support.rtu import Asked, Bus, Device, Saying, bit, register, serial
from tests.support.servers import ser2net

TIMINGS: Final = 10  # of which each is another line; a thousand were tried by hand
AT_ONCE: Final = 100
PATIENCE: Final = 0.1  # seconds
RUNS: Final = 2
UNITS: Final = (1, 2)


def unreliable(chance: random.Random) -> Device:
    """Return a device that answers in time, about at the time-out, much later, or never."""

    def after() -> float:
        return chance.choice(
            [0.0, chance.uniform(0.8, 1.2), chance.uniform(0.8, 1.2), chance.uniform(0, 3)]
        )

    def device(asked: Asked) -> Saying:
        answer, cut = asked.answer, chance.randrange(1, 5)
        late = after() * PATIENCE
        kind = chance.random()
        if kind < 0.1:
            return []
        if kind < 0.3:  # with a pause within
            return [(late, answer[:cut]), (late + after() * PATIENCE, answer[cut:])]
        return [(late, answer)]

    return device


def devices() -> list[dict[str, Any]]:
    """Return devices whose series say what is right for them."""
    return [
        {
            "name": f"m{unit}",
            "unit": unit,
            "registers": [
                *({"series": f"{unit}-r{a}", "address": a} for a in (0, 2, 4)),
                {"series": f"{unit}-c3", "address": 3, "table": "coil"},
            ],
        }
        for unit in UNITS
    ]


def right(series: str) -> int:
    """Return the only value that may be stored in a series."""
    unit, _, what = series.partition("-")
    return bit(int(what[1:])) if what[0] == "c" else register(int(unit), int(what[1:]))


async def read(reached: dict[str, Any], chance: random.Random) -> dict[str, float]:
    """Read the devices of a line in several runs of one collector; return what was wrong."""
    wrong: dict[str, float] = {}
    async with context() as ctx:
        for _ in range(RUNS):
            params = {**reached, "devices": devices(), "retries": chance.randrange(3)}
            try:
                (result,) = await collect(
                    run, ctx=ctx, request_timeout=f"{PATIENCE * 1000:g}ms", **params
                )
            except ModbusError:
                continue
            found = values(result)
            wrong |= {s: v for s, v in found.items() if v != right(s)}
    return wrong


async def read_some(seeds: Sequence[int], folder: Path, *, through: bool) -> list[Any]:
    """Read as many lines at once, through a converter or as they are; return what was wrong."""
    async with AsyncExitStack() as stack:
        lines: list[Bus] = [
            await stack.enter_async_context(serial(unreliable(random.Random(each))))
            for each in seeds
        ]
        reached = [line.params for line in lines]
        if through:
            server, ports = ser2net(folder, [each["serial"] for each in reached])
            stack.enter_context(server)
            reached = [{"host": "127.0.0.1", "port": each, "framing": "rtu"} for each in ports]
        runs = (read(each, random.Random(seed)) for each, seed in zip(reached, seeds, strict=True))
        found = await asyncio.gather(*runs)
        assert any(line.asked for line in lines)
    return [each for each in zip(seeds, found, strict=True) if each[1]]


@pytest.mark.slow(20)  # answers are waited for that come late or never
@pytest.mark.parametrize("through", [True, False], ids=["ser2net", "serial"])
async def test_no_timing_makes_a_wrong_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, through: bool
) -> None:
    """An answer at any time is a value of what was asked, or of nothing."""
    monkeypatch.setattr("ingestd.plugins.modbus.link.PAUSE", 0.01)
    first = random.SystemRandom().randrange(1 << 32)
    seeds = range(first, first + TIMINGS)

    wrong = []
    for begin in range(0, TIMINGS, AT_ONCE):
        some = seeds[begin : begin + AT_ONCE]
        wrong += await read_some(some, tmp_path / f"{begin}", through=through)

    assert wrong == []
