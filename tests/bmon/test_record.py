"""Runs of BMON's scripts are told in its words."""

from typing import Any

import pytest

from ingestd.bmon.record import as_bmon
from ingestd.records.runs import RunRecord
from tests.support.cli import CommandLine
from tests.support.daemon import DaemonFolder

TELLS = """
import requests
from django.conf import settings

KEY = settings.API_KEY


def run(n=0, **kwargs):
    if n == 1:
        raise ValueError("refused: " + KEY)
    print("with", KEY)
    return {"readings": [(None, "level", 1)], "n": n + 1, "seen": sorted(kwargs)}
"""


@pytest.mark.slow  # a worker process starts, and Python for two commands
async def test_the_last_run_stands_beside_the_state(daemon_folder: DaemonFolder) -> None:
    """State and record tell it without secrets, from the API and from the command line."""
    daemon_folder.plugin("tells", TELLS)
    config = """
        collectors:
          m:
            {plugin: tells, compat: bmon, every: 1h, catch_up: none,
             settings: {API_KEY: geheim-1234}}
    """
    async with daemon_folder.daemon(config) as it:
        ran = await it.post("collectors/m/run")
        first = await it.get("state/m")
        await it.post("collectors/m/run")
        second = await it.get("state/m")
        log = await it.get("runs")
    cli = CommandLine(daemon_folder.config_path)
    shown = cli("state", "show", "m").out
    told = cli("runs", "2").out

    assert ran["outcome"] == "ok"
    assert first["state"] == {"n": 1, "seen": []}
    assert first["last_run"] == ran["bmon"]
    assert set(first["last_run"]) == {
        "script_start_time", "script_execution_time", "reading_insert_message",
    }  # fmt: skip
    assert second["state"] == first["state"]
    assert set(second["last_run"]) == {"script_start_time", "script_error"}
    assert "ValueError: refused: ***" in second["last_run"]["script_error"]
    assert "of the last run, and not given to the next:\nscript_start_time" in shown
    assert "ValueError: refused: ***" in shown
    assert "as BMON has it:\nscript_start_time" in told
    assert "geheim" not in str([ran, first, second, log, shown, told])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"readings": 15, "points": 15},
            {
                "script_execution_time": 1.23,
                "reading_insert_message": "15 readings stored successfully, 0 rejected.",
            },
        ),
        (
            {"readings": 5, "points": 2, "unusable": {"no_value": 1, "value": 2}},
            {
                "script_execution_time": 1.23,
                "reading_insert_message": "2 readings stored successfully, 2 rejected.",
            },
        ),
        ({"outcome": "degraded", "degraded": "a sensor"}, {"script_execution_time": 1.23}),
        ({"outcome": "timeout", "error": "too long"}, {"script_error": "too long"}),
        ({"outcome": "failed", "error": "a", "details": "b"}, {"script_error": "b"}),
    ],
)
def test_a_run_is_told_in_bmons_words(changes: dict[str, Any], expected: dict[str, Any]) -> None:
    """Without readings there is no message, and a run that failed has no duration."""
    record = RunRecord(collector="m", tick=0.0, started=1432327040.5, seconds=1.2345, **changes)

    assert as_bmon(record) == {"script_start_time": "2015-05-22 20:37:20 UTC", **expected}
