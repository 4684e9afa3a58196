"""Runs asked for over HTTP: what is taken, what is told of them, what they give."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.daemon import DaemonFolder, RunningDaemon
from tests.support.requesting import FIT, ask, ended

TARGETS = """
    collectors:
      fit:
        plugin: fit
        every: 876000h
        targets: {1: [1, 2], two: [4], none: []}
    """
FIT_ONLY = "collectors: {fit: {plugin: fit, every: 876000h, params: {model: hourly}}}\n"


@pytest.fixture
async def it(daemon_folder: DaemonFolder) -> Any:
    """Run a daemon with a collector that hardly runs by itself."""
    daemon_folder.plugin("fit", FIT)
    async with daemon_folder.daemon(FIT_ONLY) as running:
        yield running


async def series(it: RunningDaemon, name: str) -> list[float]:
    """Return the times, in seconds, that the store has of a series."""
    found = await it.daemon.deliveries.read(name, start_us=0, end_us=10**12, tags={})
    return [each.time_us / 1e6 for each in found]


@pytest.mark.slow  # a worker process starts
async def test_a_run_is_asked_for_and_told(it: RunningDaemon) -> None:
    """It is kept at once, and has succeeded when its readings are safe."""
    answer = await ask(it, {"collector": "fit", "target": {"project": 1, "trace": "2"}})
    done = await ended(it, answer)
    result = await it.get(f"runs/{done['id']}/result")
    record = await it.get(f"runs/{done['run']}")

    assert (answer.status, answer.headers["Location"]) == (202, "/api/v1/runs/r-1")
    added = answer.body["added"]
    assert answer.body == {
        "id": "r-1", "collector": "fit", "project": "1", "trace": "2", "status": "PENDING",
        "input": None, "params": {}, "commit": False, "key": None, "failure_message": None,
        "traceback": None, "result": None, "readings": 0, "run": None, "attempt": 0,
        "added": added, "updated": added,
    }  # fmt: skip
    assert datetime.fromisoformat(added).tzinfo == UTC
    assert done == {
        **answer.body, "status": "SUCCESS", "result": "/api/v1/runs/r-1/result", "readings": 1,
        "run": record["id"], "attempt": 1, "updated": done["updated"],
    }  # fmt: skip
    assert done["updated"] > added
    assert result == {
        "collector": "fit",
        "readings": 1,
        "data": {"model": "hourly", "of": ["1", "2"], "input": None},
    }
    assert await series(it, "fit_2") == [10]
    assert (record["requested"], record["outcome"], record["readings"]) == ("r-1", "ok", 1)


@pytest.mark.slow  # a worker process starts
async def test_the_position_stays_unless_it_is_to_move(it: RunningDaemon) -> None:
    """Only with ``commit`` does the next run go on from there."""
    first = await ended(it, await ask(it, {"collector": "fit"}))
    before = (await it.get("state/fit"))["state"]
    collector = await it.get("collectors/fit")
    second = await ended(it, await ask(it, {"collector": "fit", "commit": True}))
    after = (await it.get("state/fit"))["state"]

    assert (first["status"], before) == ("SUCCESS", {})
    assert (second["status"], after) == ("SUCCESS", {"n": 1})
    assert collector["last_run"] is None
    assert await series(it, "fit_None") == [10]


@pytest.mark.slow  # a worker process starts
async def test_a_run_has_params_of_its_own(it: RunningDaemon) -> None:
    """They are laid over those of the collector, for this run."""
    own = await ended(it, await ask(it, {"collector": "fit", "params": {"model": "billing"}}))
    usual = await ended(it, await ask(it, {"collector": "fit"}))

    assert (await it.get(f"runs/{own['id']}/result"))["data"]["model"] == "billing"
    assert (await it.get(f"runs/{usual['id']}/result"))["data"]["model"] == "hourly"
    assert own["params"] == {"model": "billing"}


@pytest.mark.slow  # a worker process starts
async def test_a_document_may_be_given_instead(it: RunningDaemon) -> None:
    """The plugin gets it as ``input``, and it can be read again."""
    document = {"trace": [[0, 1.5], [3600, None]]}
    answer = await ask(it, {"collector": "fit", "input": document})
    done = await ended(it, answer)

    assert (done["project"], done["trace"]) == (None, None)
    assert done["input"] == answer.body["input"] == "/api/v1/runs/r-1/input"
    assert await it.get("runs/r-1/input") == document
    assert (await it.get("runs/r-1/result"))["data"]["input"] == document


@pytest.mark.slow  # a worker process starts
async def test_a_failure_is_told_without_secrets(daemon_folder: DaemonFolder) -> None:
    """The message and the traceback are there, and the token is not."""
    daemon_folder.plugin("fit", FIT)
    text = "collectors: {fit: {plugin: fit, every: 876000h, params: {token: open-sesame}}}\n"
    headers = {"Authorization": "Bearer may-ask"}
    async with daemon_folder.daemon(text, token="may-ask", headers=headers) as it:
        answer = await ask(it, {"collector": "fit", "params": {"fail": "too hot"}})
        failed = await ended(it, answer)
        nothing = await it.ask("GET", f"/api/v1/runs/{failed['id']}/result")
        record = await it.get(f"runs/{failed['run']}")
        collector = await it.get("collectors/fit")

    assert failed["status"] == "FAILED"
    assert failed["failure_message"] == "ValueError: no fit: too hot ***"
    assert "in run" in failed["traceback"]
    assert "open-sesame" not in str(failed)
    assert nothing.status == 404
    assert (record["outcome"], record["error"]) == ("failed", failed["failure_message"])
    assert (collector["failures"], collector["state"]) == (0, "waiting")


@pytest.mark.slow  # a worker process starts
async def test_a_key_makes_it_safe_to_ask_again(it: RunningDaemon) -> None:
    """The same again is the same run, and something else under that key is refused."""
    body = {"collector": "fit", "key": "monday", "params": {"model": "daily"}}
    first = await ask(it, body)
    again = await ask(it, body)
    other = await ask(it, {**body, "params": {}})
    done = await ended(it, first)
    at_last = await ask(it, body)

    assert (first.status, again.status, other.status) == (202, 200, 409)
    assert first.body["id"] == again.body["id"] == "r-1"
    assert "'monday' was given to another request" in other.body["detail"]
    assert (at_last.status, at_last.body) == (200, done)
    assert len(await it.get("runs?requested=true")) == 1


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        ({}, 400, "missing required field `collector`"),
        ({"collector": "nobody"}, 404, "no collector 'nobody'"),
        ({"collector": "fit", "target": {}}, 422, "expected a project, a trace or both"),
        ({"collector": "fit", "target": {"trace": 1}, "input": 1}, 422, "either target or input"),
        ({"collector": "fit", "params": {"modle": 1}}, 422, "did you mean 'model'?"),
        ({"collector": "fit", "params": {"ctx": 1}}, 422, "'ctx' is passed by the daemon"),
        ({"collector": "fit", "params": {"trace": 1}, "target": {"trace": 1}}, 422, "got it twice"),
        ({"collector": "fit", "key": ""}, 400, "length >= 1"),
    ],
)
async def test_what_cannot_be_run_is_refused(
    it: RunningDaemon, body: Any, status: int, detail: str
) -> None:
    """Nothing is kept of it, and the answer says what would be right."""
    answer = await ask(it, body)

    assert answer.status == status
    assert detail in answer.body["detail"]
    assert await it.get("runs?requested=true") == []


async def test_every_problem_is_told_at_once(daemon_folder: DaemonFolder) -> None:
    """A plugin's own look at its params counts as well."""
    daemon_folder.plugin(
        "fit",
        """
        def check(**params):
            if params.get("model", "daily") not in ("daily", "hourly"):
                yield f"model: expected daily or hourly, got {params['model']!r}"
        def run(*, model="daily"):
            return {}
        """,
    )
    async with daemon_folder.daemon("collectors: {fit: {plugin: fit, every: 1h}}\n") as it:
        names = await ask(it, {"collector": "fit", "params": {"nosuch": 1, "other": 2}})
        value = await ask(it, {"collector": "fit", "params": {"model": "weekly"}})
        target = await ask(it, {"collector": "fit", "target": {"project": "1"}})

    assert (names.status, value.status, target.status) == (422, 422, 422)
    assert "'nosuch', 'other'" in names.body["problems"][0]["message"]
    assert value.body["problems"] == [
        {
            "where": "fit",
            "key": "params",
            "message": "model: expected daily or hourly, got 'weekly'",
        }
    ]
    assert target.body["problems"][0]["key"] == "project"


