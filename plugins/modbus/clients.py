"""Clients of pymodbus, which frame, send and wait, and do nothing else by themselves."""

from functools import partial
from typing import Any, Final

from .lines import Encryption, Line

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
        AsyncModbusUdpClient,
    )
    from pymodbus.framer import FramerType  # noqa: PLC0415 -- the same

    framings = {"tcp": FramerType.SOCKET, "rtu": FramerType.RTU, "ascii": FramerType.ASCII}
    options = {
        "framer": framings[line.framing],
        "timeout": patience,
        "retries": 0,
        "reconnect_delay": 0,
        **traces,
    }
    if line.host is None:
        return AsyncModbusSerialClient(
            line.address,
            baudrate=line.baudrate,
            parity=line.parity[0].upper(),
            stopbits=line.stopbits,
            **options,
        )
    kind = AsyncModbusUdpClient if line.transport == "udp" else AsyncModbusTcpClient
    client = kind(line.host, port=line.port, **options)
    client.set_max_no_responses(MANY)  # to hang up is up to us
    if line.tls is not None:
        encrypt(client, line, line.tls)
    return client


def encrypt(client: Any, line: Line, tls: Encryption) -> None:
    """Have a client for TCP encrypt.

    The one for TLS takes each piece that arrives for a whole answer.
    """
    client.ctx.call_create = partial(
        client.ctx.loop.create_connection,
        client.ctx.handle_new_connection,
        line.host,
        line.port,
        ssl=tls.context(),
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
