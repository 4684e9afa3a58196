"""Results come out in one way from all kinds of run, and so do their failures."""

import asyncio
import gc
from contextlib import aclosing
from typing import Any, Final

import pytest

from ingestd.calling.coroutines import PluginResult
from ingestd.calling.options import CallOptions, Finished
from ingestd.calling.pool import Workers
from ingestd.calling.results import results
from ingestd.calling.threads import Threads
from ingestd.context import Shared
from ingestd.errors import PluginError, RunTimeout
from tests.support.deadline import WITHIN
from tests.support.plugins import LogLines, PluginFolder
from tests.support.workers import options_for

RUNS: Final = 50


async def given(
    folder: PluginFolder, text: str, *, limit: float | None = WITHIN, **kwargs: Any
) -> list[PluginResult]:
    """Run a plugin to its end; return what it gave."""
    async with Workers(1) as workers:
        options = CallOptions(
            name="probe", timeout=limit, memory_limit=None, isolation=workers, log=LogLines()
        )
        async with aclosing(results(folder.plugin(text), kwargs, options)) as everything:
            return [each async for each in everything]


async def failure(folder: PluginFolder, text: str, *, limit: float | None = WITHIN) -> PluginError:
    """Return the error that a run ends with."""
    with pytest.raises(PluginError) as caught:
        await given(folder, text, limit=limit)
    return caught.value


async def test_coroutine_returns_once(plugin_folder: PluginFolder) -> None:
    """What it returns is not a checkpoint."""
    found = await given(plugin_folder, "async def run(*, n, **_):\n    return {'n': n}\n", n=1)

    assert found == [PluginResult({"n": 1}, yielded=False)]


async def test_generator_yields_checkpoints(plugin_folder: PluginFolder) -> None:
    """A generator gives as many results as it likes, none at all included."""
    found = await given(
        plugin_folder, "async def run(**_):\n    for n in range(3):\n        yield {'n': n}\n"
    )

    assert found == [PluginResult({"n": n}, yielded=True) for n in range(3)]
    assert await given(plugin_folder, "async def run(**_):\n    if 0:\n        yield\n") == []


@pytest.mark.parametrize("gives", ["return {'n': 1}", "yield {'n': 1}"])
async def test_a_run_leaves_no_circles_of_objects(plugin_folder: PluginFolder, gives: str) -> None:
    """At hundreds of runs a second, the garbage collection would cost more than they do."""
    plugin = plugin_folder.plugin(f"async def run(**_):\n    {gives}\n")
    await given(plugin_folder, "async def run(**_): return {}")  # imports what it needs
    gc.collect()
    gc.disable()
    try:
        for _ in range(RUNS):
            async with aclosing(results(plugin, {}, options_for(Threads()))) as everything:
                async for _ in everything:
                    pass
        left = gc.collect()
    finally:
        gc.enable()
    assert left < RUNS  # what surrounds the test leaves a few


@pytest.mark.slow  # a worker process starts
async def test_function_gets_everything_but_the_context_of_the_loop(
    plugin_folder: PluginFolder,
) -> None:
    """The worker makes a context of its own; what the function printed comes back."""
    found = await given(
        plugin_folder,
        """
        def run(*, ctx, n, **rest):
            print("hello")
            return {"n": n, "rest": sorted(rest), "ctx": type(ctx).__name__}
        """,
        n=1,
        ctx=object(),
    )

    assert found == [
        PluginResult(
            {"n": 1, "rest": [], "ctx": "FunctionContext", "readings": []},
            yielded=False,
            output="hello\n",
        )
    ]


async def test_errors_of_the_plugin_come_with_its_traceback(plugin_folder: PluginFolder) -> None:
    """The traceback begins at the plugin's first frame, and is a text."""
    error = await failure(plugin_folder, "async def run(**_):\n    raise KeyError('x')\n")

    assert str(error) == "KeyError: 'x'"
    assert "probe.py" in error.details
    assert "results.py" not in error.details
    assert error.__cause__ is None


async def test_timeout_of_the_plugins_own_is_not_the_deadline(plugin_folder: PluginFolder) -> None:
    """Its server did not answer; the run was not too long."""
    error = await failure(plugin_folder, "async def run(**_):\n    raise TimeoutError('modbus')\n")

    assert not isinstance(error, RunTimeout)
    assert str(error) == "TimeoutError: modbus"


