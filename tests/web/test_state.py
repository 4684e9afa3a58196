"""State over HTTP: shown without its secrets, and forgotten on request."""

import asyncio

from tests.support.daemon import DaemonFolder

COUNTER = """
    import datetime
    def run(*, n=0, extra=None, **_):
        return {
            "readings": [(n, "level", n)],
            "n": n + 1,
            "seen": datetime.datetime(2026, 1, 2, 3, 4, tzinfo=datetime.timezone.utc),
            "raw": b"hi",
            "odd": (float("inf"), 2),
            "access_token": "abcd-1234",
            "note": "the session is 99887766",
            "big": 10**30,
            "hidden": {"session": "99887766", "pin": 4711},
            "delete_params": ["extra"],
        }
"""
TICK = "collectors: {c: {plugin: counter, every: 1h, params: {extra: 1}}}\n"
STREAM = """
    import asyncio
    async def run(*, n=0, **_):
        while True:
            n += 1
            yield {"readings": [(n, "level", n)], "n": n}
            await asyncio.sleep(0.01 if n < 5 else 600)
"""


async def test_state_is_shown_and_hidden_is_not(daemon_folder: DaemonFolder) -> None:
    """State comes as JSON, with masks by name; of hidden there is only a number."""
    daemon_folder.plugin("counter", COUNTER)
    async with daemon_folder.daemon(TICK) as it:
        await it.post("collectors/c/run")
        shown = await it.get("state/c")

        assert shown["collector"] == "c"
        assert shown["masks"] == ["extra"]
        assert shown["hidden"] == {"keys": 2}
        assert shown["state"]["seen"] == "2026-01-02T03:04:00+00:00"
        assert shown["state"]["raw"] == {"base64": "aGk="}
        assert shown["state"]["access_token"] == "***"
        assert shown["state"]["note"] == "the session is ***"
        assert shown["state"]["big"] == 10**30
        assert shown["state"]["odd"] == ["inf", 2]
        assert "99887766" not in str(shown)
        assert "4711" not in str(shown)


async def test_hidden_is_served_nowhere(daemon_folder: DaemonFolder) -> None:
    """A run has printed it, failed with it and returned it, and still no path gives it."""
    daemon_folder.plugin(
        "leaky",
        """
        def run(*, session="", **_):
            if session:
                print("session is", session)
                raise OSError(f"{session} has expired")
            return {"readings": [("bad", "level", 1)], "hidden": {"session": "99887766"}}
        """,
    )
    async with daemon_folder.daemon("collectors: {c: {plugin: leaky, every: 1h}}\n") as it:
        await it.post("collectors/c/run")
        await it.post("collectors/c/run")
        paths = [
            "/api/v1/" + each for each in ("status", "collectors", "runs", "runs/2", "state/c")
        ]
        texts = [str((await it.ask("GET", path)).body) for path in (*paths, "/metrics")]

        assert "*** has expired" in texts[2]
        assert not [text for text in texts if "99887766" in text]


async def test_an_unknown_collector_has_no_state(daemon_folder: DaemonFolder) -> None:
    """What never ran and is not configured is not found; what is configured is empty."""
    daemon_folder.plugin("counter", COUNTER)
    async with daemon_folder.daemon(TICK) as it:
        assert (await it.ask("GET", "/api/v1/state/nobody")).status == 404
        assert (await it.ask("POST", "/api/v1/state/nobody/reset", json={})).status == 404
        assert (await it.get("state/c"))["state"] == {}


