"""Devices that say themselves what they have, as SunSpec describes.

How it works
    The marker ``SunS`` stands at one of three addresses. Behind it come models, each
    with its number and its length, up to an end. They are found once and remembered
    while the daemon runs; each is read with its header, and if that has changed, they
    are found anew. A model is read in one request, so a value and its scale factor are
    of one moment; one that is too long is read twice, until the scale factors are the same. Then
    each value is taken from between two looks at its factor: one that stands behind its factor
    from the first time, one before it from the second.

    A device that is alone at its address has one of a few numbers, which are tried if none is
    said; which one it is is remembered, too.
"""

from collections.abc import Callable, Iterator, Sequence
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
        units: The numbers that it may have there.

    Attributes:
        unit: The one that it has; of no use as long as its models are not known.
        found: Its models, or None as long as they are not known.
    """

    def __init__(self, place: str, units: Sequence[int]) -> None:
        del place
        self.unit = units[0]
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
            known.unit, known.found = await search(link, device)
        got: list[Any] = []
        try:
            async for each in read(link, device, known, problems, now=now):
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


async def read(link: Link, device: Device, known: Models, problems: list[str], *, now: Any) -> Any:
    """Yield readings of the models that were found."""
    prefix = "" if device.name is None else f"{device.name}_"
    for each in known.found or ():
        model = models()[each.number]
        try:
            words, before = await read_model(link, device, known.unit, each)
        except Refused as error:
            problems.append(f"SunSpec model {each.number} at {each.address}: {error}")
            continue
        time = now()
        for name, value in model.values(words, before):
            point = f"{each.name}_{name}"
            if device.sunspec is None or device.sunspec.takes(point):
                yield time, prefix + point, value, dict(device.tags)


async def search(link: Link, device: Device) -> tuple[int, list[Found]]:
    """Return the number that a device has, and its models that are known.

    Raises:
        DeviceError: There are none.
    """
    problems = []
    for unit in device.sunspec_units:
        try:
            return unit, await walk(link, unit)
        except DeviceError as error:
            problems.append(str(error))
    if len(problems) == 1:
        raise DeviceError(problems[0])
    told = "; ".join(
        f"unit {unit}: {each}" for unit, each in zip(device.sunspec_units, problems, strict=True)
    )
    raise DeviceError(f"expected a `unit`, as none of the usual ones speaks SunSpec: {told}")


async def walk(link: Link, unit: int) -> list[Found]:
    """Find the models that are known.

    Raises:
        DeviceError: There are none.
    """
    for base in BASES:
        try:
            words = await link.ask(Block(base, HEADER), unit=unit)
        except Refused:
            continue
        if list(words) == MARKER:
            found = [each async for each in headers(link, unit, base + HEADER)]
            if not found:
                raise DeviceError(f"expected models behind SunSpec's marker at {base}, got none")
            return found
    places = ", ".join(map(str, BASES))
    raise DeviceError(f"expected SunSpec's marker at one of {places}, got other registers")


async def headers(link: Link, unit: int, address: int) -> Any:
    """Yield the models from an address on."""
    seen: dict[str, int] = {}
    for _ in range(MOST):
        try:
            number, length = await link.ask(Block(address, HEADER), unit=unit)
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


async def read_model(
    link: Link, device: Device, unit: int, found: Found
) -> tuple[list[int], list[int]]:
    """Return the registers of a model, header and all, as they were read last and before.

    Both are the same if it takes one request.

    Raises:
        Moved: It is not there any more.
        DeviceError: Its scale factors change all the time.
    """
    model = models()[found.number]
    blocks = list(parted(found, model, most=device.max_registers))
    before: list[int] | None = None
    for _ in range(1 + TRIES):
        words = [word for each in blocks for word in await link.ask(each, unit=unit)]
        if words[:HEADER] != [found.number, found.size - HEADER]:
            raise Moved
        if len(blocks) == 1:
            before = words
        if before is not None and model.scales(before) == model.scales(words):
            return words, before
        before = words
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
