"""What a DCS server knows: meters with their registers, and virtual meters over them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

BEGINNING: Final = datetime(2015, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Gap:
    """A span without readings.

    Attributes:
        start: When the first one is missing.
        end: When the first one is there again.
        until: When they are delivered after all; None is never.
    """

    start: datetime
    end: datetime
    until: datetime | None = None


@dataclass(frozen=True)
class Calibration:
    """An offset that an operator entered for the totals from an instant on."""

    start: datetime
    offset: float


@dataclass(kw_only=True)
class Register:
    """A register; what is changed in it changes what the server says from then on.

    Attributes:
        id: Its number.
        name: Its name, unique in its meter.
        unit: The unit of its readings.
        instantaneous: Whether readings are samples, not totals.
        polled: Whether the consumption of a period is known only from the next total.
        first: When it was read first, on a half hour.
        gaps: When it was not read, disjoint and in order.
        resets: When its total fell to 0.
        calibrations: Offsets of its totals, in order.
        factor: What its whole history has been multiplied by.
        strange: Values that are no numbers, by their time.
        bits: More status bits, by the time of a reading.
    """

    id: int
    name: str = "Active Energy (import)"
    unit: str = "kWh"
    instantaneous: bool = False
    polled: bool = True
    first: datetime = BEGINNING
    gaps: list[Gap] = field(default_factory=list)
    resets: list[datetime] = field(default_factory=list)
    calibrations: list[Calibration] = field(default_factory=list)
    factor: float = 1.0
    strange: dict[datetime, float] = field(default_factory=dict)
    bits: dict[datetime, int] = field(default_factory=dict)


@dataclass(kw_only=True)
class Meter:
    """A meter and its registers."""

    id: int
    name: str
    registers: list[Register]
    serial: str = "R1100729"
    type: str = "Sample type"
    service: str | None = None
    status: str = "online"


@dataclass(kw_only=True)
class VirtualMeter:
    """The sum of registers, which are all instantaneous or all not."""

    id: int
    name: str
    registers: list[int]
    unit: str = "kWh"
    instantaneous: bool = False


@dataclass
class Campus:
    """All that a server knows."""

    meters: list[Meter]
    virtual_meters: list[VirtualMeter] = field(default_factory=list)

    def find(self, identity: str) -> Register | VirtualMeter | None:
        """Return the source with an id such as R733 or VM9, in any case."""
        for prefix, sources in (("vm", self.virtual_meters), ("r", self.registers)):
            number = identity.lower().removeprefix(prefix)
            if number != identity.lower() and number.isdecimal():
                return next((each for each in sources if each.id == int(number)), None)
        return None

    def register(self, identity: str) -> Register:
        """Return a register that is there."""
        found = self.find(identity)
        assert isinstance(found, Register), identity
        return found

    @property
    def registers(self) -> Iterable[Register]:
        """The registers of all meters."""
        return (register for meter in self.meters for register in meter.registers)

    @property
    def ids(self) -> list[str]:
        """The ids of all sources, registers first."""
        registers = [f"R{each.id}" for each in self.registers]
        return registers + [f"VM{each.id}" for each in self.virtual_meters]

    def full_name(self, source: Register | VirtualMeter) -> str:
        """Return the name that goes with readings: METER: REGISTER, or a virtual meter's."""
        if isinstance(source, VirtualMeter):
            return source.name
        meter = next(each for each in self.meters if source in each.registers)
        return f"{meter.name}: {source.name}"


def campus() -> Campus:
    """Return a small campus with a source of every kind, without gaps or other trouble."""
    library = Meter(
        id=405,
        name="Library",
        registers=[
            Register(id=733),
            Register(id=734, name="Active Power", unit="kW", instantaneous=True),
        ],
    )
    boilers = Meter(
        id=406,
        name="Boiler house",
        serial="G-77",
        registers=[
            Register(id=740, name="Gas", unit="m3", polled=False),
            Register(id=741, name="Active Energy (import)"),
            Register(id=742, name="Active Power", unit="kW", instantaneous=True),
        ],
    )
    return Campus(
        [library, boilers],
        [
            VirtualMeter(id=9, name="All electricity", registers=[733, 741]),
            VirtualMeter(
                id=10, name="All power", registers=[734, 742], unit="kW", instantaneous=True
            ),
        ],
    )


def many(registers: int) -> Campus:
    """Return a campus with a meter for each of so many registers, R1 and so on."""
    return Campus(
        [
            Meter(id=number, name=f"Meter {number}", registers=[Register(id=number)])
            for number in range(1, registers + 1)
        ]
    )