async def test_reset_forgets_in_memory_and_on_disk(daemon_folder: DaemonFolder) -> None:
    """The next run begins anew, and so would the next daemon; masks stay unless asked for."""
    daemon_folder.plugin("counter", COUNTER)
    async with daemon_folder.daemon(TICK) as it:
        await it.post("collectors/c/run")
        assert await it.post("state/c/reset") == {"reset": True}
        shown, kept = await it.get("state/c"), await it.daemon.states.load("c")

        assert (shown["state"], shown["hidden"]["keys"], shown["masks"]) == ({}, 0, ["extra"])
        assert (kept.memory.state, list(kept.memory.masks)) == ({}, ["extra"])

        assert await it.post("state/c/reset", {"masks": True}) == {"reset": True}
        assert await it.post("state/c/reset", {"masks": True}) == {"reset": False}
        assert (await it.get("state/c"))["masks"] == []
        await it.post("collectors/c/run")
        assert (await it.get("state/c"))["state"]["n"] == 1


async def test_reset_of_a_former_collector(daemon_folder: DaemonFolder) -> None:
    """What a collector left behind can be looked at and forgotten after it was removed."""
    daemon_folder.plugin("counter", COUNTER)
    async with daemon_folder.daemon(TICK) as it:
        await it.post("collectors/c/run")
    async with daemon_folder.daemon("") as it:
        assert (await it.get("state/c"))["state"]["n"] == 1
        assert await it.post("state/c/reset", {"masks": True}) == {"reset": True}
        assert (await it.get("state/c"))["state"] == {}


async def test_reset_waits_for_the_run_under_way(daemon_folder: DaemonFolder) -> None:
    """A run that began before does not bring back what was forgotten."""
    daemon_folder.plugin(
        "slow",
        """
        import asyncio, pathlib
        async def run(*, flag, n=0, **_):
            while not pathlib.Path(flag).exists():
                await asyncio.sleep(0.01)
            return {"n": n + 1}
        """,
    )
    flag = daemon_folder.state_dir.parent / "flag"
    text = f"collectors: {{s: {{plugin: slow, every: 1h, params: {{flag: {flag}}}}}}}\n"
    async with daemon_folder.daemon(text) as it:
        run = asyncio.create_task(it.post("collectors/s/run"))
        await it.until(lambda: it.daemon.collectors.by_name["s"].running)
        reset = asyncio.create_task(it.post("state/s/reset"))
        await it.get("state/s")
        assert not reset.done()
        flag.touch()

        assert (await run)["outcome"] == "ok"
        assert await reset == {"reset": True}
        assert (await it.get("state/s"))["state"] == {}


async def test_reset_begins_a_stream_anew(daemon_folder: DaemonFolder) -> None:
    """A stream keeps its position in its own variables too, so it is begun again."""
    daemon_folder.plugin("stream", STREAM)
    async with daemon_folder.daemon("collectors: {s: {plugin: stream}}\n") as it:
        stream = it.daemon.collectors.by_name["s"]
        await it.until(lambda: stream.committer.memory.state.get("n") == 5)
        assert await it.post("state/s/reset") == {"reset": True}
        assert stream.committer.memory.state.get("n", 0) < 5
        await it.until(lambda: stream.committer.memory.state.get("n") == 5)

        assert [each["outcome"] for each in await it.get("runs")] == ["cancelled"]


async def test_secrets_are_given_to_the_next_run(daemon_folder: DaemonFolder) -> None:
    """Beside those that it has, on disk when that is answered, and served nowhere."""
    daemon_folder.plugin(
        "told", "def run(*, pin, key='', **_):\n    raise OSError(f'{pin} {key}')\n"
    )
    async with daemon_folder.daemon("collectors: {c: {plugin: told, every: 1h}}\n") as it:
        assert await it.post("state/c/hidden", {"hidden": {"pin": "99887766"}}) == {"kept": 1}
        assert await it.post("state/c/hidden", {"hidden": {"key": "abcdefgh"}}) == {"kept": 1}
        kept = await it.daemon.states.load("c")
        run = await it.post("collectors/c/run")
        unknown = await it.ask("POST", "/api/v1/state/nobody/hidden", json={"hidden": {}})

        assert kept.memory.hidden == {"pin": "99887766", "key": "abcdefgh"}
        assert run["error"] == "OSError: *** ***"
        assert unknown.status == 404
