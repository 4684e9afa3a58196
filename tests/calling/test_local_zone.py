"""The zone that is local to a plugin in a worker process."""

from pathlib import Path
from typing import Any

import pytest

from ingestd.calling.pool import Workers
from tests.support.plugins import PluginFolder
from tests.support.workers import options_for

# Starting a process takes about a tenth of a second.
pytestmark = pytest.mark.slow

LOCAL = """
import os, subprocess
from datetime import datetime, timezone

def run(**_):
    at = datetime.fromtimestamp(1_767_225_600)
    child = subprocess.run(["date", "-d", "@1767225600", "+%H"], capture_output=True, text=True)
    return {"pid": os.getpid(), "local": at.isoformat(), "child": child.stdout.strip()}
"""


async def test_collectors_zone_is_the_local_one(plugin_folder: PluginFolder) -> None:
    """What asks for the local time gets that of the site, one call after the other."""
    plugin = plugin_folder.plugin(LOCAL)
    found: list[dict[str, Any]] = []
    async with Workers(1) as workers:
        for zone in ("America/Anchorage", "Pacific/Auckland", "Etc/UTC"):
            options = options_for(workers, timezone=zone)
            found.append((await workers.call(plugin, {}, options)).result)

    assert [each["local"] for each in found] == [
        "2025-12-31T15:00:00",
        "2026-01-01T13:00:00",
        "2026-01-01T00:00:00",
    ]
    assert [each["child"] for each in found] == ["15", "13", "00"]
    assert len({each["pid"] for each in found}) == 1


async def test_without_a_zone_the_machines_is_local(plugin_folder: PluginFolder) -> None:
    """A call does not inherit the zone of the one before."""
    plugin = plugin_folder.plugin(LOCAL)
    async with Workers(1) as workers:
        before = (await workers.call(plugin, {}, options_for(workers))).result
        options = options_for(workers, timezone="America/Anchorage")
        await workers.call(plugin, {}, options)
        after = (await workers.call(plugin, {}, options_for(workers))).result

    assert before == after


async def test_zone_is_known_where_the_system_has_none(
    plugin_folder: PluginFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Containers are built without them."""
    monkeypatch.setenv("TZDIR", str(tmp_path))
    plugin = plugin_folder.plugin(LOCAL)
    async with Workers(1) as workers:
        options = options_for(workers, timezone="America/Anchorage")
        found = (await workers.call(plugin, {}, options)).result

    assert found["local"] == "2025-12-31T15:00:00"
