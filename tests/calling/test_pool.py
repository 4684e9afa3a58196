"""Worker processes: whatever a plugin does, it does to itself."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

import psutil  # type: ignore[import-untyped]  # ships no types
import pytest

from ingestd.calling import pool as isolation
from ingestd.calling.plugin import Plugin
from ingestd.calling.pool import Finished, Workers
from ingestd.errors import (
    PluginError,
    PluginLoadError,
    ResultError,
    ResultTooLarge,
    RunTimeout,
    WorkerDied,
)
from tests.support.plugins import LogLines, PluginFolder, state_of

# Starting a process takes about a tenth of a second, and these tests start many.
pytestmark = pytest.mark.slow

WHO_AM_I = "import os\ndef run(**_):\n    return {'pid': os.getpid()}\n"
HANG = "import time\ndef run(**_):\n    time.sleep(600)\n"


class Call(Protocol):
    """Calls a plugin with the arguments that most tests do not care about."""

    async def __call__(
        self,
        plugin: Plugin,
        *,
        limit: float | None = 30,
        memory_limit: int | None = None,
        **kwargs: Any,
    ) -> Finished:
        """Call it."""


@pytest.fixture
async def workers() -> AsyncIterator[Workers]:
    """Give a pool of two."""
    async with Workers(2) as pool:
        yield pool


@pytest.fixture
def log() -> LogLines:
    """Give a log to look at."""
    return LogLines()


@pytest.fixture
def call(workers: Workers, log: LogLines) -> Call:
    """Give a short way to call."""

    async def calling(
        plugin: Plugin,
        *,
        limit: float | None = 30,
        memory_limit: int | None = None,
        **kwargs: Any,
    ) -> Finished:
        return await workers.call(
            plugin, kwargs, name="probe", timeout=limit, memory_limit=memory_limit, log=log
        )

    return calling


async def failure(calling: Any) -> PluginError:
    """Return the error that a call ends with."""
    with pytest.raises(PluginError) as caught:
        await calling
    return caught.value


# Children that were there before the test: the real servers of other tests.
OTHERS: Final[set[int]] = set()


@pytest.fixture(autouse=True)
def _only_own_processes() -> None:
    OTHERS.clear()
    OTHERS.update(child.pid for child in psutil.Process().children())


def process_count() -> int:
    """Return how many children this test has, dead ones included."""
    return len({child.pid for child in psutil.Process().children()} - OTHERS)


async def until(condition: Callable[[], bool]) -> None:
    """Return once another process has made something true."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 (another process has no event of ours)
            await asyncio.sleep(0.01)


async def test_result_and_output_come_back(plugin_folder: PluginFolder, call: Call) -> None:
    """What run returns and what it prints arrive apart from each other."""
    plugin = plugin_folder.plugin(
        """
        import logging, sys
        def run(*, factor, **_):
            print("to stdout")
            print("to stderr", file=sys.stderr)
            logging.warning("to logging")
            return {"readings": [(1.5, "level", 2 * factor)], "last": 1.5}
        """
    )

    finished = await call(plugin, factor=21)

    assert finished.result == {"readings": [(1.5, "level", 42)], "last": 1.5}
    assert finished.output == "to stdout\nto stderr\nWARNING:root:to logging\n"


async def test_million_readings_come_back_in_order(plugin_folder: PluginFolder, call: Call) -> None:
    """A large result travels in pieces, between which the event loop turns."""
    plugin = plugin_folder.plugin(
        "def run(**_):\n    return {'readings': [(i, 's', i) for i in range(200_003)], 'n': 1}\n"
    )

    result = (await call(plugin)).result

    assert result["n"] == 1
    assert [value for _, _, value in result["readings"]] == list(range(200_003))


async def test_result_that_would_flood_the_daemon_is_refused(
    plugin_folder: PluginFolder, call: Call
) -> None:
    """A run may eat its own memory, but not the daemon's."""
    plugin = plugin_folder.plugin("def run(**_):\n    return {'junk': 'x' * (65 << 20)}\n")

    error = await failure(call(plugin))

    assert isinstance(error, ResultError)
    assert str(error) == "run must give at most 64 MiB at once, got 65 MiB"


