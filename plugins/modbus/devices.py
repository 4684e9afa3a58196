"""The devices that the operator named, and the lines on which they are reached."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from ingestd.plugins._problems import Gathering

from .options import Options, entries
from .registers import KNOWN as OF_REGISTERS
from .registers import Register, distinct, register
from .requests import MOST

KNOWN: Final = (
    "name",
    "host",
    "port",
    "framing",
    "serial",
    "baudrate",
    "parity",
    "stopbits",
    "unit",
    "registers",
    "tags",
    "word_order",
    "byte_order",
    "nothing",
    "max_gap",
    "max_registers",
)
FRAMINGS: Final = ("tcp", "rtu")
PARITIES: Final = ("none", "even", "odd")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What carries one request at a time: a connection to a host, or a serial line.

    Attributes:
        address: The host and port, or the serial device; what tells lines apart.
        host: Name or address; None for a serial line.
        port: Of the host.
        framing: ``tcp``, or ``rtu``, which has no numbers to tell answers apart by.
        baudrate: Bits per second of a serial line.
        parity: ``none``, ``even`` or ``odd``.
        stopbits: 1 or 2.
    """

    address: str
    host: str | None = None
    port: int = 0
    framing: str = "rtu"
    baudrate: int = 0
    parity: str = "none"
    stopbits: int = 1

    @property
    def place(self) -> str:
        """What tells it apart from all lines of the daemon, whichever link names its file."""
        return str(Path(self.address).resolve()) if self.host is None else self.address

    @property
    def numbered(self) -> bool:
        """Whether an answer says which request it answers."""
        return self.framing == "tcp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One device on a line.

    Attributes:
        where: The path of the option that names it; empty if the params are of one device.
        name: What the operator calls it, or None.
        line: Where it is reached.
        unit: Its number on the line.
        registers: What is read of it.
        max_gap: How many unwanted registers a request may hold between wanted ones.
        max_registers: How many it may hold in all.
    """

    where: str
    name: str | None
    line: Line
    unit: int
    registers: tuple[Register, ...]
    max_gap: int
    max_registers: int

    @property
    def label(self) -> str:
        """What the device is called in errors."""
        place = f"{self.line.address} unit {self.unit}"
        return place if self.name is None else f"{self.name} ({place})"


def devices_of(params: Options) -> list[Device]:
    """Read which devices there are; without ``devices``, the params are of one.

    Raises:
        ValueError: Says what is wrong.
    """
    given, where = params.find("devices")
    if given is None:
        found = [device(params)]
    else:
        found = params.each_of(entries(given, where, of="devices"), where, device, known=KNOWN)
    names = [each.name for each in found]
    for number, name in enumerate(names):
        if name is not None and name in names[:number]:
            raise ValueError(
                f"{found[number].where}.name: expected another than that of "
                f"{found[names.index(name)].where}, got {name!r}"
            )
    distinct([each for one in found for each in one.registers])
    return found


def device(options: Options) -> Device:
    """Read one entry of ``devices``.

    Raises:
        ValueError: Says what is wrong.
    """
    with Gathering() as wrong:
        name = wrong.read(lambda: options.text("name")) if options.has("name") else None
        found = wrong.read(lambda: line(options))
        # No device answers to 0 on a serial line; a host may call itself so.
        least, most = (1, 247) if found and found.host is None else (0, 255)
        return Device(
            where=options.where,
            name=name,
            line=found,
            unit=wrong.read(lambda: options.whole("unit", least=least, most=most)),
            registers=wrong.read(lambda: registers(options, device=name)),
            max_gap=wrong.read(lambda: options.whole("max_gap", least=0, most=MOST)),
            # Less than the largest value has could not be asked for.
            max_registers=wrong.read(lambda: options.whole("max_registers", least=4, most=MOST)),
        )


def registers(options: Options, *, device: str | None) -> tuple[Register, ...]:
    """Read ``registers``, of the device or of all that have none of their own.

    Raises:
        ValueError: Says what is wrong.
    """
    given, where = options.find("registers")
    with Gathering() as wrong:
        tags = wrong.read(options.tags) if options.outer else {}
        listed = entries(given, where, of="registers")
        read = partial(register, device=device, tags=tags or {})
        found = wrong.read(lambda: options.each_of(listed, where, read, known=OF_REGISTERS))
    return tuple(found)


def line(options: Options) -> Line:
    """Read how to reach a device.

    Raises:
        ValueError: Says what is wrong.
    """
    place = options
    while place.outer is not None and not (place.has("host") or place.has("serial")):
        place = place.outer
    if place.has("host") == place.has("serial"):
        got = "both" if place.has("host") else "neither"
        raise ValueError(f"{options.path('host')}: expected `host` or `serial`, got {got}")
    with Gathering() as wrong:
        if place.has("host"):
            host = wrong.read(lambda: place.text("host"))
            port = wrong.read(lambda: options.whole("port", least=1, most=65_535))
            framing = wrong.read(lambda: options.choice("framing", FRAMINGS))
            address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            return Line(address=address, host=host, port=port, framing=framing)
        return Line(
            address=wrong.read(lambda: place.text("serial")),
            baudrate=wrong.read(lambda: options.whole("baudrate", least=50, most=4_000_000)),
            parity=wrong.read(lambda: options.choice("parity", PARITIES)),
            stopbits=wrong.read(lambda: options.whole("stopbits", least=1, most=2)),
        )


def by_line(devices: Sequence[Device]) -> dict[Line, list[Device]]:
    """Return the devices of each line.

    Raises:
        ValueError: Two of them see one line differently.
    """
    found: dict[Line, list[Device]] = {}
    first: dict[str, Device] = {}
    for each in devices:
        other = first.setdefault(each.line.address, each)
        for option in ("framing", "baudrate", "parity", "stopbits"):
            theirs, ours = getattr(other.line, option), getattr(each.line, option)
            if theirs != ours:
                raise ValueError(
                    f"{each.where}.{option}: expected {theirs!r}, as {other.where} has it on "
                    f"{each.line.address}, got {ours!r}"
                )
        found.setdefault(each.line, []).append(each)
    return found
