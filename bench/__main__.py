"""``python -m bench``: run the benchmarks and print their table.

The servers are those that the tests use, Debian's; everything else happens in
processes of its own on this machine.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from bench import (
    against,
    collectors,
    commands,
    csvfile,
    dcs,
    documents,
    drain,
    encoding,
    messages,
    modbus,
    remotewrite,
    scripts,
    throughput,
)
from bench.figures import Row, Scale, machine, table

ROWS: Final[Mapping[str, Callable[[Path, Scale], list[Row]]]] = {
    "store": throughput.null_rows,
    "victoriametrics": throughput.victoria_rows,
    "encoding": encoding.rows,
    "mqtt": messages.rows,
    "collectors": collectors.many_rows,
    "idle": collectors.idle_rows,
    "drain": drain.rows,
    "dcs": dcs.reply_rows,
    "registers": dcs.polled_rows,
    "documents": documents.document_rows,
    "files": csvfile.file_rows,
    "execd": commands.line_rows,
    "modbus": modbus.device_rows,
    "remotewrite": remotewrite.rows,
    "scripts": scripts.rows,
}


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("rows", nargs="*", help=f"which rows: {', '.join(ROWS)}; all by default")
    parser.add_argument("--quick", action="store_true", help="small and once: does it work?")
    parser.add_argument("--rounds", type=int, default=3, help="how often to repeat everything")
    parser.add_argument(
        "--against", type=Path, metavar="CHECKOUT", help="compare with another build, by turns"
    )
    asked = parser.parse_args()
    if unknown := set(asked.rows) - set(ROWS):
        parser.error(f"expected some of {', '.join(ROWS)}, got {', '.join(sorted(unknown))}")
    if asked.against:
        rows = asked.rows or list(ROWS)
        try:
            print(against.compare(asked.against, rows, quick=asked.quick, rounds=asked.rounds))
        except ValueError as exc:
            parser.error(str(exc))
        return
    print_table(asked.rows or list(ROWS), Scale(asked.quick, 1 if asked.quick else asked.rounds))


def print_table(rows: Sequence[str], scale: Scale) -> None:
    """Run benchmarks and print what they measured."""
    print(machine(), flush=True)
    made: list[Row] = []
    for name in rows:
        with tempfile.TemporaryDirectory(prefix="ingestd-bench-") as folder:
            new = ROWS[name](Path(folder), scale)
        for row in new:
            print(f"- {row.what}: {row.measured}", file=sys.stderr, flush=True)
        made += new
    print(f"load {os.getloadavg()[0]:.1f} after the last row\n\n{table(made)}")


if __name__ == "__main__":
    main()
