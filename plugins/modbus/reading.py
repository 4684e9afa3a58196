"""Devices read: each line on its own, each device in its turn, each request when it may be."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from .devices import Device
from .lateanswers import Wire
from .lines import Line
from .link import Link
from .problems import NOT_TOGETHER, DeviceError, LineError, Refused
from .requests import Request, place, requests
from .sunspec import Models, read_models

Reading = tuple[datetime, str, Any, dict[str, str]]

TOLD: Final = 5


@dataclass(slots=True)
class Found:
    """What was read, and what was not.

    Attributes:
        readings: As the daemon takes them.
        problems: One sentence for each device that gave less than it should, or gave it late.
    """

    readings: list[Reading] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class Absent:
    """Which registers a device is without, though its profile has them.

    Args:
        place: The device's line; not looked at here, but shared objects have a key.
        unit: Its number there; likewise.

    Attributes:
        places: As ``requests.place`` tells them.
    """

    def __init__(self, place: str, unit: int) -> None:
        del place, unit
        self.places: set[tuple[int, int, int]] = set()


async def read_all(
    ctx: Any, lines: dict[Line, list[Device]], *, patience: float, retries: int
) -> Found:
    """Read all devices, the lines at the same time.

    Args:
        ctx: The daemon's.
        lines: The devices of each.
        patience: How long to wait for a connection or an answer, in seconds.
        retries: How often to try again.
    """

    async def read_line(line: Line, devices: Sequence[Device]) -> Found:
        found, wire = Found(), ctx.shared(Wire, line.place)
        after, between = zip(*(each.pauses for each in devices), strict=True)
        pauses = max(after), max(between)
        link = Link(line, wire, patience=patience, retries=retries, pauses=pauses)
        async with wire.turn, link:
            await read_devices(ctx, link, devices, found)
        found.problems += link.problems
        return found

    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(read_line(*each), name=f"ingestd[{ctx.collector}].{each[0].address}")
            for each in lines.items()
        ]
    results = [each.result() for each in tasks]
    return Found(
        [reading for each in results for reading in each.readings],
        [problem for each in results for problem in each.problems],
    )


async def read_devices(ctx: Any, link: Link, devices: Sequence[Device], found: Found) -> None:
    """Read the devices of one line, one after the other."""
    down: LineError | None = None
    for device in devices:
        problems: list[str] = []
        try:
            if down is not None:
                raise down
            absent = ctx.shared(Absent, device.line.place, device.unit)
            await read_device(link, device, found.readings, problems, absent, now=ctx.now)
            if device.sunspec is not None:
                models = ctx.shared(Models, device.line.place, device.sunspec_units)
                await read_models(link, device, models, found.readings, problems, now=ctx.now)
        except LineError as error:
            down = error
            problems.append(str(error))
        except DeviceError as error:
            problems.append(str(error))
        if problems:
            found.problems.append(f"{device.label}: {summary(problems)}")


async def read_device(
    link: Link,
    device: Device,
    readings: list[Reading],
    problems: list[str],
    absent: Absent,
    *,
    now: Callable[[], datetime],
) -> None:
    """Read a device; what it refuses is a problem, and leaves the rest alone.

    What it may be without is none, and is not asked for again.

    Raises:
        LineError: There is no connection.
        DeviceError: The device does not answer, and need not be asked for more.
    """
    wanted = [each for each in device.registers if place(each) not in absent.places]
    open_: list[Request] = requests(
        wanted, max_gap=device.max_gap, max_registers=device.max_registers
    )
    before = len(readings)
    missing: list[Request] = []
    while open_:
        request = open_.pop(0)
        try:
            answer = await link.ask(request, unit=device.unit)
        except Refused as error:
            halves = request.halves() if error.code in NOT_TOGETHER else None
            if halves is None and error.code in NOT_TOGETHER and request.optional:
                missing.append(request)
            elif halves is None:
                problems.append(f"{request.label}: {error}")
            else:
                open_[:0] = halves
            continue
        time = now()
        for register, value in request.values(answer):
            readings.append((time, register.series, value, dict(register.tags)))
    if missing and len(readings) == before:
        problems.append(f"expected registers of its profile, got none, not even {missing[0].label}")
    else:
        absent.places |= {place(each) for request in missing for each in request.registers}


def summary(problems: Sequence[str]) -> str:
    """Tell problems in a bounded text."""
    told = list(problems[:TOLD])
    if more := len(problems) - len(told):
        told.append(f"and {more} more")
    return "; ".join(told)
