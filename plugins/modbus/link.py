"""One line to devices, for as long as a run lasts, and one request at a time on it.

How it works
    pymodbus frames, sends and waits; when to repeat and when to connect again is
    decided here, because pymodbus repeats into a connection that is lost.

    Where answers are numbered, a late one is known by its number, and thrown away by
    pymodbus. The connection is made anew after the second request in a row without an
    answer, or if a device answers with the number 0. Elsewhere the connection
    stays, the request is repeated on it, and before anything else is asked the line
    is left alone until it owes nothing more (see ``lateanswers``). What arrives
    meanwhile is thrown away by pymodbus, and noted here: it means that
    ``request_timeout`` is too short.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextvars import ContextVar
from importlib.util import find_spec
from typing import Any, Final, Never, Self

from .clients import client_of, connect
from .lateanswers import Wire
from .lines import Line
from .problems import BEHIND_GATEWAY, BUSY, DeviceError, LineError, ModbusError, Refused
from .registers import BITS
from .requests import Block, Request

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
        wire: What is known of it; our turn at it has come.
        patience: How long to wait for a connection or an answer, in seconds.
        retries: How often to try again.
        pauses: Seconds to wait after connecting, and between an answer and the next request.
    """

    def __init__(
        self,
        line: Line,
        wire: Wire,
        *,
        patience: float,
        retries: int,
        pauses: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        self._line, self._wire = line, wire
        self._after_connect, self._between = pauses
        self._ended = 0.0  # when the last request did
        self._missed = 0  # answers in a row, on this connection
        self._in_doubt = False  # whether any was missing on it
        self._patience, self._retries = patience, retries
        self._client: Any = None
        self._awaited = False
        self._asking: tuple[int, Any] = 0, None
        self._late: dict[int, float] = {}  # seconds that each unit took at most; 0 if unknown

    async def __aenter__(self) -> Self:
        _ours.set(True)
        self._wire.opened(patience=self._patience)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._close()

    @property
    def problems(self) -> list[str]:
        """One sentence for each device whose answers came late."""
        return [
            f"{self._line.address} unit {unit}: expected each answer within {self._patience:g} s, "
            + (
                f"got one after {took:.2f} s; a longer request_timeout would be right"
                if took > self._patience
                else "got one that nothing waited for any more; a longer request_timeout may help"
            )
            for unit, took in self._late.items()
        ]

    async def ask(self, request: Request | Block, *, unit: int) -> Sequence[int]:
        """Return the registers, or the bits, that a request names.

        Raises:
            LineError: There is no connection, or the line does not come to rest.
            DeviceError: There was no answer, however often it was asked.
            Refused: The device will not give them.
        """
        try:
            found = await self._repeat(request, unit=unit)
        except ModbusError as error:
            if isinstance(error, DeviceError):
                self._wire.given_up()
            await self._settle()
            raise
        await self._settle()
        return found

    async def _repeat(self, request: Request | Block, *, unit: int) -> Sequence[int]:
        problem = ModbusError("never asked")
        for left in range(self._retries, -1, -1):
            try:
                found = await self._ask_once(request, unit=unit)
            except (DeviceError, LineError) as error:
                problem = error
            except Refused as error:
                if error.code not in BUSY:
                    self._wire.answered()
                    raise
                problem = error  # and what was asked may be answered all the same
            else:
                self._wire.answered()
                return found
            if left:
                await asyncio.sleep(PAUSE)
        raise problem

    async def _settle(self) -> None:
        """Let answers pass by that may still come, where they could be taken for others."""
        if self._line.numbered or self._client is None or not self._wire.owes:
            return
        if not (await self._wire.still() and self._client.connected):
            self._wire.owes = True
            self._close()

    async def _ask_once(self, request: Request | Block, *, unit: int) -> Sequence[int]:
        await self._connected()
        if not self._line.numbered and self._wire.doubts(unit, request.place):
            await self._catch_up(request, unit=unit)
        answer = await self._call(request, unit=unit)
        _, code = CALLS[request.table]
        if answer.function_code == code | FAILED:
            self._refuse(answer.exception_code)
        found: Sequence[int] = answer.bits if request.table in BITS else answer.registers
        if answer.function_code != code or len(found) != size_of(request):
            if self._line.numbered:
                self._close()
            raise DeviceError(
                f"expected an answer to function {code} with {size_of(request)} values, got "
                f"one to {answer.function_code} with {len(found)}"
            )
        return found

    async def _catch_up(self, request: Request | Block, *, unit: int) -> None:
        """Ask once for nothing but to see that a device has answered all that it was asked before.

        Raises:
            DeviceError: It has not.
        """
        try:
            await self._call(request, unit=unit)
            confirmed = await self._wire.confirmed(unit)
        except DeviceError:
            await self._settle()
            raise
        if not confirmed:
            await self._settle()
            raise DeviceError("expected one answer, got another behind it")
        await self._connected()

    async def _call(self, request: Request | Block, *, unit: int) -> Any:
        from pymodbus.exceptions import ModbusException  # noqa: PLC0415 -- an extra, see require

        await asyncio.sleep(self._ended + self._between - asyncio.get_running_loop().time())
        client = self._client
        name, _ = CALLS[request.table]
        self._asking = unit, request.place
        try:
            call = getattr(client, name)
            answer = await call(request.address, count=request.count, device_id=unit)
        except (ModbusException, OSError) as error:
            lost = not client.connected
            self._note_missing(lost=lost)
            if lost:
                raise DeviceError("expected an answer, but the connection was closed") from error
            raise DeviceError(
                f"expected an answer within {self._patience:g} s, got none"
            ) from error
        finally:
            self._awaited = False
            self._ended = asyncio.get_running_loop().time()
        if self._line.numbered and self._in_doubt and not answer.transaction_id:
            self._close()  # a device that counts nothing: it may be an answer to the one before
            raise DeviceError("expected an answer with the number of its request, got one with 0")
        self._missed = 0
        return answer

    def _note_missing(self, *, lost: bool) -> None:
        """Hang up after a second answer in a row is missing: the connection may be dead.

        Some devices ignore the first request on each, so one is not enough.
        """
        self._missed += 1
        self._in_doubt = True
        if lost or (self._line.numbered and self._missed > 1):
            self._close()

    def _refuse(self, code: int) -> Never:
        refused = Refused(code)
        if code in BEHIND_GATEWAY:
            raise DeviceError(str(refused))
        raise refused

    async def _connected(self) -> None:
        """Have a client that is connected, to a line on which nothing else may come."""
        if self._client is not None and self._client.connected:
            return
        self._close()
        self._client = client_of(
            self._line,
            patience=self._patience,
            trace_packet=None if self._line.numbered else self._packet,
            trace_pdu=None if self._line.numbered else self._pdu,
        )
        if problem := await connect(self._client):
            self._close()
            raise LineError(f"expected a connection within {self._patience:g} s, got {problem}")
        self._missed, self._in_doubt = 0, False
        if self._after_connect:
            await asyncio.sleep(self._after_connect)
        await self._settle()
        if self._client is None:
            raise LineError(
                f"expected {self._wire.reach:g} s without anything on the line before the next "
                "request, got bytes all the time, or a connection that was closed"
            )

    def _packet(self, sending: bool, data: bytes) -> bytes:  # noqa: FBT001 -- pymodbus calls it
        """Note that bytes go out or come in."""
        if sending:
            self._awaited = True
            self._wire.sent(*self._asking)
        else:
            self._wire.heard()
        return data

    def _pdu(self, sending: bool, pdu: Any) -> Any:  # noqa: FBT001 -- pymodbus calls it
        """Note that an answer comes in whole."""
        if not sending:
            took = self._wire.came(pdu.dev_id) or 0.0
            if not self._awaited:
                self._late[pdu.dev_id] = max(took, self._late.get(pdu.dev_id, 0.0))
            self._awaited = False
        return pdu

    def _close(self) -> None:
        if self._client is not None:
            self._client.close()
        self._client = None


def size_of(request: Request | Block) -> int:
    """Return how many values an answer holds; bits come in whole bytes."""
    return -(-request.count // 8) * 8 if request.table in BITS else request.count


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
    """Say whether a log record comes from another user of pymodbus in this process."""
    return not _ours.get()
