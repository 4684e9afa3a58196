"""One line to devices, for as long as a run lasts, and one request at a time on it.

How it works
    pymodbus frames, sends and waits; when to repeat and when to connect again is
    decided here, because pymodbus repeats into a connection that is lost. After a
    request without an answer a connection over TCP is made anew, so that what
    arrives late arrives nowhere.

    A serial line cannot be made anew, and its answers carry no number. What was
    asked twice may be answered twice, and the second answer would look like the
    one to the next request to that device. So once a repeated request has been
    answered, the line is left alone for as long as an answer may take, and what
    arrives meanwhile is ignored.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextvars import ContextVar
from importlib.util import find_spec
from typing import Any, Final, Never, Self

from .devices import Line
from .problems import BEHIND_GATEWAY, BUSY, DeviceError, LineError, ModbusError, Refused
from .registers import BITS
from .requests import Request

PAUSE: Final = 0.2  # seconds before a request or a connection is tried again
# How pymodbus calls what reads a table, and the function code of an answer to that.
CALLS: Final = {
    "holding": ("read_holding_registers", 3),
    "input": ("read_input_registers", 4),
    "coil": ("read_coils", 1),
    "discrete": ("read_discrete_inputs", 2),
}
FAILED: Final = 0x80
MISSING: Final = "modbus: expected {} to be installed; pip install 'ingestd[modbus]'"

_ours: ContextVar[bool] = ContextVar("ours", default=False)


class Link:
    """A line that is opened when it is needed, and closed at the end of the run.

    Args:
        line: Where it leads.
        patience: How long to wait for a connection or an answer, in seconds.
        retries: How often to try again.
    """

    def __init__(self, line: Line, *, patience: float, retries: int) -> None:
        self._line, self._patience, self._retries = line, patience, retries
        self._client: Any = None

    async def __aenter__(self) -> Self:
        _ours.set(True)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._close()

    async def ask(self, request: Request, *, unit: int) -> Sequence[int]:
        """Return the registers, or the bits, that a request names.

        Raises:
            LineError: There is no connection.
            DeviceError: There was no answer, however often it was asked.
            Refused: The device will not give them.
        """
        unanswered, problem = False, ModbusError("never asked")
        for left in range(self._retries, -1, -1):
            try:
                found = await self._ask_once(request, unit=unit)
            except (DeviceError, LineError) as error:
                unanswered, problem = True, error
            except Refused as error:
                problem = error
                if error.code not in BUSY:
                    await self._settle(unanswered=unanswered)
                    raise
            else:
                await self._settle(unanswered=unanswered)
                return found
            if left:
                await asyncio.sleep(PAUSE)
        raise problem

    async def _settle(self, *, unanswered: bool) -> None:
        """Let answers pass by that come twice, where they could be taken for others."""
        if unanswered and self._line.host is None:
            await asyncio.sleep(self._patience)

    async def _ask_once(self, request: Request, *, unit: int) -> Sequence[int]:
        from pymodbus.exceptions import ModbusException  # noqa: PLC0415 -- an extra, see require

        client = await self._connected()
        name, code = CALLS[request.table]
        call = getattr(client, name)
        try:
            answer = await call(request.address, count=request.count, device_id=unit)
        except (ModbusException, OSError) as error:
            lost = not client.connected
            if lost or self._line.host is not None:
                self._close()
            if lost:
                raise DeviceError("expected an answer, but the connection was closed") from error
            raise DeviceError(
                f"expected an answer within {self._patience:g} s, got none"
            ) from error
        if answer.function_code == code | FAILED:
            self._refuse(answer.exception_code)
        found: Sequence[int] = answer.bits if request.table in BITS else answer.registers
        if answer.function_code != code or len(found) != size_of(request):
            self._close()
            raise DeviceError(
                f"expected an answer to function {code} with {size_of(request)} values, got "
                f"one to {answer.function_code} with {len(found)}"
            )
        return found

    def _refuse(self, code: int) -> Never:
        refused = Refused(code)
        if code in BEHIND_GATEWAY:
            raise DeviceError(str(refused))
        raise refused

    async def _connected(self) -> Any:
        """Return a client that is connected."""
        if self._client is not None and self._client.connected:
            return self._client
        self._close()
        self._client = client_of(self._line, patience=self._patience)
        if problem := await connect(self._client):
            self._close()
            raise LineError(f"expected a connection within {self._patience:g} s, got {problem}")
        return self._client

    def _close(self) -> None:
        if self._client is not None:
            self._client.close()
        self._client = None


def size_of(request: Request) -> int:
    """Return how many values an answer holds; bits come in whole bytes."""
    return -(-request.count // 8) * 8 if request.table in BITS else request.count


def client_of(line: Line, *, patience: float) -> Any:
    """Return a client of pymodbus that neither repeats nor connects again by itself."""
    from pymodbus.client import (  # noqa: PLC0415 -- an extra, see require
        AsyncModbusSerialClient,
        AsyncModbusTcpClient,
    )
    from pymodbus.framer import FramerType  # noqa: PLC0415 -- the same

    if line.host is None:
        return AsyncModbusSerialClient(
            line.address,
            baudrate=line.baudrate,
            parity=line.parity[0].upper(),
            stopbits=line.stopbits,
            timeout=patience,
            retries=0,
            reconnect_delay=0,
        )
    return AsyncModbusTcpClient(
        line.host,
        port=line.port,
        framer=FramerType.SOCKET if line.framing == "tcp" else FramerType.RTU,
        timeout=patience,
        retries=0,
        reconnect_delay=0,
    )


async def connect(client: Any) -> str:
    """Connect, and return what went wrong, or nothing.

    pymodbus logs why it could not connect and says no more than that. The reason
    is what an operator can mend, so it is overheard on its way.
    """
    reasons: list[str] = []
    create = client.ctx.call_create

    async def overheard() -> Any:
        try:
            return await create()
        except Exception as error:  # the border to drivers of serial lines, which raise anything
            reasons.append(str(error) or type(error).__name__)
            raise OSError(str(error)) from error  # what pymodbus expects

    client.ctx.call_create = overheard
    return "" if await client.connect() else " ".join(reasons) or "none"


def require(*, serial: bool) -> None:
    """Check that what this plugin needs beyond the daemon is there.

    Raises:
        ImportError: It is not.
    """
    if find_spec("pymodbus") is None:
        raise ImportError(MISSING.format("pymodbus"))
    if serial and find_spec("serial") is None:
        raise ImportError(MISSING.format("pyserial"))
    # What pymodbus logs about our lines is in the record of the run, and names the device there.
    logging.getLogger("pymodbus.logging").addFilter(not_ours)


def not_ours(_: logging.LogRecord) -> bool:
    """Say whether somebody else uses pymodbus here."""
    return not _ours.get()
