#!/usr/bin/env bash
# pymodbus 3.16.1: a client for TLS takes the first piece of an answer for all of it.
#
# Modbus over TLS has the header of Modbus TCP, with the length of what follows. The framing for TCP
# waits until all of it is there. That for TLS, which AsyncModbusTlsClient insists on, does not look
# at the length: FramerTLS.decode takes whatever has arrived. So an answer that arrives in two pieces,
# which any network may make of it, is read as an answer with fewer registers, or raises in the
# transport, and the registers in the second piece are lost. No error is told to who asked.
#
# Output seen on 2026-11-28 with Python 3.11:
#   in one piece: [1, 2, 3, 4]
#   in two pieces, over TLS: not [1, 2, 3, 4]
#   in two pieces, over TCP: [1, 2, 3, 4]
set -euo pipefail

there=$(mktemp -d)
trap 'rm -rf "$there"' EXIT
python3 -m venv "$there/venv"
"$there/venv/bin/pip" install --quiet --disable-pip-version-check 'pymodbus==3.16.1' 'trustme==1.2.1'

cat >"$there/ask.py" <<'PYTHON'
import asyncio
import logging
import ssl

import trustme
from pymodbus.client import AsyncModbusTcpClient, AsyncModbusTlsClient
from pymodbus.exceptions import ModbusException

logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)
logging.getLogger("asyncio").setLevel(logging.CRITICAL)
RIGHT = [1, 2, 3, 4]


async def ask(cut, *, tls):
    authority = trustme.CA()
    ours, theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(ours)
    authority.configure_trust(theirs)

    async def talk(reader, writer):
        request = await reader.readexactly(12)
        data = b"".join(each.to_bytes(2, "big") for each in RIGHT)
        answer = request[:4] + b"\0\x0b" + request[6:8] + b"\x08" + data
        for piece in (answer[:cut], answer[cut:]):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.2)
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=ours if tls else None)
    port = server.sockets[0].getsockname()[1]
    options = {"port": port, "timeout": 1, "retries": 0, "reconnect_delay": 0}
    if tls:
        client = AsyncModbusTlsClient("127.0.0.1", sslctx=theirs, **options)
    else:
        client = AsyncModbusTcpClient("127.0.0.1", **options)
    await client.connect()
    try:
        found = (await client.read_holding_registers(0, count=4, device_id=1)).registers
    except (ModbusException, OSError):
        found = None
    client.close()
    server.close()
    return found if found == RIGHT else f"not {RIGHT}"


async def main():
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    print("in one piece:", await ask(17, tls=True))
    print("in two pieces, over TLS:", await ask(13, tls=True))
    print("in two pieces, over TCP:", await ask(13, tls=False))


asyncio.run(main())
PYTHON

seen=$("$there/venv/bin/python" "$there/ask.py")
echo "$seen"
diff <(echo "$seen") - <<'TEXT'
in one piece: [1, 2, 3, 4]
in two pieces, over TLS: not [1, 2, 3, 4]
in two pieces, over TCP: [1, 2, 3, 4]
TEXT
