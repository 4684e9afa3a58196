"""Many Modbus devices, each with an address of its own, read by one daemon."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench import daemon, nullstore
from bench.dcs import at_least
from bench.figures import Row, Scale

REGISTERS: Final = 20
CORE: Final = 1.0
SIZE: Final = 12  # bytes of a request
ANSWER: Final = bytes([2 * REGISTERS]) + bytes(range(2 * REGISTERS))


async def serve(number: int) -> None:
    """Run so many devices until the end of standard input, after printing their ports."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        length = (len(ANSWER) + 2).to_bytes(2, "big")
        while len(request := await reader.read(SIZE)) == SIZE:
            writer.write(request[:4] + length + request[6:8] + ANSWER)
        writer.close()

    servers = [await asyncio.start_server(talk, "127.0.0.1", 0) for _ in range(number)]
    print(json.dumps([each.sockets[0].getsockname()[1] for each in servers]), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


@contextmanager
def devices(number: int) -> Iterator[Sequence[int]]:
    """Run devices in a process of their own; give their ports."""
    argv = [sys.executable, "-m", "bench.modbus", str(number)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
        process.communicate()


def device_rows(folder: Path, scale: Scale) -> list[Row]:
    """Read all devices in each run; the first run loads the plugin and does not count."""
    number, every, runs = scale.of(500, 50), scale.of(10, 2), scale.of(3, 1)
    registers = [{"series": f"{{device}}_{at}", "address": at} for at in range(REGISTERS)]
    with devices(number) as ports, nullstore.running() as null:
        store = {"type": "influxdb", "url": null.url, "org": "o", "bucket": "b", "token": "t"}
        named = [{"name": f"d{at}", "port": port} for at, port in enumerate(ports)]
        # A busy machine may answer late, and that is not what is measured.
        params = {
            "host": "127.0.0.1", "devices": named, "registers": registers, "request_timeout": "1m"
        }  # fmt: skip
        collector = {"plugin": "modbus", "every": f"{every}s", "params": params}
        with daemon.running(
            folder, stores={"store": store}, collectors={"meters": collector}
        ) as running:
            running.wait_for(at_least(running, 1))
            cpu = running.cpu
            running.wait_for(at_least(running, 1 + runs))
            used, memory = running.cpu - cpu, daemon.memory_mib(running.process.pid, "VmHWM")
            made = sorted(running.runs(), key=lambda each: float(each["tick"]))
    wrong = [each for each in made if each["error"] or each["readings"] != number * REGISTERS]
    if wrong:
        raise RuntimeError(f"expected {number * REGISTERS} readings in each run, got {wrong[0]}")
    passed = made[runs]["tick"] - made[0]["tick"]
    longest = max(each["seconds"] for each in made[1 : 1 + runs])
    return [
        Row(
            f"{number} Modbus devices of {REGISTERS} registers every {every} s",
            "done before the next, < 1 core",
            f"a run takes {longest:.1f} s, {used / runs * 1000 / number:.1f} ms of processor time "
            f"for a device, {used / passed:.0%} of one core; peak RSS {memory:.0f} MiB",
            "",
            longest < every and used / passed < CORE,
        )
    ]


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
