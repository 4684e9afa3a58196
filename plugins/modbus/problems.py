"""What may go wrong on the way to a device, told apart by what else it spoils."""

from typing import Final


class ModbusError(Exception):
    """Nothing could be read."""


class LineError(ModbusError):
    """The line is of no use for now, whichever device is asked for on it."""


class DeviceError(ModbusError):
    """The device does not answer, whichever register it is asked for."""


class Refused(ModbusError):
    """The device answers that it will not give this.

    Attributes:
        code: The number of its exception.
    """

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(EXCEPTIONS.get(code, "an exception that the protocol does not know"))

    def __str__(self) -> str:
        return f"refused with {self.code}, {self.args[0]}"


EXCEPTIONS: Final = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "device failure",
    5: "acknowledge",
    6: "device busy",
    7: "negative acknowledge",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway target failed to respond",
}
# Some devices say "value" where they mean that they cannot give so many at once.
NOT_TOGETHER: Final = frozenset({2, 3})
BUSY: Final = frozenset({5, 6})
# What stands between us and the device says so, hence for all of its registers.
BEHIND_GATEWAY: Final = frozenset({10, 11})
