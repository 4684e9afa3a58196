"""One worker process as the daemon sees it: its death, its deadline, its output, its secrets."""

import asyncio

import psutil  # type: ignore[import-untyped]  # ships no types
import pytest

from ingestd.errors import (
    RunTimeout,
    WorkerDied,
)
from tests.support.plugins import LogLines, PluginFolder, state_of
from tests.support.workers import WHO_AM_I, InWorker, failure, until

# Starting a process takes about a tenth of a second, and these tests start many.
pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("import sys; sys.exit(3)", "run called sys.exit(3)"),
        (
            "import os; os._exit(3)",
            "the worker process exited with status 3 in the middle of the run",
        ),
        ("import ctypes; ctypes.string_at(0)", "the worker process was killed by SIGSEGV"),
        (
            "import os; os.kill(os.getpid(), 9)",
            "the worker process was killed by SIGKILL (out of memory?)",
        ),
        ("import os; os.closerange(3, 100); return {}", "the worker process exited with status 1"),
        (  # told once the process has had its two seconds to be gone
            "import os, time; os.closerange(3, 100); time.sleep(600)",
            "the worker process closed its channel",
        ),
    ],
)
async def test_death_of_the_process_is_a_failed_run(
    plugin_folder: PluginFolder, in_worker: InWorker, body: str, message: str
) -> None:
    """The error says how it went, the next run finds a new process."""
    deadly = plugin_folder.plugin(f"def run(**_):\n    print('last words')\n    {body}\n", "deadly")
    sane = plugin_folder.plugin(WHO_AM_I)
    before = state_of(await in_worker(sane))

    error = await failure(in_worker(deadly))

    assert isinstance(error, WorkerDied)
    assert str(error).startswith(message)
    assert error.output.startswith("last words\n")
    assert state_of(await in_worker(sane)) == before
    assert isinstance(await failure(in_worker(deadly)), WorkerDied)


async def test_crash_tells_where_python_was(
    plugin_folder: PluginFolder, in_worker: InWorker
) -> None:
    """A segfault leaves the Python stack in the output."""
    plugin = plugin_folder.plugin("import ctypes\ndef run(**_):\n    ctypes.string_at(0)\n")

    error = await failure(in_worker(plugin))

    assert "Segmentation fault" in error.output
    assert f'"{plugin.path}", line 3 in run' in error.output


@pytest.mark.parametrize(
    "hang",
    [
        "time.sleep(600)",
        "ctypes.PyDLL(None).sleep(600)",  # keeps the interpreter's lock
        "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65)); time.sleep(600)",
        "print('x' * 10_000_000, flush=True); time.sleep(600)",
    ],
)
async def test_run_is_killed_at_its_deadline(
    plugin_folder: PluginFolder, in_worker: InWorker, hang: str
) -> None:
    """However a run hangs, its collector is back with a new process."""
    plugin = plugin_folder.plugin(
        f"""
        import ctypes, os, signal, time
        def run(*, hang, **_):
            if hang:
                {hang}
            return {{"pid": os.getpid()}}
        """
    )
    first = (await in_worker(plugin, hang=False)).result["pid"]

    error = await failure(in_worker(plugin, limit=0.3, hang=True))

    assert isinstance(error, RunTimeout)
    assert str(error) == "run must end within 0.3 s; it was stopped"
    await until(lambda: not psutil.pid_exists(first))  # the dead are buried by whoever adopts them
    assert (await in_worker(plugin, hang=False)).result["pid"] != first


@pytest.mark.parametrize(
    "shout",
    [
        "print('x' * 79 + '\\n', end='') ",
        "os.write(2, b'x' * 79 + b'\\n')",
        "libc.puts(b'x' * 79)",
        "subprocess.run(['sh', '-c', 'head -c 80000 /dev/zero | tr \"\\\\0\" x'])",
    ],
)
async def test_megabytes_of_output_neither_block_nor_pile_up(
    plugin_folder: PluginFolder, in_worker: InWorker, capfd: pytest.CaptureFixture[str], shout: str
) -> None:
    """The end of what plugin, C code or child prints is kept, and the daemon prints nothing."""
    rounds = 20 if "subprocess" in shout else 30_000
    plugin = plugin_folder.plugin(
        f"""
        import ctypes, os, subprocess
        libc = ctypes.PyDLL(None)
        def run(**_):
            for _ in range({rounds}):
                {shout}
            print("the end")
            return {{}}
        """
    )

    output = (await in_worker(plugin)).output

    assert len(output) < 17_000
    assert "bytes left out]" in output.splitlines()[0]
    assert "the end" in output
    assert capfd.readouterr() == ("", "")


async def test_output_of_c_code_belongs_to_its_run(
    plugin_folder: PluginFolder, in_worker: InWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a C library still holds in its own buffer is not left to the next run."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    plugin = plugin_folder.plugin(
        """
        import ctypes
        def run(*, text, **_):
            ctypes.CDLL(None).puts(text)
            return {}
        """
    )

    outputs = [(await in_worker(plugin, text=text)).output for text in (b"one", b"two")]

    assert outputs == ["one\n", "two\n"]


async def test_log_lines_arrive_while_the_run_goes_on(
    plugin_folder: PluginFolder, in_worker: InWorker, worker_log: LogLines
) -> None:
    """ctx.log writes to the collector's own log, at once."""
    plugin = plugin_folder.plugin(
        """
        import time
        def run(*, ctx, **_):
            log = ctx.log.bind(meter="R733", event="dropped")
            log.info("read %d rows", 7, skipped=1)
            log.warning("odd", thing=object)
            time.sleep(600)
        """
    )
    task = asyncio.create_task(in_worker(plugin))

    await until(lambda: len(worker_log.lines) == 2)

    assert worker_log.lines == [
        ("info", "read 7 rows", {"meter": "R733", "skipped": 1}),
        ("warning", "odd", {"meter": "R733", "thing": "<class 'object'>"}),
    ]
    task.cancel()


async def test_process_list_shows_no_params(
    plugin_folder: PluginFolder, in_worker: InWorker
) -> None:
    """Secrets go through the channel: not by arguments, environment or files."""
    plugin = plugin_folder.plugin(
        """
        import pathlib
        def run(*, password, ctx, **_):
            me = pathlib.Path("/proc/self")
            shown = (me / "cmdline").read_bytes() + (me / "environ").read_bytes()
            return {"shown": password.encode() in shown, "line": (me / "cmdline").read_text()}
        """
    )

    result = (await in_worker(plugin, password="correct-horse")).result

    assert result["shown"] is False
    assert "ingestd.worker" in result["line"]


async def test_unpicklable_argument_is_a_failed_run(
    plugin_folder: PluginFolder, in_worker: InWorker
) -> None:
    """An argument that cannot travel fails the run and nothing else."""
    plugin = plugin_folder.plugin(WHO_AM_I)

    error = await failure(in_worker(plugin, odd=lambda: None))

    assert "cannot be sent" in str(error)
