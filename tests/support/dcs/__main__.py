"""A server in a process of its own: ``python -m tests.support.dcs``.

The first line that it prints is JSON: where it is, and what a huge body has. It ends
with its standard input, so that none outlives the program that started it.
"""

import argparse
import asyncio
import json
import sys
import time
from typing import Any

from tests.support.dcs.campus import campus, many
from tests.support.dcs.huge import body
from tests.support.dcs.rules import Rules
from tests.support.dcs.server import FakeDcs


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.dcs", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="any free one by default")
    parser.add_argument("--registers", type=int, default=0, help="R1 and so on; else a campus")
    parser.add_argument("--latency", type=float, default=0, help="seconds before each answer")
    parser.add_argument("--range-days", type=float, default=0, help="longest range, all APIs")
    parser.add_argument("--rate", type=int, default=0, help="most requests in a second")
    parser.add_argument("--reply-mb", type=float, default=0, help="size of a body made beforehand")
    parser.add_argument("--api", choices=("current", "legacy"), default="legacy", help="of it")
    parser.add_argument("--no-gzip", action="store_true", help="compress nothing")
    asked = parser.parse_args()
    known = many(asked.registers) if asked.registers else campus()
    rules = Rules(
        latency=asked.latency,
        private_range_days=asked.range_days,
        public_range_days=asked.range_days,
        legacy_range_days=asked.range_days,
        private_rate=asked.rate,
        public_rate=asked.rate,
        gzip=not (asked.no_gzip or asked.reply_mb),
    )
    dcs = FakeDcs(known, rules, port=asked.port)
    said: dict[str, Any] = {"current": dcs.current_url, "legacy": dcs.legacy_url}
    said |= {"username": rules.username, "password": rules.password}
    if asked.reply_mb:
        last = int(time.time()) - 86_400
        dcs.huge, first, count = body(asked.reply_mb, legacy=asked.api == "legacy", last=last)
        said |= {"first": first, "readings": count, "bytes": sum(map(len, dcs.huge))}
    asyncio.run(serve(dcs, said))


async def serve(dcs: FakeDcs, said: dict[str, Any]) -> None:
    """Serve until standard input ends; then print what was seen."""
    async with dcs:
        print(json.dumps(said), flush=True)  # noqa: T201 -- the program that started it waits for this
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    seen = {"asked": len(dcs.asked), "overlaps": len(dcs.overlaps), "open": len(dcs.signed_in)}
    print(json.dumps(seen), flush=True)  # noqa: T201 -- and perhaps for this


if __name__ == "__main__":
    main()