async def test_too_many_readings_are_refused_before_they_are_sent(
    plugin_folder: PluginFolder, call: Call
) -> None:
    """The first of them tell how large all will be."""
    plugin = plugin_folder.plugin(
        "def run(**_):\n    return {'readings': [(1, f'{n:10000}', 1) for n in range(8_000)]}\n"
    )

    error = await failure(call(plugin))

    assert isinstance(error, ResultTooLarge)
    assert str(error).endswith("yield its readings from an async generator, got 8000 readings")


async def test_result_of_the_wrong_type_is_refused(plugin_folder: PluginFolder, call: Call) -> None:
    """The run-contract is checked where the result is."""
    error = await failure(call(plugin_folder.plugin("def run(**_):\n    return [1]\n")))

    assert isinstance(error, ResultError)
    assert str(error) == "run must give a dict, got list"


async def test_time_zones_of_foreign_make_keep_the_instant(
    plugin_folder: PluginFolder, call: Call
) -> None:
    """No class of the plugin enters the daemon, not even a tzinfo."""
    plugin = plugin_folder.plugin(
        """
        from datetime import datetime, timedelta, tzinfo
        from zoneinfo import ZoneInfo
        class Odd(tzinfo):
            def utcoffset(self, when): return timedelta(hours=3)
            def dst(self, when): return None
        def run(**_):
            return {"odd": datetime(2024, 1, 1, 3, tzinfo=Odd()),
                    "zoned": datetime(2024, 1, 1, 1, tzinfo=ZoneInfo("Europe/Berlin")),
                    "naive": datetime(2024, 1, 1)}
        """
    )

    result = (await call(plugin)).result

    midnight = datetime(2024, 1, 1, tzinfo=UTC)
    assert result["odd"] == result["zoned"] == midnight
    assert result["naive"] == midnight.replace(tzinfo=None)


async def test_exception_is_told_from_the_plugins_first_frame(
    plugin_folder: PluginFolder, call: Call
) -> None:
    """The operator reads the plugin's lines and none of ours."""
    plugin = plugin_folder.plugin(
        """
        def run(**_):
            print("before")
            try:
                deeper()
            except KeyError as exc:
                raise RuntimeError("meter is away") from exc
        def deeper():
            raise KeyError("R733")
        """
    )

    error = await failure(call(plugin))

    assert type(error) is PluginError
    assert str(error) == "RuntimeError: meter is away"
    assert error.output == "before\n"
    assert "KeyError: 'R733'" in error.details
    assert error.details.count("in run") == 2
    assert "ingestd/" not in error.details


@pytest.mark.parametrize(
    "body",
    [
        "class Odd(Exception):\n    def __reduce__(self): raise TypeError\n",
        "class Odd(Exception):\n    def __str__(self): raise TypeError\n",
        "class Odd(BaseException):\n    lock = __import__('threading').Lock()\n",
    ],
)
async def test_exceptions_of_any_kind_come_back_as_text(
    plugin_folder: PluginFolder, call: Call, body: str
) -> None:
    """An exception that cannot be sent or shown is an ordinary failed run."""
    plugin = plugin_folder.plugin(f"{body}def run(**_):\n    raise Odd\n")

    error = await failure(call(plugin))

    assert type(error) is PluginError
    assert str(error).startswith("Odd")
    assert "raise Odd" in error.details


async def test_details_are_bounded(plugin_folder: PluginFolder, call: Call) -> None:
    """A message of megabytes does not end up in every run record."""
    plugin = plugin_folder.plugin("def run(**_):\n    raise ValueError('x' * 10_000_000)\n")

    error = await failure(call(plugin))

    assert len(str(error)) < 1100
    assert len(error.details) < 66_000


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
    ],
)
async def test_death_of_the_process_is_a_failed_run(
    plugin_folder: PluginFolder, call: Call, body: str, message: str
) -> None:
    """The error says how it went, the next run finds a new process."""
    deadly = plugin_folder.plugin(f"def run(**_):\n    print('last words')\n    {body}\n", "deadly")
    sane = plugin_folder.plugin(WHO_AM_I)
    before = state_of(await call(sane))

    error = await failure(call(deadly))

    assert isinstance(error, WorkerDied)
    assert str(error).startswith(message)
    assert error.output.startswith("last words\n")
    assert state_of(await call(sane)) == before
    assert isinstance(await failure(call(deadly)), WorkerDied)


