"""Ordinary functions run in other interpreters, with the packages that those have."""

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ingestd.calling.access import Access, Protection
from ingestd.calling.interpreter import environment_fingerprint, folders_of
from ingestd.calling.plugin import Plugin
from ingestd.calling.pool import Workers
from ingestd.calling.rulesets import confinement
from ingestd.errors import PluginError, WorkerDied
from tests.support.plugins import LogLines, PluginFolder, state_of
from tests.support.pythons import OTHERS, Environment, interpreter
from tests.support.workers import InWorker, failure, options_for, until

# Starting a process takes about a tenth of a second, and these tests start many.
pytestmark = pytest.mark.slow

TELLING = """
import importlib.util, os, sys
OURS = "aiohttp", "msgspec", "pytest"
def run(*, ctx, at, last=None, **_):
    ctx.log.info("reads", level=1.5)
    print("printed")
    return {
        "readings": [(at, "level", 1.5)],
        "version": list(sys.version_info[:2]),
        "prefix": sys.prefix,
        "ours": [each for each in OURS if importlib.util.find_spec(each)],
        "variables": [each for each in os.environ if each.startswith(("PYTHON", "VIRTUAL"))],
        "again": at,
    }
"""
AT = datetime(2026, 7, 1, 12, tzinfo=ZoneInfo("Europe/Vienna"))


def loaded(folder: PluginFolder, text: str, python: Path) -> Plugin:
    """Write a plugin and load it for another interpreter."""
    folder.write("probe", text)
    return folder.loader.load("probe", python=python)


async def test_the_packages_are_those_of_the_interpreter(
    plugin_folder: PluginFolder,
    in_worker: InWorker,
    environment: Environment,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is installed there can be imported, and nothing that the daemon has of its own."""
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    monkeypatch.setenv("VIRTUAL_ENV", "/opt/ours")
    environment.install("meters", "LEVEL = 4.5\n")
    text = "import meters\nimport ingestd\ndef run(**_):\n    return {'n': meters.LEVEL}\n"
    told = loaded(plugin_folder, TELLING, environment.python)
    found = (await in_worker(told, at=AT)).result
    level = await in_worker(loaded(plugin_folder, text, environment.python))

    assert state_of(level) == {"n": 4.5}
    assert found["prefix"] == str(environment.path)
    assert (found["ours"], found["variables"]) == ([], [])


@pytest.mark.parametrize("version", OTHERS)
async def test_other_versions_serve(
    plugin_folder: PluginFolder, in_worker: InWorker, worker_log: LogLines, version: str
) -> None:
    """Arguments, readings, what is logged and what is printed travel as with our own."""
    plugin = loaded(plugin_folder, TELLING, interpreter(version))

    finished = await in_worker(plugin, at=AT)

    assert finished.result["readings"] == [(AT, "level", 1.5)]
    assert finished.result["again"] == AT
    assert finished.result["version"] == [int(part) for part in version.split(".")]
    assert finished.output == "printed\n"
    assert worker_log.lines == [("info", "reads", {"level": 1.5})]


@pytest.mark.parametrize("version", OTHERS)
async def test_other_versions_tell_of_failures(
    plugin_folder: PluginFolder, in_worker: InWorker, version: str
) -> None:
    """With the line where it happened; the process goes on where it can."""
    text = "import sys\ndef run(*, how, **_):\n    exec(how)\n    return {'at': sys.version}\n"
    plugin = loaded(plugin_folder, text, interpreter(version))

    error = await failure(in_worker(plugin, how="1 / 0"))
    ended = await failure(in_worker(plugin, how="sys.exit(3)"))
    finished = await in_worker(plugin, how="pass")

    assert str(error) == "ZeroDivisionError: division by zero"
    assert "probe.py" in error.details
    assert isinstance(ended, WorkerDied)
    assert state_of(finished)["at"].startswith(version)


async def test_interpreters_do_not_share_a_process(
    plugin_folder: PluginFolder, workers: Workers, environment: Environment
) -> None:
    """Two collectors of a plugin that name different ones each get their own."""
    text = "import os, sys\ndef run(**_):\n    return {'who': [os.getpid(), sys.prefix]}\n"
    plugins = [plugin_folder.plugin(text), loaded(plugin_folder, text, environment.python)]
    found = [
        state_of(await workers.call(plugin, {}, options_for(workers)))["who"]
        for plugin in (*plugins, *plugins)
    ]

    assert found[:2] == found[2:]
    assert found[0] != found[1]
    assert found[1][1] == str(environment.path)


@pytest.mark.skipif(not confinement()[0], reason=confinement()[1])
@pytest.mark.parametrize("access", [Access(), Access(reads=(), writes=())])
async def test_an_environment_in_the_state_directory(
    plugin_folder: PluginFolder, tmp_path: Path, access: Access
) -> None:
    """What runs there can read it and not change it, and not read what lies beside it."""
    state = tmp_path / "state"
    environment = Environment(state / "environments" / "meters")
    environment.install("meters", "LEVEL = 4.5\n")
    state.joinpath("state.db").write_text("geheim")
    plugin = loaded(
        plugin_folder,
        f"""
        def run(**_):
            import meters
            tried = []
            for path, mode in (({str(state / "state.db")!r}, "r"), (meters.__file__, "a")):
                try:
                    open(path, mode)
                except OSError as error:
                    tried.append(type(error).__name__)
            return {{"level": meters.LEVEL, "tried": tried}}
        """,
        environment.python,
    )
    protection = Protection(
        protected=frozenset({state}), code=frozenset(folders_of(environment.python))
    )
    async with Workers(1, protection=protection) as workers:
        finished = await workers.call(plugin, {}, options_for(workers, access=access))

    assert state_of(finished) == {"level": 4.5, "tried": ["PermissionError"] * 2}


async def test_nothing_outlives_its_process(
    plugin_folder: PluginFolder, in_worker: InWorker, environment: Environment, tmp_path: Path
) -> None:
    """The supervisor is ours: it ends what a process in another interpreter has left behind."""
    text = f"""
    import os, subprocess, sys
    def run(**_):
        program = [sys.executable, "-c", "import time; time.sleep(600)"]
        child = subprocess.Popen(program, start_new_session=True)
        with open({str(tmp_path / "pid")!r}, "w") as file:
            file.write(str(child.pid))
        os._exit(3)
    """
    plugin = loaded(plugin_folder, text, environment.python)

    error = await failure(in_worker(plugin))

    assert isinstance(error, WorkerDied)
    child = (tmp_path / "pid").read_text()
    await until(lambda: not Path("/proc", child).exists())


async def test_an_interpreter_that_has_gone_fails_the_run(
    plugin_folder: PluginFolder, in_worker: InWorker, environment: Environment
) -> None:
    """The record of the run has what the system says."""
    plugin = loaded(plugin_folder, "def run(**_):\n    return {}\n", environment.python)
    environment.python.unlink()

    error = await failure(in_worker(plugin))

    assert isinstance(error, PluginError)
    assert error.output == f"{environment.python}: No such file or directory\n"


def test_what_is_installed_shows(environment: Environment) -> None:
    """So that a worker that has imported what was there before is replaced."""
    before = environment_fingerprint(environment.python)
    environment.install("meters", "LEVEL = 4.5\n")

    assert environment_fingerprint(environment.python) != before


def test_the_folders_of_an_interpreter(environment: Environment) -> None:
    """Its environment and what that was made from, but not the system's."""
    assert folders_of(environment.python)[0] == environment.path
    assert folders_of(Path("/usr/bin/env")) == ()
