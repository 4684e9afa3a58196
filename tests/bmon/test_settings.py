"""Scripts written for BMON find their settings, each collector's its own."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import structlog

from ingestd.bmon import BmonHost
from ingestd.calling.options import Isolation
from ingestd.calling.pool import Workers
from ingestd.calling.threads import Threads
from ingestd.contract import Host
from ingestd.errors import PluginError
from ingestd.hosts import HOSTS
from ingestd.loading.importprocess import ImportProcess
from ingestd.loading.loader import Loader
from ingestd.worker.source import read_source
from tests.support.workers import options_for

AT_IMPORT = """
from django.conf import settings

KEY = settings.API_KEY


def run(**kwargs):
    return {"at_import": KEY, "in_run": settings.API_KEY, "other": getattr(settings, "OTHER", None)}
"""
IN_RUN = """
import threading


def run(**kwargs):
    from django.conf import settings
    found = []
    thread = threading.Thread(target=lambda: found.append(settings.API_KEY))
    thread.start()
    thread.join()
    return {"found": found}
"""
WAITS = """
import time
from django.conf import settings


def run(**kwargs):
    found = []
    for _ in range(50):
        time.sleep(0.002)
        found.append(settings.API_KEY)
    return {"found": found}
"""
MISSING = """
from django.conf import settings


def run(**kwargs):
    return {"key": settings.API_KEY}
"""
KEEPS = """
calls = []


def run(name, seen={}, **kwargs):
    calls.append(name)
    seen[name] = 1
    return {"calls": list(calls), "seen": dict(seen)}
"""
OTHERS = """
def run(value=None, **kwargs):
    return value
"""
ORM = """
from bmsapp.models import Sensor


def run(**kwargs):
    return {"readings": [(None, each.sensor_id, 1) for each in Sensor.objects.all()]}
"""

Written = Callable[[str], Path]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """Give what writes a script."""

    def write(text: str) -> Path:
        path = tmp_path / "script.py"
        path.write_text(text)
        return path

    return write


@pytest.fixture(params=["process", "thread"])
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Isolation]:
    """Give each of the two places where a script may run."""
    if request.param == "thread":
        yield Threads()
        return
    async with Workers(1) as workers:
        yield workers


async def called(place: Isolation, path: Path, host: Host | None, **kwargs: Any) -> Any:
    """Run a script once; return its result, or None if it had none."""
    plugin = Loader([], hosts=HOSTS.values()).load(str(path))
    log = structlog.get_logger("test")
    finished = await place.call(plugin, kwargs, options_for(place, log, host=host))
    return None if finished.nothing else finished.result


async def test_each_collector_finds_its_own_settings(place: Isolation, written: Written) -> None:
    """Scripts that read them at import find them, too, also when collectors run in turns."""
    path = written(AT_IMPORT)
    hosts = [BmonHost({"API_KEY": "one", "OTHER": 5}), BmonHost({"API_KEY": "two"})]

    results = [await called(place, path, host) for host in [*hosts, *hosts]]

    assert [(each["at_import"], each["in_run"], each["other"]) for each in results] == [
        ("one", "one", 5),
        ("two", "two", None),
    ] * 2


async def test_calls_at_the_same_time_find_their_own(written: Written) -> None:
    """Threads share the modules, not the settings."""
    path, threads = written(WAITS), Threads()
    first, second = await asyncio.gather(
        called(threads, path, BmonHost({"API_KEY": "one"})),
        called(threads, path, BmonHost({"API_KEY": "two"})),
    )

    assert (first["found"], second["found"]) == (["one"] * 50, ["two"] * 50)


async def test_threads_of_a_script_find_them_too(written: Written) -> None:
    """In a worker process the settings belong to the process."""
    async with Workers(1) as workers:
        result = await called(workers, written(IN_RUN), BmonHost({"API_KEY": "one"}))

    assert result["found"] == ["one"]


async def test_a_setting_that_is_missing_says_where_it_belongs(
    place: Isolation, written: Written
) -> None:
    """The error has its name and those of the others, never a value."""
    with pytest.raises(PluginError) as failed:
        await called(place, written(MISSING), BmonHost({"OTHER": "secret", "ANOTHER": 1}))

    assert str(failed.value) == (
        "AttributeError: no setting 'API_KEY': expected it under settings: of the collector, "
        "got ANOTHER, OTHER"
    )


async def test_nothing_of_a_run_stays_in_a_script(place: Isolation, written: Written) -> None:
    """As in BMON, neither its variables nor a default that it has changed last longer."""
    path = written(KEEPS)
    before = set(sys.modules)

    results = [await called(place, path, BmonHost(), name=name) for name in ("one", "two")]
    left = {name for name in sys.modules if name.startswith("ingestd_plugin_")} - before

    assert results == [
        {"calls": ["one"], "seen": {"one": 1}, "readings": []},
        {"calls": ["two"], "seen": {"two": 1}, "readings": []},
    ]
    assert left == set()


@pytest.mark.parametrize("value", [None, [], "fine", 5])
async def test_a_script_may_return_nothing_of_use(
    value: Any, place: Isolation, written: Written
) -> None:
    """For BMON that is a run that went well; for others it is a mistake."""
    path = written(OTHERS)

    result = await called(place, path, BmonHost(), value=value)
    with pytest.raises(PluginError, match="must give a dict"):
        await called(place, path, None, value=value)

    assert result is None


async def test_a_script_that_needs_bmon_itself_is_told_so(written: Written) -> None:
    """The exporter reads BMON's own database, so nothing else can run it."""
    with pytest.raises(PluginError, match="needs 'bmsapp', which is BMON itself"):
        Loader([], hosts=HOSTS.values()).load(str(written(ORM)))


def test_a_script_can_be_looked_at_without_its_settings(written: Written) -> None:
    """A process of its own imports it, where all settings are empty."""
    described = ImportProcess(hosts=HOSTS.values()).describe(read_source(written(AT_IMPORT)))

    assert described.parameters.accepts_any


async def test_only_scripts_of_bmon_find_the_stand_in(written: Written) -> None:
    """A plugin that was not written for BMON must not find half a Django."""
    path = written(AT_IMPORT)
    async with Workers(1) as workers:
        await called(workers, path, BmonHost({"API_KEY": "one"}))

        with pytest.raises(PluginError, match="needs the module 'django'"):
            await called(workers, path, None)


async def test_a_django_that_is_configured_is_left_alone(
    written: Written, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator who has set one up wants its settings; of any other the settings are ours."""
    conf = tmp_path / "site" / "django" / "conf" / "__init__.py"
    conf.parent.mkdir(parents=True)
    conf.write_text("class settings:\n    API_KEY = 'real'\n")
    (conf.parents[1] / "__init__.py").touch()
    (conf.parents[1] / "utils.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"), prepend=os.pathsep)
    path = written(f"from django import utils\n{AT_IMPORT}")

    async with Workers(1) as workers:
        unconfigured = await called(workers, path, BmonHost({"API_KEY": "one"}))
        monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "site.settings")
        configured = await called(workers, path, BmonHost({"API_KEY": "two"}))

    assert unconfigured["in_run"] == "one"
    assert configured["in_run"] == "real"
