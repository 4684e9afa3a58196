"""Clients of pymodbus, which frame, send and wait, and do nothing else by themselves."""

from typing import Any, Final

from .devices import Line

MANY: Final = 1_000_000


def client_of(line: Line, *, patience: float, **traces: Any) -> Any:
    """Return a client of pymodbus that neither repeats nor connects again by itself.

    Args:
        line: Where it leads.
        patience: How long to wait for a connection or an answer, in seconds.
        traces: What pymodbus calls with the bytes and answers that pass.
    """
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
            **traces,
        )
    client = AsyncModbusTcpClient(
        line.host,
        port=line.port,
        framer=FramerType.SOCKET if line.numbered else FramerType.RTU,
        timeout=patience,
        retries=0,
        reconnect_delay=0,
        **traces,
    )
    client.set_max_no_responses(MANY)  # to hang up is up to us
    return client


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
