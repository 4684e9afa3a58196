"""Backfills over HTTP: asked for, followed, cancelled."""

import asyncio
from typing import Any

from ingestd.backfilling.windows import DEFAULT_CHUNK
from tests.support.daemon import DaemonFolder, RunningDaemon
from tests.support.deadline import WITHIN

HOURLY = """
    import asyncio, pathlib
    async def run(*, start=None, end=None, gate=None, n=0, **_):
        if start is None:
            yield {"readings": [(None, "level", 1)], "n": n + 1}
            return
        while gate and not pathlib.Path(gate).exists():
            await asyncio.sleep(0.01)
        first, last = int(start.timestamp()), int(end.timestamp())
        yield {"readings": [(t, "level", t) for t in range(first, last, 3600)], "n": -1}
        yield {"readings": [(first, "", 1)]}
"""
METER = "def run(**_): return {'readings': [(None, 'level', 1)]}"
ONE = "collectors: {m: {plugin: hourly, every: 1h}}\n"
DAY = 86_400.0
SPAN = [1_600_000_000.0, 1_600_000_000.0 + 10 * DAY]


async def ended(it: RunningDaemon, number: int) -> Any:
    """Return a backfill once it has ended."""
    async with asyncio.timeout(WITHIN):
        await it.daemon.backfills.ended(number)
    return await it.get(f"backfills/{number}")


async def test_backfill_reads_its_spans_chunk_by_chunk(daemon_folder: DaemonFolder) -> None:
    """Every reading of the span is stored, and the answer says how far it has come."""
    daemon_folder.plugin("hourly", HOURLY)
    async with daemon_folder.daemon(ONE) as it:
        body = {"collector": "m", "spans": [SPAN], "chunk": 3 * DAY}
        asked = await it.post("backfills", body)
        done = await ended(it, asked["id"])
        points = await it.daemon.deliveries.read(
            "level", start_us=0, end_us=1_700_000_000_000_000, tags={}
        )

        assert asked["status"] == "running"
        assert (asked["spans"], asked["chunk"], asked["rate"]) == ([SPAN], 3 * DAY, None)
        assert (done["status"], done["done"], done["position"]) == ("done", 1.0, SPAN[1])
        assert (done["readings"], done["points"]) == (244, 240)
        assert done["unusable"] == {"series": 4}
        assert (done["failures"], done["error"], done["problems"], done["why"]) == (0, "", [], "")
        assert done["asked"] <= done["ended"]
        assert [each.time_us for each in points] == [
            int(SPAN[0] + 3600 * n) * 1_000_000 for n in range(240)
        ]
        assert await it.get("backfills") == [done]
        assert await it.get("backfills", collector="other") == []
        assert (await it.get("status"))["backfills"] == []
        assert await it.get("state/m") == {
            "collector": "m", "state": {}, "masks": [], "hidden": {"keys": 0},
        }  # fmt: skip


async def test_unfinished_backfill_is_told_and_can_be_cancelled(
    daemon_folder: DaemonFolder,
) -> None:
    """Status, metrics and its number tell of it until it is given up."""
    daemon_folder.plugin("hourly", HOURLY)
    text = "collectors: {m: {plugin: hourly, every: 1h, params: {gate: /nowhere}}}\n"
    async with daemon_folder.daemon(text) as it:
        asked = await it.post("backfills", {"collector": "m", "spans": [SPAN]})
        again = await it.post("backfills", {"collector": "m", "spans": [SPAN], "rate": 100})
        other = await it.ask(
            "POST", "/api/v1/backfills", json={"collector": "m", "spans": [[1, 2]]}
        )
        (told,) = (await it.get("status"))["backfills"]
        metrics = (await it.ask("GET", "/metrics")).body
        cancelled = await it.post(f"backfills/{asked['id']}/cancel")

        assert asked["chunk"] == DEFAULT_CHUNK
        assert (again["id"], again["rate"], other.status) == (asked["id"], 100, 409)
        assert "is not finished yet" in other.body["detail"]
        assert (told["id"], told["status"], told["done"]) == (asked["id"], "running", 0.0)
        assert 'ingestd_backfill_done_ratio{collector="m"} 0.0' in metrics
        assert cancelled["status"] == "cancelled"
        assert cancelled["ended"] >= cancelled["asked"]
        assert await it.post(f"backfills/{asked['id']}/cancel") == cancelled
        assert (await it.get("status"))["backfills"] == []


