"""Options that need a restart wait for it whole; the others are there after the reload."""

import dataclasses
from pathlib import Path

import pytest

from ingestd.config.changes import NEEDS_RESTART
from ingestd.config.model import DaemonConfig
from tests.support.daemon import DaemonFolder

# What each option is changed to, from what a test's daemon has.
CHANGED = {
    "state_dir": "{tmp}/elsewhere",
    "listen": "off",
    "token": "another-token",
    "timezone": "Europe/Vienna",
    "not_before": "1950-01-01",
    "not_after": "10d",
    "plugin_dirs": "[{tmp}]",
    "watch": "true",
    "grace": "7s",
    "workers": "2",
    "log_level": "error",
    "log_format": "json",
}
STORE = "stores: {{main: {{type: embedded, batch: {{points: {points}}}}}}}\n"


@pytest.mark.slow
@pytest.mark.parametrize("option", [each.name for each in dataclasses.fields(DaemonConfig)])
async def test_each_option_of_the_daemon(
    daemon_folder: DaemonFolder, tmp_path: Path, option: str
) -> None:
    """One that needs a restart is told at each reload until then, and nothing follows it before.

    Another change in the same file, here of a store in the state directory, is applied.
    """
    changed = {option: CHANGED[option].format(tmp=tmp_path)}
    async with daemon_folder.daemon(STORE.format(points=100)) as it:
        before = it.daemon.config
        daemon_folder.config(STORE.format(points=200), **changed)
        first = await it.daemon.reload()
        second = await it.daemon.reload()
        after = it.daemon.config

        waits = option in NEEDS_RESTART
        same = getattr(after.daemon, option) == getattr(before.daemon, option)
        assert same == waits
        assert "stores: ~main" in first
        said = f"needs a restart: daemon.{option}" if waits else f"applied: daemon.{option}"
        assert said in first
        assert (said in second) == waits
        store = it.daemon.deliveries.by_store["main"]
        assert store.limits.points == 200
        assert after.stores["main"] == dataclasses.replace(
            before.stores["main"], batch=after.stores["main"].batch
        )
        assert (await it.get("status"))["state_dir"] == str(daemon_folder.state_dir)
