"""Plugins that do terrible things beside healthy ones, which never notice."""

import signal
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.daemonprocess import DaemonProcess, eventually

pytestmark = pytest.mark.slow

HEALTHY: Final = {
    "function": "def run(*, n=0, **_): return {'readings': [(None, 'f', n)], 'n': n + 1}",
    "coroutine": "async def run(*, n=0, **_): return {'readings': [(None, 'c', n)], 'n': n + 1}",
    "generator": "async def run(*, n=0, **_): yield {'readings': [(None, 'g', n)], 'n': n + 1}",
}
# Plugin -> its code, the outcome and a part of what its run record says.
BAD: Final = {
    "hangs": ("import time\ndef run(**_): time.sleep(1000)", "timeout", "within 1 s"),
    "waits": (
        "import asyncio\nasync def run(**_): await asyncio.sleep(1000)",
        "timeout",
        "within 1 s",
    ),
    "raises": ("def run(**_): raise ValueError('no such meter')", "failed", "no such meter"),
    "raises_async": ("async def run(**_): 1 / 0", "failed", "ZeroDivisionError"),
    "raises_late": (
        "async def run(**_):\n    yield {'readings': [(None, 'late', 1)]}\n    1 / 0",
        "failed",
        "ZeroDivisionError",
    ),
    "exits": ("import sys\ndef run(**_): sys.exit(3)", "failed", "sys.exit(3)"),
    "exits_async": ("import sys\nasync def run(**_): sys.exit(3)", "failed", "sys.exit(3)"),
    "exits_at_once": ("import os\ndef run(**_): os._exit(7)", "failed", "7"),
    "segfaults": (
        "import ctypes\ndef run(**_): return ctypes.string_at(0)",
        "failed",
        "SIGSEGV",
    ),
    "eats": (
        "def run(**_):\n    eaten = []\n    while True: eaten.append(bytearray(10_000_000))",
        "failed",
        "more memory than memory_limit allows",
    ),
    "prints": (
        "def run(**_):\n    for _ in range(200): print('x' * 100_000)\n    raise OSError('hoarse')",
        "failed",
        "hoarse",
    ),
    "imports": ("import nosuchmodule\ndef run(**_): return {}", "failed", "nosuchmodule"),
    "misspelt": ("def run(**_) return {}", "failed", "misspelt.py:1"),
    "runless": ("x = 1", "failed", "run"),
    "lists": ("def run(**_): return [1]", "failed", "dict"),
    "objects": ("def run(**_): return {'state': object()}", "failed", "state"),
}


@pytest.mark.slow(10)
def test_bad_plugins_disturb_no_other(daemon: DaemonProcess) -> None:
    """Each has a record that says why it failed; the healthy ones ran all the while.

    They run at every tick, unless the machine is too busy; then that tick is counted.
    """
    for name, text in HEALTHY.items():
        daemon.plugin(name, text)
    for name, (text, _, _) in BAD.items():
        daemon.plugin(name, text)
    healthy: dict[str, Any] = {name: {"plugin": name, "every": "1s"} for name in HEALTHY}
    bad = {
        name: {
            "plugin": name,
            "every": "500ms",
            # On a busy machine a process may take a second to start, and to fail otherwise.
            "timeout": "1s" if outcome == "timeout" else "1m",
            # Coroutines and generators have no process of their own, so nothing limits theirs.
            **({} if "async" in text else {"memory_limit": "128MiB"}),
        }
        for name, (text, outcome, _) in BAD.items()
    }
    daemon.configure(collectors=healthy)
    daemon.start()
    for name in HEALTHY:
        daemon.wait_for("run ok", collector=name)
    daemon.configure(collectors={**healthy, **bad})
    daemon.send(signal.SIGHUP)
    for name in BAD:
        daemon.wait_for("run failed", collector=name, failures=2)
    for name in HEALTHY:
        daemon.wait_for("run ok", collector=name, after=len(daemon.lines))
    records = {name: daemon.newest_run(name) for name in BAD}
    ticks = {
        name: sorted(run["tick"] for run in daemon.get(f"runs?collector={name}&limit=1000"))
        for name in HEALTHY
    }
    metrics = daemon.metrics()  # later than the runs, so that no missed tick is left out
    daemon.assert_balanced()
    assert daemon.stop() == 0

    for name, (_, outcome, why) in BAD.items():
        assert (records[name]["outcome"], name) == (outcome, name)
        assert why in records[name]["error"]
        assert len(records[name]["output"]) < 100_000
    for name, every in ticks.items():
        assert len(every) >= 3
        apart = [round(after - before, 3) for before, after in pairwise(every)]
        missed = metrics.get(f'ingestd_ticks_missed_total{{collector="{name}"}}', 0)
        assert sum(apart) - len(apart) <= missed
        assert not daemon.logged("run failed", collector=name)


def test_a_plugin_that_ignores_its_cancellation(daemon: DaemonProcess, tmp_path: Path) -> None:
    """It occupies its own collector alone, and the daemon does not wait for it for ever."""
    began = tmp_path / "began"
    daemon.plugin("function", HEALTHY["function"])
    daemon.plugin(
        "stubborn",
        f"""
        import asyncio, pathlib
        async def run(**_):
            while True:
                pathlib.Path({str(began)!r}).touch()
                try:
                    await asyncio.sleep(1000)
                except asyncio.CancelledError:
                    continue
        """,
    )
    daemon.configure(
        daemon={"grace": "1s"},
        collectors={
            "stubborn": {"plugin": "stubborn", "every": "100ms", "timeout": "200ms"},
            "function": {"plugin": "function", "every": "1s"},
        },
    )
    daemon.start()
    eventually(began.exists)
    for _ in range(2):
        daemon.wait_for("run ok", collector="function", after=len(daemon.lines))

    # What systemd grants is 60 s.
    assert daemon.stop() == 0
    assert daemon.logged("ended without waiting any longer")


def test_a_function_sees_only_the_variables_that_are_named_for_it(
    daemon: DaemonProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever else the daemon's environment holds, and what the config takes for a secret."""
    for name in ("METER_ONE", "METER_PROXY", "LC_METER_TWO", "LC_METER_SECRET"):
        monkeypatch.setenv(name, "correct horse")
    daemon.plugin(
        "curious",
        """
        import os
        def run(**_): raise LookupError(sorted(each for each in os.environ if "METER_" in each))
        """,
    )
    collector = {"plugin": "curious", "every": "100ms", "environment": ["METER_PROXY"]}
    secret = {"password": "${LC_METER_SECRET}"}
    daemon.configure(collectors={"curious": {**collector, "params": secret}})
    daemon.start()
    daemon.wait_for("run failed", collector="curious")

    error = daemon.newest_run("curious")["error"]
    assert error.endswith("LookupError: ['LC_METER_TWO', 'METER_PROXY']")