async def test_what_cannot_be_read_anew_is_refused(daemon_folder: DaemonFolder) -> None:
    """The refusal says what would be right."""
    daemon_folder.plugin("hourly", HOURLY)
    daemon_folder.plugin("meter", METER)
    text = """
        collectors:
          m: {plugin: hourly, every: 1h}
          now: {plugin: meter, every: 1h}
          off: {plugin: hourly, every: 1h, enabled: false}
          paced: {plugin: hourly, every: 1h, cadence: 1h}
        """
    async with daemon_folder.daemon(text) as it:

        async def refused(**wanted: Any) -> tuple[int, str]:
            body = {"collector": "m", "spans": [SPAN], **wanted}
            answer = await it.ask("POST", "/api/v1/backfills", json=body)
            return answer.status, answer.body["detail"]

        assert await refused(collector="nobody") == (404, "no collector 'nobody'")
        assert (await refused(collector="off"))[0] == 409
        status, detail = await refused(collector="now")
        assert status == 422
        assert "declares start and end" in detail
        assert (await refused(spans=[]))[0] == 400
        assert (await refused(spans=[[2, 1]]))[0] == 422
        status, detail = await refused(spans=[SPAN, [4e9, 5e9]])
        assert (status, "as end a time until now" in detail) == (422, True)
        status, detail = await refused(collector="paced", chunk=60)
        assert (status, "expected at least 3600 s" in detail) == (422, True)
        assert (await refused(spans=[[1, 1e300]]))[0] == 422
        assert (await refused(spans=[[5, 6], [1, 2]]))[0] == 422
        assert (await refused(chunk=0))[0] == 422
        assert (await refused(rate=0))[0] == 422
        for path in ("7", "one", "7/cancel"):
            method = "POST" if path.endswith("cancel") else "GET"
            answer = await it.ask(method, f"/api/v1/backfills/{path}", json={})
            assert (path, answer.status) == (path, 404)


async def test_done_backfill_cannot_be_cancelled(daemon_folder: DaemonFolder) -> None:
    """What was read cannot be unread."""
    daemon_folder.plugin("hourly", HOURLY)
    async with daemon_folder.daemon(ONE) as it:
        asked = await it.post("backfills", {"collector": "m", "spans": [SPAN]})
        await ended(it, asked["id"])
        answer = await it.ask("POST", f"/api/v1/backfills/{asked['id']}/cancel", json={})

        assert answer.status == 409
        assert "is done already" in answer.body["detail"]


async def test_reload_pauses_a_backfill_and_lets_it_go_on(daemon_folder: DaemonFolder) -> None:
    """It belongs to the collector's name, and uses what is configured now."""
    daemon_folder.plugin("hourly", HOURLY)
    shut = "{plugin: hourly, every: 1h, params: {gate: /nowhere}"
    async with daemon_folder.daemon(f"collectors: {{m: {shut}}}}}\n") as it:
        asked = await it.post("backfills", {"collector": "m", "spans": [SPAN]})
        await it.until(lambda: "m" in it.daemon.backfills.windows)
        daemon_folder.config(f"collectors: {{m: {shut}, enabled: false}}}}\n")
        await it.post("reload")
        paused = await it.get(f"backfills/{asked['id']}")
        daemon_folder.config(ONE)
        await it.post("reload")
        done = await ended(it, asked["id"])

        assert paused["status"] == "paused"
        assert paused["why"] == "its collector is disabled, or no longer configured"
        assert (done["status"], done["points"]) == ("done", 240)


async def test_next_daemon_goes_on_where_the_last_one_was(daemon_folder: DaemonFolder) -> None:
    """It does so without being asked."""
    daemon_folder.plugin("hourly", HOURLY)
    text = "collectors: {m: {plugin: hourly, every: 1h, params: {gate: /nowhere}}}\n"
    async with daemon_folder.daemon(text) as it:
        body = {"collector": "m", "spans": [SPAN], "rate": 1e6}
        asked = await it.post("backfills", body)
        await it.until(lambda: "m" in it.daemon.backfills.windows)
    async with daemon_folder.daemon(ONE) as it:
        done = await ended(it, asked["id"])

        assert (done["status"], done["rate"], done["points"]) == ("done", 1e6, 240)


async def test_window_takes_no_worker_from_the_runs(daemon_folder: DaemonFolder) -> None:
    """An ordinary function may read the past for an hour, and runs on time meanwhile."""
    daemon_folder.plugin(
        "slow",
        """
        import time
        def run(*, start=None, end=None, **_):
            if start is not None:
                time.sleep(600)
            return {"readings": [(None, "level", 1)]}
        """,
    )
    text = "collectors: {m: {plugin: slow, every: 1h}}\n"
    async with daemon_folder.daemon(text, workers="1") as it:
        asked = await it.post("backfills", {"collector": "m", "spans": [SPAN]})
        await it.until(lambda: "m" in it.daemon.backfills.windows)
        record = await it.post("collectors/m/run")
        cancelled = await it.post(f"backfills/{asked['id']}/cancel")

        assert record["outcome"] == "ok"
        assert cancelled["status"] == "cancelled"


async def test_used_up_grace_does_not_hold_up_a_stop(daemon_folder: DaemonFolder) -> None:
    """A window that goes on for ever is cancelled, and begun anew by the next daemon."""
    daemon_folder.plugin("hourly", HOURLY)
    text = "collectors: {m: {plugin: hourly, every: 1h, params: {gate: /nowhere}}}\n"
    async with daemon_folder.daemon(text, grace="100ms") as it:
        await it.post("backfills", {"collector": "m", "spans": [SPAN]})
        await it.until(lambda: "m" in it.daemon.backfills.windows)
        it.daemon.stop()
        async with asyncio.timeout(WITHIN):
            await it.done
