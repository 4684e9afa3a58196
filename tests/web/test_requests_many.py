"""Many runs asked for over HTTP: at once, in order, listed, given up."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from ingestd.requesting.requests import MOST_WAITING
from tests.support.daemon import DaemonFolder, RunningDaemon
from tests.support.requesting import FIT, GATED, ask, begun, ended, ended_id

TARGETS = """
    collectors:
      fit:
        plugin: fit
        every: 876000h
        targets: {1: [3, 2], two: [4], none: []}
    """
GATE = "collectors: {m: {plugin: gated, every: 876000h}}\n"


@pytest.fixture
async def gated(daemon_folder: DaemonFolder) -> Any:
    """Run a daemon with a collector whose runs wait for a file."""
    daemon_folder.plugin("gated", GATED)
    async with daemon_folder.daemon(GATE) as running:
        yield running


@pytest.mark.slow  # a worker process starts
async def test_many_are_asked_for_at_once(daemon_folder: DaemonFolder) -> None:
    """There is a list for each target, in order, with a run for each of its traces."""
    daemon_folder.plugin("fit", FIT)
    wanted = [{"project": 1}, {"project": "none"}, {"trace": 4}, {"project": 1, "trace": 2}]
    body = {"collector": "fit", "targets": wanted, "params": {"model": "hourly"}, "key": "all"}
    async with daemon_folder.daemon(TARGETS) as it:
        answer = await ask(it, body, "runs/bulk")
        again = await ask(it, body, "runs/bulk")
        done = [[await ended_id(it, run["id"]) for run in group] for group in answer.body]
        order = [each["requested"] for each in await it.get("runs")]

    about = [[(run["project"], run["trace"]) for run in group] for group in answer.body]
    assert answer.status == 202
    assert about == [[("1", "3"), ("1", "2")], [], [("two", "4")], [("1", "2")]]
    assert {run["status"] for group in answer.body for run in group} == {"PENDING"}
    assert {run["status"] for group in done for run in group} == {"SUCCESS"}
    assert {run["params"]["model"] for group in done for run in group} == {"hourly"}
    assert order == ["r-4", "r-3", "r-2", "r-1"]
    assert again.status == 200
    assert [[run["id"] for run in group] for group in again.body] == [
        ["r-1", "r-2"], [], ["r-3"], ["r-4"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("targets", "status"),
    [
        ([{"project": 1}, {"project": "three"}], 404),
        ([{"project": 1}, {}], 422),
        ([], 400),
    ],
)
async def test_one_bad_target_is_enough(
    daemon_folder: DaemonFolder, targets: Any, status: int
) -> None:
    """All are taken, or none."""
    daemon_folder.plugin("fit", FIT)
    async with daemon_folder.daemon(TARGETS) as it:
        answer = await ask(it, {"collector": "fit", "targets": targets}, "runs/bulk")

        assert answer.status == status
        assert await it.get("runs?requested=true") == []


async def test_too_many_are_refused(daemon_folder: DaemonFolder) -> None:
    """What waits is bounded, and none of those beyond is taken."""
    daemon_folder.plugin("fit", FIT)
    text = f"""
        collectors:
          fit: {{plugin: fit, every: 876000h, targets: {{all: {[*range(MOST_WAITING + 1)]}}}}}
        """
    body = {"collector": "fit", "targets": [{"project": "all"}]}
    async with daemon_folder.daemon(text) as it:
        refused = await ask(it, body, "runs/bulk")

        assert refused.status == 429
        assert refused.body["title"] == "Too Many Requests"
        assert await it.get("runs?requested=true") == []


async def test_runs_are_made_in_the_order_of_asking(gated: RunningDaemon, tmp_path: Path) -> None:
    """One at a time; the others wait."""
    gate = tmp_path / "gate"
    first = await ask(gated, {"collector": "m", "params": {"gate": str(gate), "value": 1}})
    second = await ask(gated, {"collector": "m", "params": {"value": 2}})
    await begun(gate)
    statuses = [each["status"] for each in await gated.get("runs?requested=true")]
    running = await gated.get("runs?status=RUNNING")
    gate.touch()
    done = [await ended(gated, each) for each in (first, second)]

    assert statuses == ["PENDING", "RUNNING"]
    assert [each["id"] for each in running] == [first.body["id"]]
    assert [each["status"] for each in done] == ["SUCCESS", "SUCCESS"]
    assert done[0]["updated"] <= done[1]["updated"]


async def test_no_run_of_the_schedule_goes_on_beside_a_requested_one(
    gated: RunningDaemon, tmp_path: Path
) -> None:
    """A plugin is promised that two of its runs never overlap."""
    gate = tmp_path / "gate"
    first = await ask(gated, {"collector": "m", "params": {"gate": str(gate)}})
    await begun(gate)
    scheduled = asyncio.create_task(gated.post("collectors/m/run"))
    await gated.until(lambda: gated.daemon.collectors.by_name["m"]._asked is not None)
    ran = await gated.get("runs")
    gate.touch()
    done, record = await ended(gated, first), await scheduled

    assert ran == []
    assert (done["status"], record["outcome"]) == ("SUCCESS", "ok")
    assert record["id"] > done["run"]


async def test_runs_are_listed_by_page(gated: RunningDaemon) -> None:
    """The newest first, or the oldest after a number; filters leave out the rest."""
    for number in range(4):
        target = {"project": str(number % 2), "trace": str(number)}
        answer = await ask(gated, {"collector": "m", "target": target, "params": {"gate": None}})
        assert answer.status == 422  # it takes no target
    names = [
        (await ended(gated, await ask(gated, {"collector": "m", "params": {"value": n}})))["id"]
        for n in range(4)
    ]

    async def listed(query: str) -> list[str]:
        return [each["id"] for each in await gated.get(f"runs?{query}")]

    assert names == ["r-1", "r-2", "r-3", "r-4"]
    assert await listed("requested=true&limit=2") == ["r-4", "r-3"]
    assert await listed("requested=true&limit=2&before=r-3") == ["r-2", "r-1"]
    assert await listed("after=r-1&limit=2") == ["r-2", "r-3"]
    assert await listed("status=SUCCESS") == names[::-1]
    assert await listed("status=FAILED") == []
    assert await listed("requested=true&collector=other") == []
    assert await listed("project=1") == []


async def test_a_run_that_waits_can_be_given_up(gated: RunningDaemon, tmp_path: Path) -> None:
    """It never begins, and those behind it are made."""
    gate = tmp_path / "gate"
    await ask(gated, {"collector": "m", "params": {"gate": str(gate)}})
    await begun(gate)
    waits = await ask(gated, {"collector": "m", "params": {"value": 2}})
    behind = await ask(gated, {"collector": "m", "params": {"value": 3}})
    cancelled = await gated.ask("DELETE", f"/api/v1/runs/{waits.body['id']}")
    again = await gated.ask("DELETE", f"/api/v1/runs/{waits.body['id']}")
    gate.touch()
    done = await ended(gated, behind)
    too_late = await gated.ask("DELETE", f"/api/v1/runs/{done['id']}")

    assert (cancelled.status, cancelled.body["status"]) == (200, "CANCELLED")
    assert (cancelled.body["run"], cancelled.body["attempt"]) == (None, 0)
    assert (again.status, again.body) == (200, cancelled.body)
    assert done["status"] == "SUCCESS"
    assert (too_late.status, "has ended already: SUCCESS" in too_late.body["detail"]) == (409, True)


@pytest.mark.slow  # a worker process starts
async def test_a_function_under_way_can_be_given_up(daemon_folder: DaemonFolder) -> None:
    """Its process ends, however busy it is, and the next run gets another one."""
    text = GATED.replace("async def", "def").replace("await asyncio.sleep", "time.sleep")
    daemon_folder.plugin("gated", text.replace("import asyncio", "import time"))
    gate = daemon_folder.plugins / "gate"
    reads = f"reads: [{daemon_folder.plugins}], writes: [{daemon_folder.plugins}]"
    config = f"collectors: {{m: {{plugin: gated, every: 876000h, {reads}}}}}\n"
    async with daemon_folder.daemon(config) as it:
        first = await ask(it, {"collector": "m", "params": {"gate": str(gate)}})
        await begun(gate)
        second = await ask(it, {"collector": "m"})
        cancelled = await it.ask("DELETE", f"/api/v1/runs/{first.body['id']}")
        done = await ended(it, second)

    assert (cancelled.status, cancelled.body["status"]) == (200, "CANCELLED")
    assert done["status"] == "SUCCESS"


async def test_a_run_under_way_can_be_given_up(gated: RunningDaemon, tmp_path: Path) -> None:
    """It ends at once, and the next one begins."""
    gate = tmp_path / "gate"
    first = await ask(gated, {"collector": "m", "params": {"gate": str(gate)}})
    await begun(gate)
    second = await ask(gated, {"collector": "m"})
    cancelled = await gated.ask("DELETE", f"/api/v1/runs/{first.body['id']}")
    done = await ended(gated, second)

    assert (cancelled.status, cancelled.body["status"]) == (200, "CANCELLED")
    assert cancelled.body["attempt"] == 1
    assert done["status"] == "SUCCESS"


async def test_what_cannot_be_kept_fails_the_run(daemon_folder: DaemonFolder) -> None:
    """A result is what JSON can hold, up to a mebibyte; the message says where it is not."""
    daemon_folder.plugin(
        "giving",
        """
        import math
        async def run(*, what="", **_):
            document = {"nan": {"a": [1, math.nan]}, "bytes": b"x", "large": "x" * 2**20}
            return {"result": document.get(what, None), "readings": [(1, "level", 1)]}
        """,
    )
    async with daemon_folder.daemon("collectors: {m: {plugin: giving, every: 876000h}}\n") as it:
        ends = {
            what: await ended(it, await ask(it, {"collector": "m", "params": {"what": what}}))
            for what in ("", "nan", "bytes", "large")
        }
        nothing = await it.get(f"runs/{ends['']['id']}/result")

    assert nothing["data"] is None
    assert [each["status"] for each in ends.values()] == ["SUCCESS", "FAILED", "FAILED", "FAILED"]
    assert ends["nan"]["failure_message"].startswith("result.a[1]: cannot be kept")
    assert ends["bytes"]["failure_message"].endswith("got bytes")
    assert "expected at most 1,048,576 bytes of JSON" in ends["large"]["failure_message"]
