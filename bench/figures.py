"""What the benchmarks say: rows of a table, medians, and the machine."""

import os
import platform
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is done.

    Attributes:
        quick: Whether it is only to be seen that everything works.
        rounds: How often each measurement is repeated, its peer in between.
    """

    quick: bool
    rounds: int

    def of(self, full: int, quick: int) -> int:
        """Return one of two sizes."""
        return quick if self.quick else full


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table.

    Attributes:
        what: What was measured.
        target: What was wanted.
        measured: What came out, medians.
        peer: What it is compared with, or an empty string.
        met: Whether the target was reached, or None if there is none.
    """

    what: str
    target: str
    measured: str
    peer: str
    met: bool | None


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast something went.

    Attributes:
        per_second: By the clock on the wall.
        per_cpu_second: For each second of processor time, however busy the machine is.
    """

    per_second: float
    per_cpu_second: float


def pace(number: int, *, seconds: float, cpu: float) -> Pace:
    """Return how fast so many went."""
    return Pace(number / seconds, number / cpu)


def middle(paces: Iterable[Pace]) -> Pace:
    """Return the medians."""
    some = list(paces)
    return Pace(
        median(each.per_second for each in some), median(each.per_cpu_second for each in some)
    )


def spread(paces: Sequence[Pace]) -> str:
    """Say the median of what was done in a second, and the least and the most."""
    some = sorted(each.per_second for each in paces)
    return f"{count(median(some))}/s [{count(some[0])}-{count(some[-1])}]"


def p99(some: Iterable[float]) -> float:
    """Return what all but a hundredth stay below; not a number if there is none."""
    ordered = sorted(some)
    return ordered[len(ordered) * 99 // 100] if ordered else float("nan")


def count(number: float) -> str:
    """Write a large number for people."""
    if number >= 1e6:
        return f"{number / 1e6:.2f} M"
    return f"{number / 1e3:.0f} k" if number >= 1e4 else f"{number:.0f}"


def compared(ours: Pace, peer: Pace) -> str:
    """Say how many times faster we are, on the wall and by processor time."""
    wall = ours.per_second / peer.per_second
    cpu = ours.per_cpu_second / peer.per_cpu_second
    return f"**{wall:.1f}x**, by processor time {cpu:.1f}x"


def table(rows: Iterable[Row]) -> str:
    """Return the rows as a table."""
    lines = ["| what | target | measured | peer in the same run | met |", "|---|---|---|---|---|"]
    for row in rows:
        met = {True: "yes", False: "**no**", None: ""}[row.met]
        lines.append(f"| {row.what} | {row.target} | {row.measured} | {row.peer} | {met} |")
    return "\n".join(lines)


def machine() -> str:
    """Describe the machine, but not whose it is."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} x {model}, {memory:.0f} GiB; {platform.system()} {platform.release()}; "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}; "
        f"load {os.getloadavg()[0]:.1f} before the first row"
    )
