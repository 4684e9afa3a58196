"""What the rows are compared with, each in a process of its own.

They do what an application without ingestd would: influxdb-client's batching
writer with Points, and aiomqtt's iterator. The last line they print is JSON.
"""

import asyncio
import importlib
import json
import subprocess
import sys
import time
from typing import Any, Final

from bench.plugins import flood

CHUNK: Final = flood.CHUNK


def write_api(url: str, readings: int, batch: int) -> dict[str, float]:
    """Write readings as lists of Points through the batching WriteApi."""
    library: Any = importlib.import_module("influxdb_client")
    point, seconds = library.Point, library.WritePrecision.S
    options = library.WriteOptions(batch_size=batch, flush_interval=1000)
    client = library.InfluxDBClient(url, token="t", org="o")
    began, cpu = time.monotonic(), time.process_time()
    with client.write_api(options) as writer:
        for position in range(0, readings, CHUNK):
            points = [
                point("reading").tag("series", name).field("value", value).time(at, seconds)
                for at, name, value in flood.chunk(position)
            ]
            writer.write("b", record=points, write_precision=seconds)
    client.close()
    return {"seconds": time.monotonic() - began, "cpu": time.process_time() - cpu}


async def mqtt(port: int, client_id: str, protocol: str, messages: int) -> dict[str, float]:
    """Read a session's messages as aiomqtt gives them: acked before they are seen."""
    from bench.broker import client  # noqa: PLC0415

    began, cpu, seen = time.monotonic(), time.process_time(), 0
    async with client(port, client_id, protocol) as session:
        async for message in session.messages:
            json.loads(message.payload)
            seen += 1
            if seen == messages:
                break
    return {"seconds": time.monotonic() - began, "cpu": time.process_time() - cpu}


def run(*arguments: object) -> dict[str, float]:
    """Run a peer and return what it measured."""
    argv = [sys.executable, "-m", "bench.peers", *map(str, arguments)]
    done = subprocess.run(argv, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main(name: str, *arguments: Any) -> None:
    """Run the peer of that name."""
    if name == "write_api":
        found = write_api(arguments[0], int(arguments[1]), int(arguments[2]))
    else:
        found = asyncio.run(mqtt(int(arguments[0]), arguments[1], arguments[2], int(arguments[3])))
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
