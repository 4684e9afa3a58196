"""Programs that were written for OpenEEMeter's datastore get what its documentation shows.

The requests and the replies are those of its documentation; of a reply the numbers and
times are ours, and addresses are paths.
"""

import re
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import pytest

from tests.support.daemon import DaemonFolder, RunningDaemon
from tests.support.requesting import ask, ended_id

METER: Final = """
    import asyncio
    async def run(*, project=None, trace=None, input=None, model_class="BillingElasticNetCVModel",
                  model_kwargs=None, formatter_class=None, formatter_kwargs=None):
        while model_class == "Endless":
            await asyncio.sleep(3600)
        if model_kwargs and "nosuch" in model_kwargs:
            raise TypeError("unexpected keyword argument 'nosuch'")
        return {"readings": [(1, f"savings_{trace}", 2)], "result": {"input": input, "r2": 0.9}}
"""
SITE: Final = """
    collectors:
      meter-fit:
        plugin: meter
        every: 876000h
        targets: {1: [3, 4, 5, 6, 1, 2], 2: []}
    """
CREATED: Final[Mapping[str, Any]] = {
    "id": 1, "trace": 1, "project": 1, "meter_result": 1, "meter_input": None, "status": "PENDING",
    "failure_message": None, "traceback": None, "model_class": None, "model_kwargs": None,
    "formatter_class": None, "formatter_kwargs": None,
}  # fmt: skip
TIMES: Final = ("added", "updated")


@pytest.fixture
async def it(daemon_folder: DaemonFolder) -> AsyncIterator[RunningDaemon]:
    """Run a daemon with the targets of the documentation's example."""
    daemon_folder.plugin("meter", METER)
    async with daemon_folder.daemon(SITE) as running:
        yield running


def told(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run without its times, whose form is looked at, and without its collector."""
    for name in TIMES:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", body[name])
    assert body["collector"] == "meter-fit"
    return {name: value for name, value in body.items() if name not in {*TIMES, "collector"}}


async def test_a_run_about_a_trace(it: RunningDaemon) -> None:
    """It is pending at once, and looked at until it has succeeded."""
    created = await ask(it, {"trace": 1}, "meter_runs/")
    await ended_id(it, "r-1")
    done = await it.get("meter_runs/1/")
    result = await it.get("meter_results/1/")

    assert (created.status, told(created.body)) == (201, CREATED)
    assert told(done) == {**CREATED, "status": "SUCCESS"}
    assert {name: result[name] for name in ("id", "trace", "project", "meter_run", "status")} == {
        "id": 1, "trace": 1, "project": 1, "meter_run": 1, "status": "SUCCESS",
    }  # fmt: skip
    output = await it.ask("GET", result["meter_output"])
    assert output.body["data"] == {"input": None, "r2": 0.9}


async def test_a_run_with_settings_of_its_own(it: RunningDaemon) -> None:
    """What the plugin refuses is told with its traceback."""
    kwargs = {"heating_base_temp": 64, "cooling_base_temp": 64}
    body = {"project": 1, "trace": 2, "model_kwargs": kwargs}
    created = await ask(it, body, "meter_runs/")
    await ask(it, {"trace": 2, "model_kwargs": {"nosuch": 1}}, "meter_runs/")
    await ended_id(it, "r-2")
    failed = await it.get("meter_runs/2/")

    assert told(created.body) == {**CREATED, "trace": 2, "model_kwargs": kwargs}
    assert (await ended_id(it, "r-1"))["params"] == {"model_kwargs": kwargs}
    assert failed["status"] == "FAILED"
    assert failed["failure_message"] == "TypeError: unexpected keyword argument 'nosuch'"
    assert "Traceback" in failed["traceback"]
    assert (await it.ask("GET", "/api/v1/meter_results/2/")).status == 404


async def test_a_run_with_a_document(it: RunningDaemon) -> None:
    """Trace and project are null then, and the document has an address."""
    document = {"type": "SINGLE_TRACE_SIMPLE_PROJECT", "trace": {"records": []}}
    created = await ask(it, {"meter_input": document}, "meter_runs/")
    await ended_id(it, "r-1")

    where = created.body["meter_input"]
    assert told(created.body) == {
        **CREATED, "trace": None, "project": None, "meter_input": where,
    }  # fmt: skip
    assert (await it.ask("GET", where)).body == document


async def test_runs_by_bulk(it: RunningDaemon) -> None:
    """There is a list for each target: a project stands for its traces, and may have none."""
    body = {"targets": [{"project": 1}, {"project": 2}, {"project": 1, "trace": 3}]}
    created = await ask(it, body, "meter_runs/bulk/")

    assert created.status == 201
    traces = [[run["trace"] for run in group] for group in created.body]
    assert traces == [[3, 4, 5, 6, 1, 2], [], [3]]
    assert told(created.body[0][1]) == {**CREATED, "id": 2, "trace": 4, "meter_result": 2}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"trace": 1, "meter_input": {}}, 422),
        ({"trace": 9}, 404),
        ({"trace": []}, 400),
        ({"nosuch": 1}, 400),
    ],
)
async def test_what_is_wrong_is_refused(it: RunningDaemon, body: Any, status: int) -> None:
    """Nothing is kept of it."""
    assert (await ask(it, body, "meter_runs/")).status == status
    assert (await it.ask("GET", "/api/v1/meter_runs/1/")).status == 404


async def test_the_collector_is_the_one_with_targets(daemon_folder: DaemonFolder) -> None:
    """With none or several it has to be named."""
    daemon_folder.plugin("meter", METER)
    text = "collectors:\n  a: {plugin: meter, every: 1h}\n  b: {plugin: meter, every: 1h}\n"
    async with daemon_folder.daemon(text) as it:
        unclear = await ask(it, {"trace": 1}, "meter_runs/")
        named = await ask(it, {"trace": 1}, "meter_runs/?collector=b")
        unknown = await ask(it, {"trace": 1}, "meter_runs/?collector=c")

    assert (unclear.status, named.status, unknown.status) == (409, 201, 404)
    assert named.body["collector"] == "b"


async def test_a_cancelled_run_has_failed(it: RunningDaemon) -> None:
    """These programs know no other word for it."""
    created = await ask(it, {"trace": 1, "model_class": "Endless"}, "meter_runs/")
    await it.ask("DELETE", "/api/v1/runs/r-1")
    found = await it.get("meter_runs/1/")

    assert created.body["model_class"] == "Endless"
    assert (found["status"], found["failure_message"]) == ("FAILED", "it was cancelled")