async def test_crash_tells_where_python_was(plugin_folder: PluginFolder, call: Call) -> None:
    """A segfault leaves the Python stack in the output."""
    plugin = plugin_folder.plugin("import ctypes\ndef run(**_):\n    ctypes.string_at(0)\n")

    error = await failure(call(plugin))

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
    plugin_folder: PluginFolder, call: Call, hang: str
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
    first = (await call(plugin, hang=False)).result["pid"]

    error = await failure(call(plugin, limit=0.3, hang=True))

    assert isinstance(error, RunTimeout)
    assert str(error) == "run must end within 0.3 s; it was stopped"
    assert not psutil.pid_exists(first)
    assert (await call(plugin, hang=False)).result["pid"] != first


async def test_deadline_counts_from_the_start_of_the_run(
    plugin_folder: PluginFolder, log: LogLines
) -> None:
    """Waiting for a free process uses up nobody's time."""
    plugin = plugin_folder.plugin("import time\ndef run(**_):\n    time.sleep(0.3); return {}\n")

    async with Workers(1) as workers, asyncio.TaskGroup() as group:
        for name in "abcde":
            group.create_task(
                workers.call(plugin, {}, name=name, timeout=1.2, memory_limit=None, log=log)
            )

    assert log.lines == []


async def test_stuck_run_leaves_the_other_processes_to_others(
    plugin_folder: PluginFolder, call: Call
) -> None:
    """One hanging collector takes one process and no more."""
    stuck = asyncio.create_task(call(plugin_folder.plugin(HANG, "stuck"), limit=None))
    plugin = plugin_folder.plugin(WHO_AM_I)

    assert len({(await call(plugin)).result["pid"] for _ in range(5)}) == 1
    stuck.cancel()
    await asyncio.wait([stuck])


async def test_runs_that_keep_hanging_leave_half_of_the_processes_to_others(
    plugin_folder: PluginFolder, log: LogLines
) -> None:
    """As many as there are processes hang; from the second time on nobody else waits for them."""
    hanging, healthy = plugin_folder.plugin(HANG, "stuck"), plugin_folder.plugin(WHO_AM_I)
    async with asyncio.timeout(20), Workers(2) as workers:
        call = partial(workers.call, kwargs={}, memory_limit=None, log=log)
        hangs = [call(hanging, name=name, timeout=0.1) for name in "ab"]
        first = await asyncio.gather(*hangs, return_exceptions=True)
        again = [asyncio.create_task(call(hanging, name=name, timeout=None)) for name in "ab"]
        await until(lambda: process_count() == 1)

        assert (await call(healthy, name="c", timeout=None)).result["pid"]
    for ended in again:  # the one that waited for its turn is told, too
        assert isinstance(await failure(ended), WorkerDied)
    assert [type(each) for each in first] == [RunTimeout, RunTimeout]


async def test_a_run_that_ended_in_time_has_all_the_processes_again(
    plugin_folder: PluginFolder, log: LogLines
) -> None:
    """A source that was slow once is not held back for ever."""
    plugin = plugin_folder.plugin("import time\ndef run(*, n, **_): time.sleep(n); return {}\n")
    async with asyncio.timeout(20), Workers(2) as workers:
        call = partial(workers.call, plugin, memory_limit=None, log=log)
        for name in "ab":
            await failure(call({"n": 9}, name=name, timeout=0.1))
            await call({"n": 0}, name=name, timeout=9)
        both = [asyncio.create_task(call({"n": 600}, name=name, timeout=None)) for name in "ab"]

        await until(lambda: process_count() == 2)
    await asyncio.wait(both)
    assert [isinstance(each.exception(), WorkerDied) for each in both] == [True, True]


async def test_cancelling_kills_the_run_and_all_that_it_started(
    plugin_folder: PluginFolder, call: Call, tmp_path: Path
) -> None:
    """A collector that is stopped leaves no process behind, nor a child of one."""
    note = tmp_path / "child"
    plugin = plugin_folder.plugin(
        f"""
        import pathlib, subprocess
        def run(**_):
            child = subprocess.Popen(["sleep", "600"])
            pathlib.Path({str(note)!r}).write_text(f"{{child.pid}}\\n")
            child.wait()
        """
    )
    task = asyncio.create_task(call(plugin))
    await until(lambda: note.exists() and note.read_text().endswith("\n"))

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert process_count() == 0
    await until(lambda: not psutil.pid_exists(int(note.read_text())) or is_dead(note))


