"""The benchmarks run, and the page about them shows what they print."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.servers import program

ROOT = Path(__file__).parent.parent


def rows(text: str) -> set[str]:
    """Return what the rows of the table are about, whatever the scale."""
    table = text[text.index("| what |") :].split("\n\n", maxsplit=1)[0]
    return {
        re.sub(r"[\d.]+( [kM]\b)?", "N", line.split("|")[1].strip())
        for line in table.splitlines()[2:]
    }


@pytest.mark.slow
@pytest.mark.timeout(400)  # a minute, if nobody else wants the machine
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
    """Somebody who mistypes a row learns which there are."""
    done = subprocess.run(
        [sys.executable, "-m", "bench", "drian"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "drain" in done.stderr
