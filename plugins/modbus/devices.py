"""The devices that the operator named, by the lines on which they are reached."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from ingestd.plugins._params import duration
from ingestd.plugins._problems import Gathering

from .lines import Line, line
from .options import Options, entries
from .profiles import Choice, Profile, profile_of
from .registers import BITS, Register, distinct, register
from .registers import KNOWN as OF_REGISTERS
from .requests import MOST

LINE: Final = (
    *("host", "port", "transport", "framing", "ca_file", "cert_file", "key_file", "insecure"),
    *("serial", "baudrate", "parity", "stopbits"),
)
READING: Final = (
    *("unit", "profile", "sunspec", "only", "exclude", "registers", "word_order", "byte_order"),
    *("nothing", "max_gap", "max_registers", "pause_after_connect", "pause_between"),
)
# What holds where nobody says anything else.
DEFAULTS: Final[Mapping[str, Any]] = {
    "transport": "tcp",
    "baudrate": 9600,
    "parity": "none",
    "stopbits": 1,
    "sunspec": False,
    "insecure": False,
    "word_order": "big",
    "byte_order": "big",
    "max_gap": 0,
    "max_registers": 125,
    "pause_after_connect": "0s",
    "pause_between": "0s",
}
KNOWN: Final = ("name", "tags", *LINE, *READING)
# The numbers with which inverters come that speak SunSpec: most; SMA; Kostal; ABB and Fimer.
USUAL_UNITS: Final = (1, 126, 71, 2, 247)


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One device on a line.

    Attributes:
        where: The path of the option that names it; empty if the params are of one device.
        name: What the operator calls it, or None.
        line: Where it is reached.
        unit: Its number on the line.
        sunspec_units: Those at which SunSpec is looked for.
        registers: What is read of it.
        max_gap: How many unwanted registers a request may hold between wanted ones.
        max_registers: How many it may hold in all.
        sunspec: Which of its SunSpec points to read, or None for none of them.
        pauses: Seconds to wait after connecting, and between an answer and the next request.
        tags: Of its SunSpec points.
    """

    where: str
    name: str | None
    line: Line
    unit: int
    sunspec_units: tuple[int, ...]
    registers: tuple[Register, ...]
    max_gap: int
    max_registers: int
    sunspec: Choice | None = None
    pauses: tuple[float, float] = (0.0, 0.0)
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """What the device is called in errors."""
        place = self.line.address
        if self.registers or len(self.sunspec_units) == 1:
            place += f" unit {self.unit}"
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
        read = wrong.read
        name = read(lambda: options.text("name")) if options.has("name") else None
        profile = read(lambda: profile_of(options))
        around = options.above(profile.where, profile.defaults) if profile else options
        choice = read(lambda: Choice.of(options))
        found = read(lambda: line(around))
        # No device answers to 0 on a serial line; a host may call itself so.
        least, most = (1, 247) if found and found.host is None else (0, 255)
        sunspec = read(lambda: around.truth("sunspec"))
        # SunSpec has values of four, and says itself which.
        needed = 4 if sunspec else 1
        together = read(lambda: around.whole("max_registers", least=needed, most=MOST))
        unit = read(lambda: around.whole("unit", least=least, most=most, default=USUAL_UNITS[0]))
        # On a line with several devices each has to be told apart.
        searched = options.find("unit")[0] is None and found and found.numbered
        return Device(
            where=options.where,
            name=name,
            line=found,
            unit=unit,
            sunspec_units=tuple(dict.fromkeys([unit, *(USUAL_UNITS if searched else ())])),
            registers=read(
                lambda: registers(
                    options, profile, choice, name=name, needed=not sunspec, most=together
                )
            ),
            max_gap=read(lambda: around.whole("max_gap", least=0, most=MOST)),
            max_registers=together,
            sunspec=choice if sunspec else None,
            tags=read(options.tags) or {},
            pauses=(
                read(lambda: duration(*around.find("pause_after_connect"))),
                read(lambda: duration(*around.find("pause_between"))),
            ),
        )


def registers(
    options: Options,
    profile: Profile | None,
    choice: Choice,
    *,
    name: str | None,
    needed: bool,
    most: int,
) -> tuple[Register, ...]:
    """Read what is wanted of a device, by its profile and by the operator.

    Args:
        options: Of the device.
        profile: What is known of it.
        choice: Which registers of the profile are wanted.
        name: The device's, if it has one, for the names of series.
        needed: Whether there must be registers if there is no profile.
        most: How many registers may be in a request.

    Raises:
        ValueError: Says what is wrong.
    """
    with Gathering() as wrong:
        tags = wrong.read(options.tags) or {}
        read = partial(register, device=name, tags=tags)
        found: list[Register] = []
        if profile is not None:
            wanted = profile.entries(options, choice, named=name is not None)
            found += [read(each, optional=True) for each in wanted]
        given, where = (
            options.find("registers")
            if profile is None and needed
            else options.within("registers", "sunspec" if profile is None else "profile")
        )
        if given is not None or (profile is None and needed):
            listed = entries(given, where, of="registers")
            found += wrong.read(lambda: options.each_of(listed, where, read, known=OF_REGISTERS))
    with Gathering() as wrong:
        wrong.problems += [
            too_long(each, most) for each in found if each.table not in BITS and each.span > most
        ]
    return tuple(found)


def too_long(register: Register, most: int) -> str:
    """Tell that a value cannot be read in one request of so many registers."""
    where, first = register.where, register.address
    if register.scale_from is not None:
        return (
            f"{where}.scale_from: expected a register that can be read together with {first}, "
            f"{most} at most in all (max_registers), got {register.scale_from}"
        )
    option, got = ("length", register.length) if register.length else ("type", register.type)
    return f"{where}.{option}: expected at most {most} registers (max_registers), got {got!r}"


def by_line(devices: Sequence[Device]) -> dict[Line, list[Device]]:
    """Return the devices of each line.

    Raises:
        ValueError: Two of them see one line differently.
    """
    found: dict[Line, list[Device]] = {}
    first: dict[str, Device] = {}
    for each in devices:
        other = first.setdefault(each.line.address, each)
        for option in ("framing", "baudrate", "parity", "stopbits", "tls"):
            theirs, ours = getattr(other.line, option), getattr(each.line, option)
            if theirs != ours:
                raise ValueError(
                    f"{each.where}.{option}: expected {theirs!r}, as {other.where} has it on "
                    f"{each.line.address}, got {ours!r}"
                )
        found.setdefault(each.line, []).append(each)
    return found
