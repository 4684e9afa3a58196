"""The servers and devices that scripts in the style of BMON's eight talk to."""

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web
from aiohttp.test_utils import TestServer

NOON: Final = 1_735_765_200  # Unix seconds of 2025-01-01 12:00 in Alaska
REGISTERS: Final = {100: 1, 101: 2, 102: 235}
INPUTS: Final = {1: "Closed", 2: "No Motion", 3: "71.5 F"}


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Vendors:
    """All of them, and what they were asked.

    Attributes:
        url: Of the web servers.
        asked: The path of every request, with its query.
        refresh: The only refresh token that works; each use replaces it.
        modbus: The port of a Modbus device.
        dialer: The port of an alarm dialer.
    """

    url: str = ""
    asked: list[str] = field(default_factory=list)
    refresh: str = "refresh-0"
    modbus: int = 0
    dialer: int = 0

    def paths(self) -> list[str]:
        """Return the paths that were asked for since the last call."""
        found, self.asked = self.asked, []
        return found

    async def weather(self, _: web.Request) -> web.Response:
        """Tell the latest observation of a station."""
        last = {"dateutc": NOON * 1000 + 500, "tz": "x", "tempf": 23.5, "humidity": "81"}
        return web.json_response([{"macAddress": "00:0E:C6:20:0F:7B", "lastData": last}])

    async def boiler(self, request: web.Request) -> web.Response:
        """Give one day of an older boiler's log."""
        if request.match_info["day"] == "20250102":
            raise web.HTTPNotFound
        return web.Response(text="Datum;Zeit;T\n01.01.2025;12:00:00;50,5\n01.01.2025;12:01:00;51\n")

    async def touch(self, _: web.Request) -> web.Response:
        """Give one day of a newer boiler's log, with a hole in it."""
        lines = ["Datum ;Zeit ;KT;Status", "01.01.2025;12:00:00;60,5;1", "01.01.2025;12:01:00;;3"]
        return web.Response(text="\n".join(lines))

    async def stats(self, request: web.Request) -> web.Response:
        """Tell what a system has produced, in steps of five minutes, dark ones left out."""
        start = int(request.query["start_at"])
        steps = [{"end_at": start + 300, "powr": 5}, {"end_at": start + 900, "powr": 7}]
        return web.json_response({"intervals": steps})

    async def token(self, request: web.Request) -> web.Response:
        """Renew tokens, for the key of our application alone."""
        right = (self.refresh, "the-key")
        if (request.query["code"], request.query["client_id"]) != right:
            return web.Response(status=400, text=f"no such token: {request.query['code']}")
        self.refresh = f"refresh-{int(self.refresh.rpartition('-')[2]) + 1}"
        return web.json_response({"access_token": "access", "refresh_token": self.refresh})

    async def thermostat(self, request: web.Request) -> web.Response:
        """Tell what thermostats measure."""
        assert request.headers["Authorization"] == "Bearer access"
        return web.json_response({"31832": {"temp": 71.5, "heating": "On", "fan": None}})

    async def device(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer a Modbus master that reads holding registers."""
        while head := await reader.read(12):
            _, _, _, unit, _, first, count = struct.unpack(">HHHBBHH", head)
            values = [REGISTERS[each] for each in range(first, first + count)]
            body = struct.pack(f">BBB{count}H", unit, 3, 2 * count, *values)
            writer.write(head[:4] + struct.pack(">H", len(body)) + body)
        writer.close()


class Dialer(asyncio.DatagramProtocol):
    """Answers what its inputs say."""

    transport: Any

    def connection_made(self, transport: Any) -> None:
        """Keep where to answer."""
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer."""
        self.transport.sendto(INPUTS.get(int(data.split()[1]), "?").encode(), addr)


@asynccontextmanager
async def vendors() -> AsyncIterator[Vendors]:
    """Give all of them, on ports of their own."""
    made = Vendors()

    @web.middleware
    async def note(request: web.Request, handler: Handler) -> web.StreamResponse:
        made.asked.append(request.path_qs)
        return await handler(request)

    app = web.Application(middlewares=[note])
    app.router.add_get("/v1/devices", made.weather)
    app.router.add_get("/logfiles/{day}.csv", made.boiler)
    app.router.add_get("/touch_{day}.csv", made.touch)
    app.router.add_get("/systems/{system}/stats", made.stats)
    app.router.add_post("/token", made.token)
    app.router.add_get("/thermostat", made.thermostat)
    loop = asyncio.get_running_loop()
    dialer, _ = await loop.create_datagram_endpoint(Dialer, local_addr=("127.0.0.1", 0))
    made.dialer = dialer.get_extra_info("sockname")[1]
    device = await asyncio.start_server(made.device, "127.0.0.1")
    made.modbus = device.sockets[0].getsockname()[1]
    async with TestServer(app) as server, device:
        made.url = str(server.make_url("")).rstrip("/")
        yield made
        dialer.close()
