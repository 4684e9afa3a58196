"""The vendors that scripts of BMON's kind ask: servers on this machine, in a process of their own.

They answer as slowly as servers far away, and as much as those do: a boiler's log
of half a day, minute by minute.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Final

from aiohttp import web

from tests.support.bmonvendors import Handler, Vendors

DAY: Final = datetime(2025, 1, 1)  # noqa: DTZ001 -- boilers write the time on their wall
LATENCY: Final = 0.2
FIELDS: Final = 20
MINUTES: Final = [DAY + timedelta(minutes=each) for each in range(720)]
BOILER: Final = "\n".join(
    ["Datum;Zeit;T", *(f"{each:%d.%m.%Y;%H:%M:%S};{each.minute},5" for each in MINUTES)]
)
TOUCH: Final = "\n".join(
    ["Datum ;Zeit ;KT;Status", *(f"{each:%d.%m.%Y;%H:%M:%S};{each.minute},5;1" for each in MINUTES)]
)


async def weather(_: web.Request) -> web.Response:
    """Tell the latest observation of a station."""
    last = {"dateutc": DAY.timestamp() * 1000, "tz": "x", **{f"f{at}": at for at in range(FIELDS)}}
    return web.json_response([{"macAddress": "00:0E:C6:20:0F:7B", "lastData": last}])


async def boiler(_: web.Request) -> web.Response:
    """Give one day of an older boiler's log."""
    return web.Response(text=BOILER)


async def touch(_: web.Request) -> web.Response:
    """Give one day of a newer boiler's log."""
    return web.Response(text=TOUCH)


@web.middleware
async def far_away(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer after a while."""
    await asyncio.sleep(LATENCY)
    return await handler(request)


async def device(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer a Modbus master after a while."""
    await asyncio.sleep(LATENCY)
    await Vendors().device(reader, writer)


async def serve() -> None:
    """Serve until the end of standard input, after printing where."""
    app = web.Application(middlewares=[far_away])
    app.router.add_get("/v1/devices", weather)
    app.router.add_get("/logfiles/{day}.csv", boiler)
    app.router.add_get("/touch_{day}.csv", touch)
    app.router.add_get("/systems/{system}/stats", Vendors().stats)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    registers = await asyncio.start_server(device, "127.0.0.1", 0)
    said = {
        "url": f"http://127.0.0.1:{runner.addresses[0][1]}",
        "modbus": registers.sockets[0].getsockname()[1],
    }
    print(json.dumps(said), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    registers.close()
    await runner.cleanup()


@contextmanager
def running() -> Iterator[dict[str, Any]]:
    """Run them; give the ``url`` of the web servers and the port of ``modbus``."""
    argv = [sys.executable, "-m", "bench.vendors"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
        process.communicate()


if __name__ == "__main__":
    asyncio.run(serve())
