"""The ways on which the modbus plugin reaches devices, and the pauses that some of them want."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from pymodbus.framer import FramerType
from pymodbus.server import ModbusUdpServer

from ingestd.plugins.modbus import ModbusError
from tests.support.modbus import HASTE, answering, device, read, register, serving, values
from tests.support.ports import free_port

pytestmark = pytest.mark.usefixtures("idle_time")


@pytest.mark.slow  # the line must have been still before it is asked
async def test_ascii_goes_over_tcp_too() -> None:
    """It has no numbers either."""
    async with serving(device(4), framer=FramerType.ASCII) as server:
        result = await read(
            **HASTE, port=server.port, unit=4, framing="ascii", registers=[register(0), register(2)]
        )

    assert values(result) == {"r0": 10, "r2": 30}


@pytest.mark.slow  # the line must have been still before it is asked
@pytest.mark.parametrize(
    ("framing", "framer"), [("tcp", FramerType.SOCKET), ("rtu", FramerType.RTU)]
)
async def test_udp_is_asked(framing: str, framer: FramerType) -> None:
    """A port that is the same as one for TCP is another line."""
    port = free_port()
    server = ModbusUdpServer(device(1), address=("127.0.0.1", port), framer=framer)
    await server.serve_forever(background=True)
    try:
        result = await read(
            **HASTE, port=port, transport="udp", framing=framing,
            registers=[register(0), register(2)],
        )  # fmt: skip
    finally:
        await server.shutdown()  # type: ignore[no-untyped-call]

    assert values(result) == {"r0": 10, "r2": 30}


async def test_udp_that_nobody_hears_is_told() -> None:
    """There is no connection that could be refused."""
    with pytest.raises(ModbusError, match=r"udp://127.0.0.1:\d+ unit 1: expected an answer"):
        await read(**HASTE, port=free_port(), transport="udp", registers=[register(0)])


@asynccontextmanager
async def encrypted(folder: Path, *, pieces: int = 1) -> AsyncIterator[int]:
    """Run a device behind TLS that sends each answer in so many pieces; give its port."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(folder / "ca.pem")

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while len(request := await reader.read(12)) == 12:
            address = request[9]
            answer = request[:4] + b"\0\5" + request[6:8] + b"\2\0" + bytes([address])
            size = -(-len(answer) // pieces)
            for at in range(0, len(answer), size):
                writer.write(answer[at : at + size])
                await writer.drain()
                await asyncio.sleep(0.01)
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize("pieces", [1, 3])
async def test_tls_is_spoken(tmp_path: Path, pieces: int) -> None:
    """Answers have the header of Modbus TCP, and may come in pieces."""
    async with encrypted(tmp_path, pieces=pieces) as port:
        result = await read(
            port=port, transport="tls", ca_file=str(tmp_path / "ca.pem"),
            registers=[register(40), register(42)],
        )  # fmt: skip

    assert values(result) == {"r40": 40, "r42": 42}


@pytest.mark.slow  # certificates are made
async def test_tls_certificate_must_be_trusted(tmp_path: Path) -> None:
    """Nothing is asked of a device that cannot show who it is, unless that is wanted."""
    async with encrypted(tmp_path) as port:
        with pytest.raises(ModbusError, match=r"expected a connection within"):
            await read(retries=0, port=port, transport="tls", registers=[register(40)])
        result = await read(port=port, transport="tls", insecure=True, registers=[register(40)])

    assert values(result) == {"r40": 40}


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"transport": "tcpp"}, "transport: expected tcp or udp or tls, got 'tcpp'"),
        ({"transport": "tls", "framing": "rtu"}, "framing: expected tcp, got 'rtu'"),
        ({"transport": "tls", "ca_file": "/nowhere"}, "ca_file: expected a certificate, got"),
        ({"host": None, "serial": "/dev/x", "framing": "tcp"}, "framing: expected rtu or ascii"),
        ({"pause_between": "soon"}, "pause_between: expected a duration"),
    ],
)
async def test_wrong_ways_are_told(params: dict[str, Any], told: str) -> None:
    """Before anything is asked."""
    with pytest.raises(ValueError, match=f"^{told}"):
        await read(**{"registers": [register(0)], **params})


@pytest.mark.slow  # the pauses are made
async def test_pauses_are_made() -> None:
    """After connecting, and between an answer and the next request."""
    loop, times = asyncio.get_running_loop(), list[float]()

    async def note(*_: Any) -> None:
        times.append(loop.time())

    async with serving(device(1, action=note)) as server:
        began = loop.time()
        await read(
            port=server.port, pause_after_connect="300ms", pause_between="200ms",
            registers=[register(0), register(2)],
        )  # fmt: skip

    assert times[0] - began >= 0.3
    assert times[1] - times[0] >= 0.2


@pytest.mark.slow  # an answer is waited for that does not come
async def test_device_that_ignores_the_first_request_is_asked_again_on_the_same_connection() -> (
    None
):
    """A new connection would have a first request, too."""
    first = [True]

    def deaf_at_first(data: bytes) -> bytes:
        was, first[0] = first[0], False
        return b"" if was else data[:4] + b"\0\5" + data[6:8] + b"\2\0\7"

    async with answering(deaf_at_first) as port:
        result = await read(
            port=port, request_timeout="500ms", registers=[register(0), register(2)]
        )

    assert values(result) == {"r0": 7, "r2": 7}
    assert "script_error" not in result


@pytest.mark.slow  # an answer is waited for that comes late
async def test_late_answer_of_a_device_that_numbers_nothing_is_no_value() -> None:
    """It answers with 0 to everything, so an answer behind a missing one could be to either."""
    loop, late = asyncio.get_running_loop(), [0.2]

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while len(request := await reader.read(12)) == 12:
            answer = b"\0\0\0\0\0\5" + request[6:8] + b"\2\0" + bytes([request[9]])
            loop.call_later(late.pop() if late else 0, writer.write, answer)
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        result = await read(
            port=server.sockets[0].getsockname()[1], request_timeout="150ms", retries=2,
            devices=[
                {"name": "a", "registers": [register(1)]},
                {"name": "b", "registers": [register(5), register(9)]},
            ],
        )  # fmt: skip

    assert values(result) == {"r1": 1, "r5": 5, "r9": 9}