async def test_secrets_cannot_be_sent_elsewhere_by_anybody(daemon_folder: DaemonFolder) -> None:
    """Where no token is asked for, params of a collector that has secrets stay as they are."""
    daemon_folder.plugin("meter", "def run(*, url='', password=''): return {}")
    text = "collectors: {m: {plugin: meter, every: 1h, params: {password: open-sesame}}}\n"
    body = {"collector": "m", "params": {"url": "http://elsewhere"}}
    async with daemon_folder.daemon(text) as it:
        refused = await ask(it, body)
        plain = await ask(it, {"collector": "m"})
    async with daemon_folder.daemon(
        text, token="may-ask", headers={"Authorization": "Bearer may-ask"}
    ) as it:
        taken = await ask(it, body)

    assert (refused.status, plain.status, taken.status) == (422, 202, 202)
    assert "expected daemon.token" in refused.body["detail"]


async def test_secrets_in_params_are_masked(it: RunningDaemon) -> None:
    """A run may be given one, and no answer shows it."""
    answer = await ask(it, {"collector": "fit", "params": {"token": "open-sesame"}})

    assert answer.body["params"] == {"token": "***"}
    assert "open-sesame" not in str(await it.get("runs?requested=true"))


async def test_targets_are_those_of_the_collector(daemon_folder: DaemonFolder) -> None:
    """A trace is enough if one project has it; what is not there is not found."""
    daemon_folder.plugin("fit", FIT)
    async with daemon_folder.daemon(TARGETS) as it:

        async def asked(**target: Any) -> Any:
            answer = await ask(it, {"collector": "fit", "target": target})
            body = answer.body
            return (body["project"], body["trace"]) if answer.status == 202 else answer.status

        assert await asked(trace=4) == ("two", "4")
        assert await asked(project="two") == ("two", "4")
        assert await asked(project="1", trace="2") == ("1", "2")
        assert await asked(project="1") == 422  # one run is asked for, and it has two
        assert await asked(project="none") == 422
        assert await asked(project="three") == 404
        assert await asked(trace="9") == 404
        assert await asked(project="two", trace="1") == 404


