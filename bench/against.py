"""This build and another, such as an earlier one, by turns: ratios, not figures of a machine.

Each build runs its own benchmarks with its own code, in processes of its own, and what
their tables say is compared; so it does not matter that modules have moved since. The
turns change sides each round, because a machine is busier now than then for both.
"""

import os
import re
import resource
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

ROOT: Final = Path(__file__).parent.parent
TRIES: Final = 3  # an earlier build may count before its store can find everything
COMMANDS: Final = 20  # how often the command line is started in a round
FACTORS: Final = {"": 1.0, " k": 1e3, " M": 1e6}


@dataclass(frozen=True, slots=True)
class Figure:
    """Something that a table says in its column "measured".

    Attributes:
        name: What it is.
        pattern: Finds it: a number, and perhaps its factor.
        more_is_better: Whether it is a speed, and not a cost.
    """

    name: str
    pattern: re.Pattern[str]
    more_is_better: bool


FIGURES: Final = (
    Figure("speed", re.compile(r"^([\d.]+)( [kM])?/s"), more_is_better=True),
    Figure(
        "speed by processor time, the peer's being 1",
        re.compile(r"by processor time \**([\d.]+)x()"),
        more_is_better=True,
    ),
    Figure(
        "speed by processor time",
        re.compile(r"([\d.]+)( [kM])? for each second of processor time"),
        more_is_better=True,
    ),
    Figure(
        "processor time of a run, ms",
        re.compile(r"([\d.]+)() ms of processor time"),
        more_is_better=False,
    ),
    Figure(
        "processor time, s", re.compile(r"uses ([\d.]+)() s of processor"), more_is_better=False
    ),
    Figure("share of a core, %", re.compile(r"([\d.]+)()% of one core"), more_is_better=False),
    Figure("time to get ready, s", re.compile(r"ready after ([\d.]+)() s"), more_is_better=False),
    Figure("memory, MiB", re.compile(r"(?:^|RSS |memory )([\d.]+)() MiB"), more_is_better=False),
)

Key = tuple[str, str]  # the row, and the name of the figure
COMMAND_LINE: Final[Key] = ("`ingestd --version`", "processor time, ms")
MORE_IS_BETTER: Final = {each.name for each in FIGURES if each.more_is_better}


@dataclass(frozen=True, slots=True)
class Build:
    """A checkout of ingestd.

    Attributes:
        root: Its folder.
        env: Makes Python find what is there before anything that is installed.
    """

    root: Path
    env: Mapping[str, str]

    @classmethod
    def at(cls, root: Path) -> "Build":
        """Return the build in a folder.

        Raises:
            ValueError: There is none, or Python would run another one.
        """
        root = root.resolve()
        build = cls(root, {**os.environ, "PYTHONPATH": f"{root / 'daemon'}:{root}"})
        done = build.run("-c", "import bench, ingestd; print(bench.__file__, ingestd.__file__)")
        if done.returncode or any(root not in Path(p).parents for p in done.stdout.split()):
            raise ValueError(f"{root}: expected a checkout of ingestd, got {done.stdout.strip()!r}")
        # As pip does: where PYTHONDONTWRITEBYTECODE is set, each start would compile everything.
        build.run("-m", "compileall", "-q", "daemon", "plugins", "bench")
        return build

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Python there."""
        argv = [sys.executable, *arguments]
        return subprocess.run(
            argv, cwd=self.root, env=self.env, check=False, capture_output=True, text=True
        )

    def figures(self, row: str, *options: str) -> dict[Key, float]:
        """Run one benchmark; return what its table says.

        Raises:
            RuntimeError: It failed again and again.
        """
        for _ in range(TRIES):
            done = self.run("-m", "bench", row, *options)
            if not done.returncode:
                return dict(figures(done.stdout))
            print(f"- {self.root}: {row} failed: {done.stderr[-300:]}", file=sys.stderr)
        raise RuntimeError(f"{self.root}: expected {row} to work, it failed {TRIES} times")

    def command_line(self) -> dict[Key, float]:
        """Return what it costs to start the command line."""
        before = cpu_of_children()
        for _ in range(COMMANDS):
            self.run("-m", "ingestd", "--version")
        return {COMMAND_LINE: (cpu_of_children() - before) / COMMANDS * 1000}


def cpu_of_children() -> float:
    """Return the processor time of all processes that we started and that ended, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def figures(text: str) -> Iterator[tuple[Key, float]]:
    """Yield the figures of a table that a build printed."""
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) < 5 or cells[1] in {"what", "---"}:
            continue
        for each in FIGURES:
            if found := each.pattern.search(cells[3]):
                number = float(found[1]) * FACTORS[found[2] or ""]
                yield (cells[1], each.name), number


def compare(other: Path, rows: Sequence[str], *, quick: bool, rounds: int) -> str:
    """Run the benchmarks with both builds; return a table of ratios.

    Raises:
        ValueError: There is no build in that folder.
        RuntimeError: A benchmark failed.
    """
    builds = [Build.at(ROOT), Build.at(other)]
    options = ("--quick",) if quick else ("--rounds", "1")
    said: list[dict[Key, list[float]]] = [{}, {}]
    for number in range(rounds):
        for row in (*rows, None):
            for at in (0, 1) if number % 2 == 0 else (1, 0):
                build = builds[at]
                found = build.figures(row, *options) if row else build.command_line()
                for key, figure in found.items():
                    said[at].setdefault(key, []).append(figure)
            print(f"- round {number + 1}: {row or 'command line'}", file=sys.stderr, flush=True)
    return table(*said)


def table(ours: Mapping[Key, Sequence[float]], theirs: Mapping[Key, Sequence[float]]) -> str:
    """Return what is slower or larger in this build, as factors: below 1, this build is better."""
    lines = ["| what | figure | cost, the other build's being 1 | rounds |", "|---|---|---|---|"]
    for what, name in ours.keys() & theirs.keys():
        us, them = ours[what, name], theirs[what, name]
        if not (all(us) and all(them)):
            continue  # too small for the digits that the table has
        sign = -1 if name in MORE_IS_BETTER else 1
        rounds = sorted((a / b) ** sign for a, b in zip(us, them, strict=True))
        whole = (median(us) / median(them)) ** sign
        lines.append(
            f"| {what} | {name} | **{whole:.2f}x** | {rounds[0]:.2f}x to {rounds[-1]:.2f}x |"
        )
    return "\n".join([*lines[:2], *sorted(lines[2:])])
