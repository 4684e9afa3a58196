"""The benchmarks run, and the page about them shows what they print."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench import against
from tests.support.servers import program

ROOT = Path(__file__).parent.parent


def rows(text: str) -> set[str]:
    """Return what the rows of the table are about, at any scale."""
    table = text[text.index("| what |") :].split("\n\n", maxsplit=1)[0]
    return {
        re.sub(r"[\d.]+( [kM]\b)?", "N", line.split("|")[1].strip())
        for line in table.splitlines()[2:]
    }


@pytest.mark.bench
@pytest.mark.slow(240)
@pytest.mark.timeout(2400)  # for what hangs: it takes a minute on an idle machine
def test_quick_benchmarks_print_the_rows_of_the_page() -> None:
    """What the page shows is what ``python -m bench`` measures, at any scale."""
    program("mosquitto", "mosquitto")
    program("victoria-metrics", "victoria-metrics")

    done = subprocess.run(
        [sys.executable, "-m", "bench", "--quick"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert rows(done.stdout) == rows((ROOT / "docs" / "benchmarks.md").read_text())


def test_a_name_of_no_row_is_refused() -> None:
    """A person who mistypes a row learns which there are."""
    done = subprocess.run(
        [sys.executable, "-m", "bench", "drian"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "drain" in done.stderr


def test_a_comparison_is_of_two_builds() -> None:
    """A folder without one is refused before anything is measured."""
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--quick", "--against", "docs"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "docs: expected a checkout of ingestd" in done.stderr


def test_a_comparison_finds_the_figures_of_every_row_of_the_page() -> None:
    """By any row two builds can be compared."""
    page = (ROOT / "docs" / "benchmarks.md").read_text()

    found = dict(against.figures(page))

    drain = "drain of a 10.00 M reading spool into VictoriaMetrics"
    scripts = next(what for what, _ in found if "scripts of BMON's kind" in what)
    assert found[drain, "speed"] == 804_000
    assert found[scripts, "processor time of a run, ms"] == 81
    assert found["idle daemon with ten collectors", "memory, MiB"] == 56
    assert {re.sub(r"[\d.]+( [kM]\b)?", "N", what) for what, _ in found} == rows(page)


def test_a_comparison_tells_costs() -> None:
    """A speed of half and a memory of twice as much are both a cost of two."""
    speed, memory = ("drain", "speed"), ("idle", "memory, MiB")

    text = against.table(
        {speed: [50.0, 45.0, 40.0], memory: [20.0, 22.0, 20.0]},
        {speed: [100.0, 90.0, 90.0], memory: [10.0, 10.0, 10.0]},
    )

    assert "| drain | speed | **2.00x** | 2.00x to 2.25x |" in text
    assert "| idle | memory, MiB | **2.00x** | 2.00x to 2.20x |" in text