async def test_what_cannot_run_takes_no_requests(daemon_folder: DaemonFolder) -> None:
    """A stream never ends, and a disabled collector does not begin."""
    daemon_folder.plugin("stream", "async def run(*, ctx): yield await ctx.stopping.wait() or {}")
    daemon_folder.plugin("fit", FIT)
    text = """
        collectors:
          s: {plugin: stream}
          off: {plugin: fit, every: 1h, enabled: false}
        """
    async with daemon_folder.daemon(text) as it:
        stream, disabled = await ask(it, {"collector": "s"}), await ask(it, {"collector": "off"})

    assert (stream.status, disabled.status) == (422, 409)
    assert "got a stream" in stream.body["detail"]


async def test_there_is_no_such_run(it: RunningDaemon) -> None:
    """A number that was never given, or is none, is not found."""
    for path in (
        "r-7",
        "r-0",
        "r-x",
        "r-99999999999999999999",
        "r-7/result",
        "r-7/input",
        "7/input",
    ):
        answer = await it.ask("GET", f"/api/v1/runs/{path}")
        assert (path, answer.status) == (path, 404)
    assert (await it.ask("DELETE", "/api/v1/runs/r-7")).status == 404
    assert (await it.ask("DELETE", "/api/v1/runs/7")).status == 404


async def test_a_collector_may_run_only_when_asked(daemon_folder: DaemonFolder) -> None:
    """It waits, which is no trouble, and what it gave once is not expected again."""
    daemon_folder.plugin("fit", FIT.replace("def run", "async def run"))
    async with daemon_folder.daemon("collectors: {fit: {plugin: fit, every: never}}\n") as it:
        before = await it.get("collectors/fit")
        status = await it.get("status")
        done = await ended(it, await ask(it, {"collector": "fit", "commit": True}))
        after = await it.get("collectors/fit")
        record = await it.post("collectors/fit/run")

    assert (before["schedule"], before["next_run"]) == ("only when asked", None)
    assert (before["state"], before["why"]) == ("waiting", "")
    assert (status["collectors"]["attention"], status["collectors"]["distant"]) == (0, [])
    assert (done["status"], after["state"]) == ("SUCCESS", "fresh")
    assert (record["outcome"], record["requested"]) == ("ok", None)
