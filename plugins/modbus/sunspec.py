"""Devices that say themselves what they have, as SunSpec describes.

How it works
    The marker ``SunS`` stands at one of three addresses. Behind it come models, each
    with its number and its length, up to an end. They are found once and remembered
    while the daemon runs; each is read with its header, and if that has changed, they
    are found anew. A model is read in one request, so a value and its scale factor are
    of one moment; one that is too long is read twice, until the scale factors are the same.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, Final

from .devices import Device
from .link import Link
from .problems import DeviceError, ModbusError, Refused
from .requests import Block
from .sunspecmodels import HEADER, Model, models

BASES: Final = (40_000, 50_000, 0)
MARKER: Final = [0x5375, 0x6E53]
END: Final = 0xFFFF
MOST: Final = 100  # models of a device; more are an endless walk
TRIES: Final = 2


@dataclass(frozen=True, slots=True)
class Found:
    """A model of a device.

    Attributes:
        number: Of the model.
        address: Of its header.
        size: How many registers it has, with its header.
        name: What its values are called after.
    """

    number: int
    address: int
    size: int
    name: str


class Models:
    """What is known of one device.

    Args:
        place: Its line; not looked at here, but shared objects have a key.
        unit: Its number there; likewise.

    Attributes:
        found: Its models, or None as long as they are not known.
    """

    def __init__(self, place: str, unit: int) -> None:
        del place, unit
        self.found: list[Found] | None = None


class Moved(Exception):
    """The device has other models than before."""


async def read_models(
    link: Link,
    device: Device,
    known: Models,
    readings: list[Any],
    problems: list[str],
    *,
    now: Callable[[], datetime],
) -> None:
    """Read all that a device has; what it refuses is a problem, and leaves the rest alone.

    Raises:
        LineError: There is no connection.
        DeviceError: The device does not answer, or does not speak SunSpec.
    """
    for _ in range(TRIES):
        if known.found is None:
            known.found = await walk(link, device)
        got: list[Any] = []
        try:
            async for each in read(link, device, known.found, problems, now=now):
                got.append(each)  # noqa: PERF401 -- what came before an error counts, too
        except Moved:
            known.found = None
            continue
        except ModbusError:
            readings += got
            raise
        readings += got
        return
    raise DeviceError("expected SunSpec's models to stay where they are, got others at each look")


async def read(
    link: Link, device: Device, found: list[Found], problems: list[str], *, now: Any
) -> Any:
    """Yield readings of the models that were found."""
    prefix = "" if device.name is None else f"{device.name}_"
    for each in found:
        model = models()[each.number]
        try:
            words = await read_model(link, device, each, model)
        except Refused as error:
            problems.append(f"SunSpec model {each.number} at {each.address}: {error}")
            continue
        time = now()
        for name, value in model.values(words):
            point = f"{each.name}_{name}"
            if device.sunspec is None or device.sunspec.takes(point):
                yield time, prefix + point, value, dict(device.tags)


async def walk(link: Link, device: Device) -> list[Found]:
    """Find the models of a device that are known.

    Raises:
        DeviceError: There are none.
    """
    for base in BASES:
        try:
            words = await link.ask(Block(base, HEADER), unit=device.unit)
        except Refused:
            continue
        if list(words) == MARKER:
            found = [each async for each in headers(link, device, base + HEADER)]
            if not found:
                raise DeviceError(f"expected models behind SunSpec's marker at {base}, got none")
            return found
    places = ", ".join(map(str, BASES))
    raise DeviceError(f"expected SunSpec's marker at one of {places}, got other registers")


async def headers(link: Link, device: Device, address: int) -> Any:
    """Yield the models from an address on."""
    seen: dict[str, int] = {}
    for _ in range(MOST):
        try:
            number, length = await link.ask(Block(address, HEADER), unit=device.unit)
        except Refused:
            return  # some have no end but that of their registers
        if number == END:
            return
        if number in models():
            name = models()[number].name
            seen[name] = seen.get(name, 0) + 1
            own = name if seen[name] == 1 else f"{name}{seen[name]}"
            yield Found(number, address, HEADER + length, own)
        address += HEADER + length
    raise DeviceError(f"expected an end of SunSpec's models, got more than {MOST}")


async def read_model(link: Link, device: Device, found: Found, model: Model) -> list[int]:
    """Return the registers of a model, header and all.

    Raises:
        Moved: It is not there any more.
        DeviceError: Its scale factors change all the time.
    """
    blocks = list(parted(found, model, most=device.max_registers))
    before: list[int] | None = None
    for _ in range(1 + TRIES):
        words = [word for each in blocks for word in await link.ask(each, unit=device.unit)]
        if words[:HEADER] != [found.number, found.size - HEADER]:
            raise Moved
        scales = model.scales(words)
        if len(blocks) == 1 or scales == before or not scales:
            return words
        before = scales
    raise DeviceError(
        f"SunSpec model {found.number}: expected the same scale factors twice, got others each time"
    )


def parted(found: Found, model: Model, *, most: int) -> Iterator[Block]:
    """Yield the requests that read a model, as few as the limit allows."""
    cuts, edges = [*model.cuts(found.size), found.size], [0]
    for here, after in pairwise([*cuts, found.size + 1]):
        if after - edges[-1] > most and here > edges[-1]:
            edges.append(here)
    if edges[-1] != found.size:
        edges.append(found.size)
    for start, stop in pairwise(edges):
        yield Block(found.address + start, stop - start)
