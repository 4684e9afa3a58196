"""The page of curl lines: each is typed as it stands, and the daemon answers it."""

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.support.daemonprocess import DaemonProcess
from tests.support.deadline import WITHIN

PAGE: Final = Path(__file__).parent.parent / "docs" / "curl.md"
LINES: Final = re.findall(r"^\$ (curl .*)$", PAGE.read_text(), re.MULTILINE)
METER: Final = """
    import asyncio
    async def run(*, project=None, trace=None, input=None, factor=1, wait=0, start=None, end=None,
                  n=0, **_):
        await asyncio.sleep(wait)
        readings = [(None, "meter_kwh", factor)] if start is None else []
        yield {"readings": readings, "n": n + 1, "result": {"factor": factor}}
"""


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.slow  # a process for each line
def test_every_line_is_answered(daemon: DaemonProcess) -> None:
    """None is refused, and what is no text is JSON."""
    daemon.plugin("meter", METER)
    meter = {"plugin": "meter", "every": "876000h", "targets": {"house": ["gas"], "barn": ["gas"]}}
    daemon.configure(collectors={"meter": meter})
    daemon.start()
    daemon.wait_for("ready")
    for line in LINES:
        words = shlex.split(line.replace("localhost:8470", daemon.listen))
        done = subprocess.run(words, capture_output=True, text=True, timeout=WITHIN, check=False)
        assert done.returncode == 0, f"{line}: {done.stderr}"
        if "/api/" in line or "json" in line:
            json.loads(done.stdout)

    assert len(LINES) > 25
