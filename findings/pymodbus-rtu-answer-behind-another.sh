#!/usr/bin/env bash
# pymodbus 3.16.1: an answer in RTU framing is lost if that of another device stands before it.
#
# On a line with several devices, the late answer of unit 2 and the answer of unit 1 can reach
# the client in one piece, from a converter for instance. Unit 1 was asked. The client skips the
# frame of unit 2, as it logs, but with it all that stands behind: FramerRTU.decode gives the
# length of all bytes as what it used, not that of its frame, so the loop in handleFrame that
# is to go on behind a skipped frame never does. The request ends in a time-out, though its answer
# is there. The same frames in two pieces are read as they should be.
#
# Output seen on 2026-11-27 with Python 3.11:
#   in two pieces: [11]
#   in one piece: ModbusIOException
set -euo pipefail

there=$(mktemp -d)
trap 'rm -rf "$there"' EXIT
python3 -m venv "$there/venv"
"$there/venv/bin/pip" install --quiet --disable-pip-version-check 'pymodbus==3.16.1'

cat >"$there/ask.py" <<'PYTHON'
import asyncio
import logging

from pymodbus import FramerType
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException
from pymodbus.framer.rtu import FramerRTU

logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)


def frame(unit, value):
    body = bytes([unit, 3, 2]) + value.to_bytes(2, "big")
    return body + FramerRTU.compute_CRC(body).to_bytes(2, "big")


async def ask(pieces):
    gone = asyncio.Event()

    async def talk(reader, writer):
        await reader.readexactly(8)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.2)
        await reader.read()
        writer.close()
        gone.set()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = AsyncModbusTcpClient(
        "127.0.0.1", port=port, framer=FramerType.RTU, timeout=2, retries=0, reconnect_delay=0
    )
    await client.connect()
    try:
        return (await client.read_holding_registers(0, count=1, device_id=1)).registers
    except ModbusException as error:
        return type(error).__name__
    finally:
        client.close()
        await gone.wait()
        server.close()


async def main():
    late, right = frame(2, 22), frame(1, 11)
    print("in two pieces:", await ask([late, right]))
    print("in one piece:", await ask([late + right]))


asyncio.run(main())
PYTHON

seen=$("$there/venv/bin/python" "$there/ask.py")
echo "$seen"
diff <(echo "$seen") - <<'TEXT'
in two pieces: [11]
in one piece: ModbusIOException
TEXT
