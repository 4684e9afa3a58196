"""Runs that are asked for: one or many, what they are given and give, and giving one up."""

import json
from typing import Annotated, Any, Final

import msgspec

from ingestd.config import CollectorConfig
from ingestd.requesting import (
    RequestedRun,
    RequestedRunJson,
    RequestStatus,
    RunRequest,
    RunResultJson,
    Target,
    all_of,
    as_json,
    digest_of,
    number_of,
    single,
)
from ingestd.web.call import Call, JsonAnswer, Nothing, Route, delete, get, post
from ingestd.web.problems import Refusal

MOST_TARGETS: Final = 2_000
ACCEPTED: Final = 202
# A number is taken for its text: other systems number what they have.
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)] | int
Key = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class TargetBody(msgspec.Struct, forbid_unknown_fields=True):
    """What a run is about.

    Attributes:
        project: A project among the targets of the collector.
        trace: One of its traces.
    """

    project: Name | None = None
    trace: Name | None = None


class RunBody(msgspec.Struct, forbid_unknown_fields=True):
    """A run that is asked for.

    Attributes:
        collector: Whose plugin is to be called.
        target: What the run is about.
        input: A document that the plugin is given instead of a target.
        params: What is laid over the params of the collector.
        key: A name of the caller's for the request: asked again, it is not made again.
        commit: Whether what the plugin gives as state is remembered, as after a scheduled run.
    """

    collector: str
    target: TargetBody | None = None
    input: Any = None
    params: dict[str, Any] = {}
    key: Key | None = None
    commit: bool = False


class BulkBody(msgspec.Struct, forbid_unknown_fields=True):
    """Runs that are asked for together, all of them or none.

    Attributes:
        collector: Whose plugin is to be called.
        targets: What the runs are about; a project stands for all of its traces.
        params: As for one run; they apply to all.
        key: Likewise.
        commit: Likewise.
    """

    collector: str
    targets: Annotated[list[TargetBody], msgspec.Meta(min_length=1, max_length=MOST_TARGETS)]
    params: dict[str, Any] = {}
    key: Key | None = None
    commit: bool = False


async def ask(call: Call[Nothing, RunBody]) -> JsonAnswer[RequestedRunJson]:
    """Ask for a run; it is kept until it has ended, over restarts as well."""
    body = call.body
    config = _config(call)
    wanted = single(
        config.name,
        config.targets,
        target=None if body.target is None else target_of(body.target),
        document=None if body.input is None else json.dumps(body.input),
        params=body.params,
        commit=body.commit,
    )
    asked = await call.daemon.requests.ask([wanted], key=body.key, digest=_digest(body))
    (run,) = asked.runs
    where = {"Location": f"/api/v1/runs/{run.name}"}
    return JsonAnswer(told(call, run), status=ACCEPTED if asked.new else 200, headers=where)


async def ask_for_many(
    call: Call[Nothing, BulkBody],
) -> JsonAnswer[list[list[RequestedRunJson]]]:
    """Ask for runs about many targets; the answer has a list for each of them, in order."""
    body, config = call.body, _config(call)
    wanted = [
        RunRequest(
            collector=config.name,
            target=each,
            params=body.params,
            commit=body.commit,
            group=group,
        )
        for group, target in enumerate(body.targets)
        for each in all_of(target_of(target), config.targets, collector=config.name)
    ]
    asked = await call.daemon.requests.ask(wanted, key=body.key, digest=_digest(body))
    groups: list[list[RequestedRunJson]] = [[] for _ in body.targets]
    for run in asked.runs:
        groups[run.group].append(told(call, run))
    return JsonAnswer(groups, status=ACCEPTED if asked.new else 200)


async def cancel(call: Call[Nothing, Nothing]) -> RequestedRunJson:
    """Give a requested run up; what it has given stays."""
    run = await call.daemon.requests.cancel((await found(call)).id)
    if run is None:
        raise _unknown(call)
    return told(call, run)


async def result(call: Call[Nothing, Nothing]) -> RunResultJson:
    """Return what a requested run gave."""
    run = await found(call)
    if run.status is not RequestStatus.SUCCESS:
        raise Refusal(404, f"run {run.name} has no result: it is {run.status}")
    data = await call.daemon.requests.document(run.id, "result")
    return {"collector": run.collector, "readings": run.readings, "data": data}


async def given(call: Call[Nothing, Nothing]) -> JsonAnswer[Any]:
    """Return the document that a requested run was given."""
    run = await found(call)
    if not run.has_input:
        raise Refusal(404, f"run {run.name} was given no document")
    return JsonAnswer(await call.daemon.requests.document(run.id, "input"))


async def found(call: Call[Any, Any]) -> RequestedRun:
    """Return the requested run that a path names.

    Raises:
        Refusal: There is none.
    """
    number = number_of(call.path["id"])
    run = None if number is None else await call.daemon.requests.find(number)
    if run is None:
        raise _unknown(call)
    return run


def told(call: Call[Any, Any], run: RequestedRun) -> RequestedRunJson:
    """Return a requested run as JSON."""
    return as_json(run, call.daemon.redactor)


def _config(call: Call[Nothing, RunBody] | Call[Nothing, BulkBody]) -> CollectorConfig:
    configured = call.daemon.config.collectors
    if call.body.collector not in configured:
        raise Refusal(404, f"no collector {call.body.collector!r}")
    return configured[call.body.collector]


def target_of(body: TargetBody) -> Target:
    """Return what a run is about."""
    return Target(_name(body.project), _name(body.trace))


def _name(given: str | int | None) -> str | None:
    return None if given is None else str(given)


def _digest(body: RunBody | BulkBody) -> str:
    return digest_of({**msgspec.to_builtins(body), "key": None})


def _unknown(call: Call[Any, Any]) -> Refusal:
    return Refusal(404, f"no requested run {call.path['id']} on record; old ones are forgotten")


ROUTES: Final[tuple[Route, ...]] = (
    post("/api/v1/runs", ask, body=RunBody, statuses=(ACCEPTED, 200)),
    post("/api/v1/runs/bulk", ask_for_many, body=BulkBody, statuses=(ACCEPTED, 200)),
    delete("/api/v1/runs/{id}", cancel),
    get("/api/v1/runs/{id}/result", result),
    get("/api/v1/runs/{id}/input", given),
)
