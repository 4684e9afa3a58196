"""The status, the plugins, and reading the configuration again."""

import os

from ingestd import __version__
from tests.support.daemon import DaemonFolder

METER = "def run(*, password='', **_): return {'readings': [(None, 'level', 1)]}"
ONE = "collectors: {m: {plugin: meter, every: 1h}}\n"


async def test_status_says_how_everything_is(daemon_folder: DaemonFolder) -> None:
    """One answer has what an operator looks at first."""
    daemon_folder.plugin("meter", METER)
    async with daemon_folder.daemon(ONE) as it:
        status = await it.get("status")

        assert (status["version"], status["pid"]) == (__version__, os.getpid())
        assert status["state_dir"] == str(daemon_folder.state_dir)
        assert status["config"] == {
            "path": str(daemon_folder.config_path),
            "last_reload": "",
            "ok": True,
            "refused_at": None,
            "loaded_at": it.daemon.loaded_at,
            "warnings": [],
        }
        assert status["buffer"] == {"points": 0, "capacity": 200_000, "paused": []}
        assert status["collectors"] == {
            "total": 1,
            "running": 0,
            "failing": 0,
            "late": 0,
            "attention": 0,
            "states": {"waiting": 1},
            "disabled": [],
            "distant": [],
        }
        assert status["summary"] == "1 collector started, nothing is due yet"
        assert status["problems"] == []
        assert [store["name"] for store in status["stores"]] == ["embedded"]


async def test_a_reload_says_what_changed(daemon_folder: DaemonFolder) -> None:
    """The answer is what was done, and the status remembers it."""
    daemon_folder.plugin("meter", METER)
    async with daemon_folder.daemon(ONE) as it:
        assert await it.post("reload") == {"changes": "nothing changed", "warnings": []}
        daemon_folder.config("collectors: {other: {plugin: meter, every: 1h}}\n")
        changes = (await it.post("reload"))["changes"]
        names = [each["name"] for each in await it.get("collectors")]

        assert "+other -m" in changes
        assert names == ["other"]
        assert (await it.get("status"))["config"]["last_reload"] == changes


async def test_a_reload_names_everything_that_changed_and_what_looks_odd(
    daemon_folder: DaemonFolder,
) -> None:
    """Only the log line is cut; a plugin that does not load is no reason to refuse."""
    daemon_folder.plugin("meter", METER)
    async with daemon_folder.daemon(ONE) as it:
        many = "".join(f"c{n}: {{plugin: meter, every: 1h}}, " for n in range(12))
        daemon_folder.config(f"collectors: {{{many}odd: {{plugin: nowhere, every: 1h}}}}\n")
        answer = await it.post("reload")

        assert "+c0 " in answer["changes"]
        assert "+c11 " in answer["changes"]
        assert "more" not in answer["changes"]
        (warning,) = answer["warnings"]
        assert "collectors.odd.plugin: no plugin 'nowhere'" in warning
        assert (await it.get("status"))["config"]["warnings"] == [warning]


async def test_a_refused_reload_changes_nothing(daemon_folder: DaemonFolder) -> None:
    """Every problem comes with its line, without secrets, and the running config stays."""
    daemon_folder.plugin("meter", METER)
    daemon_folder.config(
        "collectors: {m: {plugin: meter, every: 1h, params: {password: hush-hush}}}\n"
    )
    async with daemon_folder.daemon() as it:
        daemon_folder.config(
            """
            collectors:
              m: {plugin: meter, evry: 1h, every: hush-hush}
              n: {plugin: meter, every: soon}
            """
        )
        answer = await it.ask("POST", "/api/v1/reload", json={})
        status = await it.get("status")
        metrics = (await it.ask("GET", "/metrics")).body

        assert answer.status == answer.body["status"] == 422
        assert answer.headers["Content-Type"] == "application/problem+json"
        keys = {problem["key"] for problem in answer.body["problems"]}
        assert keys == {"collectors.m.every", "collectors.m.evry", "collectors.n.every"}
        assert all("ingestd.yaml:" in problem["where"] for problem in answer.body["problems"])
        assert "hush-hush" not in str((answer.body, status))
        assert status["config"]["ok"] is False
        assert status["config"]["refused_at"] >= status["config"]["loaded_at"]
        assert status["config"]["last_reload"].startswith("refused: ")
        assert [each["name"] for each in await it.get("collectors")] == ["m"]
        assert "ingestd_config_last_reload_successful 0.0" in metrics

        daemon_folder.config(ONE)
        await it.post("reload")
        assert (await it.get("status"))["config"]["ok"] is True


async def test_plugins_are_listed(daemon_folder: DaemonFolder) -> None:
    """Those of the operator and those shipped, and what is wrong with one."""
    daemon_folder.plugin("meter", '"""Reads the meter."""\n' + METER)
    daemon_folder.plugin("broken", "import nothing_like_this\ndef run(**_): return {}")
    daemon_folder.plugin("empty", "x = 1")
    async with daemon_folder.daemon("") as it:
        plugins = {each["name"]: each for each in await it.get("plugins")}

        assert plugins["meter"] == {
            "name": "meter",
            "path": str(daemon_folder.plugins / "meter.py"),
            "kind": "function",
            "summary": "Reads the meter.",
            "error": "",
        }
        assert plugins["empty"]["kind"] is None
        assert "run" in plugins["empty"]["error"]
        assert "system" in plugins