async def test_cleanup_that_fails_at_the_deadline_is_still_a_timeout(
    plugin_folder: PluginFolder,
) -> None:
    """The deadline was the reason, so the error names it."""
    error = await failure(
        plugin_folder,
        """
        import asyncio
        async def run(**_):
            try:
                await asyncio.Event().wait()
            finally:
                raise ValueError("while closing")
        """,
        limit=0.05,
    )

    assert isinstance(error, RunTimeout)


async def test_cancelled_run_is_cancelled(plugin_folder: PluginFolder) -> None:
    """A stop is not an error of the plugin."""
    text = "import asyncio\nasync def run(**_):\n    await asyncio.Event().wait()\n"
    running = asyncio.create_task(given(plugin_folder, text, limit=None))
    await asyncio.sleep(0.05)

    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await running


async def test_task_of_the_plugin_that_was_cancelled_fails_the_run(
    plugin_folder: PluginFolder,
) -> None:
    """The run itself was not cancelled, so it ends with an error."""
    error = await failure(
        plugin_folder,
        """
        import asyncio
        async def run(**_):
            task = asyncio.ensure_future(asyncio.sleep(60))
            task.cancel()
            await task
        """,
    )

    assert str(error) == "CancelledError"


@pytest.mark.usefixtures("idle_time")  # the last call has to end in time
async def test_run_that_ignores_its_cancellation_is_left_behind(
    plugin_folder: PluginFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has timed out; until it has come to its end, no other begins, and each says why."""
    monkeypatch.setattr("ingestd.calling.coroutines.CANCEL_PATIENCE", 0.05)
    monkeypatch.setattr("ingestd.calling.coroutines.SECOND_PATIENCE", 0.05)
    plugin = plugin_folder.plugin(
        """
        import asyncio
        async def run(*, may_end, **_):
            while not may_end.is_set():
                try:
                    await may_end.wait()
                except asyncio.CancelledError:
                    pass
            return {"ended": True}
        """
    )
    log, may_end, left_behind = LogLines(), asyncio.Event(), set[asyncio.Task[None]]()
    options = CallOptions(
        name="probe", timeout=0.05, memory_limit=None, isolation=Threads(), log=log,
        left_behind=left_behind,
    )  # fmt: skip

    async def calling() -> list[object]:
        async with aclosing(results(plugin, {"may_end": may_end}, options)) as everything:
            return [each.result async for each in everything]

    with pytest.raises(RunTimeout, match="left behind"):
        await calling()
    with pytest.raises(PluginError, match="an earlier run ignores its cancellation"):
        await calling()
    may_end.set()
    await asyncio.wait(left_behind)

    assert await calling() == [{"ended": True}]
    assert [event for _, event, _ in log.lines] == ["run goes on past its deadline"]


@pytest.mark.usefixtures("idle_time")
async def test_run_that_loses_one_cancellation_is_cancelled_again(
    plugin_folder: PluginFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As ``asyncio.wait_for`` does before Python 3.12, in a library that a plugin uses."""
    monkeypatch.setattr("ingestd.calling.coroutines.CANCEL_PATIENCE", 0.05)
    error = await failure(
        plugin_folder,
        """
        import asyncio
        async def run(**_):
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                await asyncio.sleep(3600)
        """,
        limit=0.05,
    )

    assert isinstance(error, RunTimeout)
    assert "left behind" not in str(error)


async def test_tasks_that_a_run_starts_end_with_it(plugin_folder: PluginFolder) -> None:
    """A task that a task has started is one of them."""
    tasks: list[asyncio.Task[None]] = []
    await given(
        plugin_folder,
        """
        import asyncio
        async def run(*, tasks, **_):
            async def begin():
                tasks.append(asyncio.create_task(asyncio.sleep(3600)))
            await asyncio.create_task(begin())
            return {}
        """,
        tasks=tasks,
    )

    assert [task.cancelled() for task in tasks] == [True]


async def test_tasks_of_what_runs_share_go_on(plugin_folder: PluginFolder) -> None:
    """The run that was the first to ask for the shared object does not take them along."""
    shared = Shared()
    text = """
        import asyncio
        async def run(*, shared, **_):
            shared.get(start)
            return {}
        def start():
            return asyncio.get_running_loop().create_task(asyncio.sleep(3600), name="shared")
        """
    await given(plugin_folder, text, shared=shared)
    left = [task for task in asyncio.all_tasks() if task.get_name() == "shared"]

    assert [task.done() for task in left] == [False]
    left[0].cancel()


def test_no_repr_shows_what_a_run_gave() -> None:
    """A result holds secrets, and a repr may end up in a log or a traceback."""
    result = {"hidden": {"token": "geheim"}}

    assert "geheim" not in repr([PluginResult(result, yielded=False), Finished(result, "")])