def is_dead(note: Path) -> bool:
    """Whether the process is a zombie that nobody has collected in this container."""
    try:
        return bool(psutil.Process(int(note.read_text())).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


async def test_leaving_stops_every_process(plugin_folder: PluginFolder, log: LogLines) -> None:
    """Idle ones may run their exit handlers, busy ones are killed; none is left as a zombie."""
    note = plugin_folder.path / "note"
    idle = plugin_folder.plugin(
        f"""
        import atexit, pathlib
        def run(**_):
            atexit.register(pathlib.Path({str(note)!r}).touch)
            return {{}}
        """,
        "idle",
    )
    async with Workers(2) as workers:
        await workers.call(idle, {}, name="a", timeout=30, memory_limit=None, log=log)
        plugin = plugin_folder.plugin(HANG)
        busy = asyncio.create_task(
            workers.call(plugin, {}, name="b", timeout=None, memory_limit=None, log=log)
        )
        await until(lambda: process_count() == 2)

    assert isinstance(await failure(busy), WorkerDied)
    assert note.exists()
    assert process_count() == 0


async def test_memory_limit_stops_a_hog(plugin_folder: PluginFolder, call: Call) -> None:
    """A run over its limit fails and says so; the next one starts afresh, without it."""
    plugin = plugin_folder.plugin(
        """
        import os
        def run(*, mib, **_):
            hoard = bytearray(mib << 20)
            return {"pid": os.getpid(), "held": len(hoard) >> 20}
        """
    )
    first = (await call(plugin, mib=1, memory_limit=128 << 20)).result

    error = await failure(call(plugin, mib=200, memory_limit=128 << 20))

    assert str(error) == "needs more memory than memory_limit allows, which is 128 MiB"
    assert "bytearray" in error.details
    second = (await call(plugin, mib=200)).result
    assert second["held"] == 200
    assert second["pid"] != first["pid"]


async def test_memory_limit_is_lifted_after_the_call(
    plugin_folder: PluginFolder, call: Call
) -> None:
    """A limit belongs to a collector, not to the process that happens to serve it."""
    plugin = plugin_folder.plugin(
        """
        import os
        def run(*, mib, **_):
            return {"pid": os.getpid(), "size": len(bytearray(mib << 20))}
        """
    )
    first = (await call(plugin, mib=1, memory_limit=128 << 20)).result

    second = (await call(plugin, mib=200)).result

    assert second["pid"] == first["pid"]


async def test_memory_limit_covers_the_import(plugin_folder: PluginFolder, call: Call) -> None:
    """A module that hoards while it is imported is stopped too."""
    plugin = plugin_folder.plugin("hoard = bytearray(200 << 20)\ndef run(**_):\n    return {}\n")

    error = await failure(call(plugin, memory_limit=64 << 20))

    assert str(error) == "needs more memory than memory_limit allows, which is 64 MiB"


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
    plugin_folder: PluginFolder, call: Call, capfd: pytest.CaptureFixture[str], shout: str
) -> None:
    """The end of what is printed is kept, whoever prints it, and the daemon prints nothing."""
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

    output = (await call(plugin)).output

    assert len(output) < 17_000
    assert "bytes left out]" in output.splitlines()[0]
    assert "the end" in output
    assert capfd.readouterr() == ("", "")


