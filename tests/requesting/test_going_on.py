"""Requested runs over restarts and reloads: what waited or was under way is made in the end."""

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.support.daemon import DaemonFolder
from tests.support.requesting import GATED, ask, begun, ended, ended_id

ONE = "collectors: {m: {plugin: gated, every: 876000h}}\n"


def on_disk(folder: DaemonFolder) -> dict[str, str]:
    """Return how the requested runs stand on disk, beside a daemon or without."""
    where = f"file:{folder.state_dir}/state.db?mode=ro"
    with closing(sqlite3.connect(where, uri=True)) as db:
        rows = db.execute("SELECT 'r-' || id, status FROM requested_runs ORDER BY id")
        return dict(rows.fetchall())


async def test_a_restart_goes_on(daemon_folder: DaemonFolder, tmp_path: Path) -> None:
    """The one under way begins again, and the one that waited comes after it."""
    daemon_folder.plugin("gated", GATED)
    gate = tmp_path / "gate"
    body = {"collector": "m", "params": {"gate": str(gate), "value": 7}}
    async with daemon_folder.daemon(ONE) as it:
        done = await ended(it, await ask(it, {"collector": "m", "key": "first"}))
        await ask(it, {**body, "key": "second"})
        await ask(it, {"collector": "m", "params": {"value": 8}})
        await begun(gate)
        assert on_disk(daemon_folder) == {"r-1": "SUCCESS", "r-2": "RUNNING", "r-3": "PENDING"}
    assert on_disk(daemon_folder) == {"r-1": "SUCCESS", "r-2": "PENDING", "r-3": "PENDING"}
    gate.touch()
    async with daemon_folder.daemon() as it:
        second, third = await ended_id(it, "r-2"), await ended_id(it, "r-3")
        again = await ask(it, {**body, "key": "second"})
        first = await ask(it, {"collector": "m", "key": "first"})
        result = await it.get("runs/r-2/result")
        records = await it.get("runs")

    assert (second["status"], second["attempt"]) == ("SUCCESS", 2)
    assert (third["status"], third["attempt"]) == ("SUCCESS", 1)
    assert (again.status, again.body) == (200, second)
    assert (first.status, first.body) == (200, done)
    assert result["data"] == 7
    # The run that the stop has ended is on record as well.
    found = [(each["requested"], each["outcome"]) for each in records]
    assert found == [("r-3", "ok"), ("r-2", "ok"), ("r-2", "cancelled"), ("r-1", "ok")]


async def test_a_reload_begins_anew_with_what_is_configured(
    daemon_folder: DaemonFolder, tmp_path: Path
) -> None:
    """A run does not end with a configuration that is there no longer."""
    daemon_folder.plugin("gated", GATED)
    gate = tmp_path / "gate"
    async with daemon_folder.daemon(ONE, grace="0s") as it:
        await ask(it, {"collector": "m", "params": {"gate": str(gate)}})
        await begun(gate)
        gate.with_name("gate.begun").unlink()
        daemon_folder.config(
            "collectors: {m: {plugin: gated, every: 876000h, params: {value: 5}}}\n", grace="0s"
        )
        await it.post("reload")
        await begun(gate)
        gate.touch()
        done = await ended_id(it, "r-1")

        assert (done["status"], done["attempt"]) == ("SUCCESS", 2)
        assert (await it.get("runs/r-1/result"))["data"] == 5


async def test_a_disabled_collector_takes_no_runs(
    daemon_folder: DaemonFolder, tmp_path: Path
) -> None:
    """What was asked for before is made, or given up."""
    daemon_folder.plugin("gated", GATED)
    async with daemon_folder.daemon(ONE) as it:
        await ask(it, {"collector": "m", "params": {"gate": str(tmp_path / "gate")}})
        waits = await ask(it, {"collector": "m"})
        await it.ask("DELETE", "/api/v1/runs/r-1")
        done = await ended(it, waits)
        daemon_folder.config("collectors: {m: {plugin: gated, every: 1h, enabled: false}}\n")
        await it.post("reload")
        refused = await ask(it, {"collector": "m"})

    assert done["status"] == "SUCCESS"
    assert refused.status == 409


async def test_a_disabled_collector_keeps_its_queue(
    daemon_folder: DaemonFolder, tmp_path: Path
) -> None:
    """What waits when it is disabled is made once it is enabled again."""
    daemon_folder.plugin("gated", GATED)
    gate = tmp_path / "gate"
    async with daemon_folder.daemon(ONE, grace="0s") as it:
        await ask(it, {"collector": "m", "params": {"gate": str(gate)}})
        await ask(it, {"collector": "m"})
        await begun(gate)
        daemon_folder.config(ONE.replace("h}}", "h, enabled: false}}"), grace="0s")
        await it.post("reload")
        waiting = {"r-1": "PENDING", "r-2": "PENDING"}
        await it.until(lambda: on_disk(daemon_folder) == waiting)
        gate.touch()
        daemon_folder.config(ONE, grace="0s")
        await it.post("reload")
        done = [await ended_id(it, name) for name in ("r-1", "r-2")]

    assert [(each["status"], each["attempt"]) for each in done] == [("SUCCESS", 2), ("SUCCESS", 1)]
