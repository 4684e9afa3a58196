"""What the rows are compared with, each in a process of its own.

They do what an application without ingestd would: influxdb-client's batching
writer with Points, aiomqtt's iterator, and requests with json. The last line they
print is JSON.
"""

import asyncio
import csv
import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from xml.etree import ElementTree as ET

from bench.daemon import memory_mib
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


def dcs(server: Mapping[str, Any], url: str) -> dict[str, float]:
    """Read an answer of a DCS server, and write it through the batching WriteApi."""
    library: Any = importlib.import_module("influxdb_client")
    requests: Any = importlib.import_module("requests")
    point, seconds = library.Point, library.WritePrecision.S
    began, cpu = time.monotonic(), time.process_time()
    session, api = requests.Session(), f"{server['legacy']}/api"
    who = {"username": server["username"], "password": server["password"]}
    session.post(f"{api}/account/login", json=who).raise_for_status()
    query = {"registerId": "1", "start": "2020-01-01"}
    reply = session.get(f"{api}/registerReadings/list", params=query)
    reply.raise_for_status()
    client = library.InfluxDBClient(url, token="t", org="o")
    options = library.WriteOptions(batch_size=5000, flush_interval=1000)
    with client.write_api(options) as writer:
        for some in batched(reply.json(), CHUNK):
            points = [
                point("reading")
                .tag("series", "dcs_R1_half_hour")
                .field("value", float(each["periodValue"]))
                .time(datetime.fromisoformat(each["startTime"]), seconds)
                for each in some
            ]
            writer.write("b", record=points, write_precision=seconds)
    client.close()
    used = {"seconds": time.monotonic() - began, "cpu": time.process_time() - cpu}
    return {**used, "memory": memory_mib(os.getpid(), "VmHWM")}


def document(name: str, url: str, store: str) -> dict[str, float]:
    """Read a document of a web server, and write it through the batching WriteApi."""
    library: Any = importlib.import_module("influxdb_client")
    requests: Any = importlib.import_module("requests")
    point, seconds = library.Point, library.WritePrecision.S
    before = memory_mib(os.getpid(), "VmRSS")
    began, cpu = time.monotonic(), time.process_time()
    reply = requests.get(url)
    reply.raise_for_status()
    client = library.InfluxDBClient(store, token="t", org="o")
    options = library.WriteOptions(batch_size=5000, flush_interval=1000)
    with client.write_api(options) as writer:
        for some in batched(parsed(name, reply), CHUNK):
            points = [
                point("reading")
                .tag("series", f"{each['meter']}_kwh")
                .field("value", float(each["kWh"]))
                .time(datetime.fromisoformat(each["time"]), seconds)
                for each in some
            ]
            writer.write("b", record=points, write_precision=seconds)
    client.close()
    used = {"seconds": time.monotonic() - began, "cpu": time.process_time() - cpu}
    memory = memory_mib(os.getpid(), "VmHWM")
    return {**used, "memory": memory, "grown": memory - before}


def parsed(name: str, reply: Any) -> list[Any]:
    """Return the records of a document as scripts read them."""
    if name == "JSON":
        return list(reply.json()["data"])
    if name == "NDJSON":
        return [json.loads(line) for line in reply.text.splitlines()]
    if name == "CSV":
        return list(csv.DictReader(reply.text.splitlines()))
    root = ET.fromstring(reply.content)
    return [{**row.attrib, **{each.tag: each.text for each in row}} for row in root.iterfind("row")]


def lines(path: str, store: str) -> dict[str, float]:
    """Read what a command writes, line by line, and write the lines as they are."""
    library: Any = importlib.import_module("influxdb_client")
    options = library.WriteOptions(batch_size=5000, flush_interval=1000)
    client = library.InfluxDBClient(store, token="t", org="o")
    began, cpu = time.monotonic(), time.process_time()
    argv = ["cat", path]
    with (
        subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as command,
        client.write_api(options) as writer,
    ):
        assert command.stdout is not None
        for line in command.stdout:
            writer.write("b", record=line.rstrip("\n"))
    client.close()
    return {"seconds": time.monotonic() - began, "cpu": time.process_time() - cpu}


def csvfile(path: str, store: str) -> dict[str, float]:
    """Read a CSV with pandas, and write its frames, a point for each value."""
    library: Any = importlib.import_module("influxdb_client")
    pandas: Any = importlib.import_module("pandas")
    synchronous: Any = importlib.import_module("influxdb_client.client.write_api").SYNCHRONOUS
    began, cpu = time.monotonic(), time.process_time()
    client = library.InfluxDBClient(store, token="t", org="o", enable_gzip=True)
    with client.write_api(write_options=synchronous) as writer:
        for frame in pandas.read_csv(
            path, chunksize=2 * CHUNK, parse_dates=["time"], index_col="time"
        ):
            points = frame.melt(ignore_index=False, var_name="series")
            writer.write(
                "b",
                record=points,
                data_frame_measurement_name="reading",
                data_frame_tag_columns=["series"],
            )
    client.close()
    used = {"seconds": time.monotonic() - began, "cpu": time.process_time() - cpu}
    return {**used, "memory": memory_mib(os.getpid(), "VmHWM")}


def batched(rows: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Yield rows so many at a time."""
    return (rows[at : at + size] for at in range(0, len(rows), size))


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
    elif name == "dcs":
        found = dcs(json.loads(arguments[0]), arguments[1])
    elif name == "lines":
        found = lines(*arguments)
    elif name == "csvfile":
        found = csvfile(*arguments)
    elif name == "document":
        found = document(*arguments)
    else:
        found = asyncio.run(mqtt(int(arguments[0]), arguments[1], arguments[2], int(arguments[3])))
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