async def test_output_of_c_code_belongs_to_its_run(
    plugin_folder: PluginFolder, call: Call, monkeypatch: pytest.MonkeyPatch
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

    outputs = [(await call(plugin, text=text)).output for text in (b"one", b"two")]

    assert outputs == ["one\n", "two\n"]


async def test_log_lines_arrive_while_the_run_goes_on(
    plugin_folder: PluginFolder, call: Call, log: LogLines
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
    task = asyncio.create_task(call(plugin))

    await until(lambda: len(log.lines) == 2)

    assert log.lines == [
        ("info", "read 7 rows", {"meter": "R733", "skipped": 1}),
        ("warning", "odd", {"meter": "R733", "thing": "<class 'object'>"}),
    ]
    task.cancel()


async def test_ctx_tells_the_time(plugin_folder: PluginFolder, call: Call) -> None:
    """ctx.now() is an aware datetime, as it is for asynchronous plugins."""
    plugin = plugin_folder.plugin(
        "def run(*, ctx, **_):\n    return {'now': ctx.now(), 'stopping': ctx.stopping}\n"
    )

    result = (await call(plugin)).result

    assert abs(result["now"].timestamp() - time.time()) < 30
    assert result["stopping"] is False


@pytest.mark.parametrize("name", ["http", "query", "settled", "shared", "mount"])
async def test_ctx_says_what_needs_the_event_loop(
    plugin_folder: PluginFolder, call: Call, name: str
) -> None:
    """An ordinary function learns why it cannot have this."""
    plugin = plugin_folder.plugin(f"def run(*, ctx, **_):\n    return ctx.{name}()\n")

    error = await failure(call(plugin))

    assert str(error) == f"ctx.{name} needs `async def run`, got an ordinary function"
    assert f"ctx.{name}()" in error.details


async def test_process_list_shows_no_params(
    plugin_folder: PluginFolder, call: Call, log: LogLines
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

    result = (await call(plugin, password="correct-horse")).result

    assert result["shown"] is False
    assert "ingestd.worker" in result["line"]


async def test_signals_to_the_service_leave_runs_alone(
    plugin_folder: PluginFolder, call: Call, log: LogLines
) -> None:
    """Only the daemon ends a run, and the plugin's own children still heed signals."""
    plugin = plugin_folder.plugin(
        """
        import os, signal, subprocess
        def run(*, ctx, **_):
            child = subprocess.Popen(["sleep", "600"])
            child.terminate()
            ended = child.wait(timeout=10)
            for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                os.kill(os.getpid(), each)
            return {"child": ended, "group": os.getpgid(0) == os.getpid()}
        """
    )

    result = state_of(await call(plugin))

    assert result == {"child": -signal.SIGTERM, "group": True}


async def test_fork_of_the_plugin_does_not_answer_for_it(
    plugin_folder: PluginFolder, call: Call
) -> None:
    """A forked child that falls out of run can neither answer nor hide a death."""
    plugin = plugin_folder.plugin(
        """
        import os, time
        def run(*, die, **_):
            child = os.fork()
            if child == 0:
                if die:
                    time.sleep(600)
                return {"who": "child"}
            if die:
                os._exit(5)
            os.waitpid(child, 0)
            return {"who": "parent"}
        """
    )

    assert state_of(await call(plugin, die=False)) == {"who": "parent"}
    assert state_of(await call(plugin, die=False)) == {"who": "parent"}
    assert "status 5" in str(await failure(call(plugin, die=True)))


async def test_process_serves_one_version_of_one_plugin(
    plugin_folder: PluginFolder, call: Call
) -> None:
    """What a plugin does to its process is met by itself alone, and only until it is edited."""
    old, other = plugin_folder.plugin(WHO_AM_I), plugin_folder.plugin(WHO_AM_I, "other")
    pids = [(await call(each)).result["pid"] for each in (old, other, old)]
    plugin_folder.write("probe", f"{WHO_AM_I}# edited\n")
    new = plugin_folder.loader.load("probe")

    pids.append((await call(new)).result["pid"])

    assert pids[0] == pids[2]
    assert len(set(pids)) == 3
    await until(lambda: process_count() == 2)


async def test_plugin_may_import_its_own_modules_at_any_call(
    plugin_folder: PluginFolder, call: Call
) -> None:
    """What belongs to the plugin stays at hand for as long as its process lives."""
    plugin_folder.write("pack/late.py", "n = 7\n")
    plugin_folder.write(
        "pack/__init__.py",
        """
        def run(*, late, **_):
            if late:
                from . import late as module
            return {"n": module.n if late else 0}
        """,
    )
    plugin = plugin_folder.loader.load("pack")

    results = [(await call(plugin, late=late)).result["n"] for late in (False, True)]

    assert results == [0, 7]


async def test_last_good_version_starts_after_a_broken_edit(
    plugin_folder: PluginFolder, call: Call
) -> None:
    """A new process gets the code that was loaded, not what the file says by now."""
    plugin = plugin_folder.plugin("def run(**_):\n    return {'version': 1}\n")
    plugin_folder.write("probe", "def run(**_) return {'version': 2}\n")

    assert state_of(await call(plugin)) == {"version": 1}


async def test_module_missing_in_a_worker_is_a_load_error(
    plugin_folder: PluginFolder, call: Call
) -> None:
    """Ordinary plugins are imported in workers, so that is where it shows."""
    plugin = plugin_folder.plugin(
        """
        import importlib
        importlib.import_module("no_such_module")
        def run(**_):
            return {}
        """
    )

    error = await failure(call(plugin))

    assert isinstance(error, PluginLoadError)
    assert str(error) == (
        f"{plugin.path}:3: needs the module 'no_such_module', which is not installed"
    )


async def test_hidden_coroutine_is_run_to_its_end(plugin_folder: PluginFolder, call: Call) -> None:
    """A run that looks ordinary and returns an awaitable is awaited in its process."""
    plugin = plugin_folder.plugin(
        """
        import asyncio
        async def _run(n):
            await asyncio.sleep(0)
            return {"n": n}
        def run(**kwargs):
            return _run(**kwargs)
        """
    )

    assert state_of(await call(plugin, n=5)) == {"n": 5}


async def test_hidden_generator_is_told_how_to_be_written(
    plugin_folder: PluginFolder, call: Call
) -> None:
    """Results cannot be yielded out of a process one by one."""
    plugin = plugin_folder.plugin(
        "async def _run():\n    yield {}\ndef run(**_):\n    return _run()\n"
    )

    error = await failure(call(plugin))

    assert "`async def` in order to yield" in str(error)


async def test_process_is_replaced_after_many_calls(
    plugin_folder: PluginFolder, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plugin that leaks gets a fresh process now and then."""
    monkeypatch.setattr(isolation, "CALLS", 2)
    plugin = plugin_folder.plugin(WHO_AM_I)

    pids = [(await call(plugin)).result["pid"] for _ in range(4)]

    assert pids[0] == pids[1] != pids[2] == pids[3]


async def test_idle_process_is_let_go(
    plugin_folder: PluginFolder, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A daily plugin does not keep its libraries in memory all day."""
    monkeypatch.setattr(isolation, "IDLE", 0.05)
    plugin = plugin_folder.plugin(WHO_AM_I)

    first = (await call(plugin)).result["pid"]

    await until(lambda: not psutil.pid_exists(first))
    assert (await call(plugin)).result["pid"] != first


async def test_process_that_dies_idle_is_not_used(plugin_folder: PluginFolder, call: Call) -> None:
    """A death between two runs fails neither of them."""
    plugin = plugin_folder.plugin(WHO_AM_I)
    first = (await call(plugin)).result["pid"]

    os.kill(first, signal.SIGKILL)
    await until(lambda: not psutil.pid_exists(first))

    assert (await call(plugin)).result["pid"] != first


async def test_unpicklable_argument_is_a_failed_run(
    plugin_folder: PluginFolder, call: Call
) -> None:
    """An argument that cannot travel fails the run and nothing else."""
    plugin = plugin_folder.plugin(WHO_AM_I)

    error = await failure(call(plugin, odd=lambda: None))

    assert "cannot be sent" in str(error)


def test_workers_die_with_a_killed_daemon(plugin_folder: PluginFolder) -> None:
    """Kill -9 of the daemon takes even a busy worker with it."""
    plugin_folder.write(
        "probe",
        """
        import os, time
        def run(*, ctx, **_):
            ctx.log.info(f"{os.getpid()}")
            time.sleep(600)
        """,
    )
    script = f"""
        import asyncio, pathlib, sys
        from ingestd.calling.pool import Workers
        from ingestd.loading.loader import Loader
        class Log:
            def info(self, event): print(event, flush=True)
        async def main():
            plugin = Loader([pathlib.Path({str(plugin_folder.path)!r})]).load("probe")
            async with Workers(1) as workers:
                await workers.call(
                    plugin, {{}}, name="a", timeout=None, memory_limit=None, log=Log()
                )
        asyncio.run(main())
    """
    daemon = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True
    )
    with daemon:
        assert daemon.stdout is not None
        worker = psutil.Process(int(daemon.stdout.readline()))
        daemon.kill()

    _, alive = psutil.wait_procs([worker], timeout=10)

    assert not [each for each in alive if each.status() != psutil.STATUS_ZOMBIE]
