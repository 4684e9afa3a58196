"""Requested runs in the words of OpenEEMeter's datastore, for programs that were written for it.

Its paths name no collector: there is one here whose ``targets`` are its projects and
traces. What it calls a meter is a run, and its numbers are those of requested runs.
"""

import json
from typing import Annotated, Any, Final

import msgspec

import ingestd
from ingestd.config import CollectorConfig
from ingestd.errors import NotNow
from ingestd.requesting import (
    RequestedRun,
    RequestStatus,
    RunRequest,
    Target,
    all_of,
    as_json,
    single,
)
from ingestd.web.call import Call, JsonAnswer, Nothing, Route, get, number_in, post
from ingestd.web.problems import Refusal
from ingestd.web.requests import MOST_TARGETS, TargetBody, target_of

CREATED: Final = 201
# What a run may be given besides its target; the plugin gets those that are not null.
KWARGS: Final = ("model_class", "model_kwargs", "formatter_class", "formatter_kwargs")


class MeterQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Which collector is meant.

    Attributes:
        collector: Its name; None for the only one that has targets.
    """

    collector: str | None = None


class MeterRunBody(TargetBody, forbid_unknown_fields=True):
    """A run that is asked for.

    Attributes:
        project: What the run is about.
        trace: Which part of that.
        meter_input: A document that the plugin is given instead of a trace.
        model_class: What the plugin is given under that name; null leaves it to the collector.
        model_kwargs: Likewise.
        formatter_class: Likewise.
        formatter_kwargs: Likewise.
    """

    meter_input: Any = None
    model_class: str | None = None
    model_kwargs: dict[str, Any] | None = None
    formatter_class: str | None = None
    formatter_kwargs: dict[str, Any] | None = None


class MeterBulkBody(msgspec.Struct, forbid_unknown_fields=True):
    """Runs that are asked for together.

    Attributes:
        targets: What they are about; a project stands for all of its traces.
        model_class: As for one run, for all of them.
        model_kwargs: Likewise.
        formatter_class: Likewise.
        formatter_kwargs: Likewise.
    """

    targets: Annotated[list[TargetBody], msgspec.Meta(min_length=1, max_length=MOST_TARGETS)]
    model_class: str | None = None
    model_kwargs: dict[str, Any] | None = None
    formatter_class: str | None = None
    formatter_kwargs: dict[str, Any] | None = None


async def ask(call: Call[MeterQuery, MeterRunBody]) -> JsonAnswer[dict[str, Any]]:
    """Ask for a run about a trace, or with a document."""
    body, config = call.body, _config(call)
    target = target_of(body)
    wanted = single(
        config.name,
        config.targets,
        target=None if target == Target() else target,
        document=None if body.meter_input is None else json.dumps(body.meter_input),
        params=_params(body),
        commit=False,
    )
    asked = await call.daemon.requests.ask([wanted])
    return JsonAnswer(_told(call, asked.runs[0]), status=CREATED)


async def ask_for_many(
    call: Call[MeterQuery, MeterBulkBody],
) -> JsonAnswer[list[list[dict[str, Any]]]]:
    """Ask for runs about many projects or traces; the answer has a list for each."""
    body, config = call.body, _config(call)
    params = _params(body)
    wanted = [
        RunRequest(collector=config.name, target=each, params=params, group=group)
        for group, target in enumerate(body.targets)
        for each in all_of(target_of(target), config.targets, collector=config.name)
    ]
    groups: list[list[dict[str, Any]]] = [[] for _ in body.targets]
    for run in (await call.daemon.requests.ask(wanted)).runs:
        groups[run.group].append(_told(call, run))
    return JsonAnswer(groups, status=CREATED)


async def run(call: Call[Nothing, Nothing]) -> dict[str, Any]:
    """Return a run."""
    return _told(call, await _found(call))


async def result(call: Call[Nothing, Nothing]) -> dict[str, Any]:
    """Say where the result of a run is."""
    found = await _found(call)
    if found.status is not RequestStatus.SUCCESS:
        raise Refusal(404, f"run {found.name} has no result: it is {found.status}")
    told = _told(call, found)
    return {
        "meter_run": found.id,
        "meter_output": f"/api/v1/runs/{found.name}/result",
        "eemeter_version": None,
        "datastore_version": ingestd.__version__,
        **{
            name: told[name]
            for name in ("id", "trace", "project", "status", *KWARGS, "added", "updated")
        },
    }


def _config(call: Call[MeterQuery, Any]) -> CollectorConfig:
    """Return the collector that is meant."""
    configured, name = call.daemon.config.collectors, call.query.collector
    if name is not None and name not in configured:
        raise Refusal(404, f"no collector {name!r}")
    if name is not None:
        return configured[name]
    with_targets = [each for each in configured.values() if each.targets]
    if len(with_targets) != 1:
        names = ", ".join(each.name for each in with_targets) or "none"
        text = "expected one collector that has targets, or ?collector= with a name"
        raise NotNow(f"{text}, got {names}")
    return with_targets[0]


def _params(body: MeterRunBody | MeterBulkBody) -> dict[str, Any]:
    given = {name: getattr(body, name) for name in KWARGS}
    return {name: value for name, value in given.items() if value is not None}


async def _found(call: Call[Any, Any]) -> RequestedRun:
    number = number_in(call)
    found = None if number is None else await call.daemon.requests.find(number)
    if found is None:
        raise Refusal(404, f"no run {call.path['id']} on record; old ones are forgotten")
    return found


def _told(call: Call[Any, Any], run: RequestedRun) -> dict[str, Any]:
    """Return a run with the names that OpenEEMeter has for what it is and has."""
    told = as_json(run, call.daemon.redactor)
    cancelled = run.status is RequestStatus.CANCELLED
    return {
        "id": run.id,
        "project": _number(run.project),
        "trace": _number(run.trace),
        "meter_result": run.id,
        "meter_input": told["input"],
        "status": RequestStatus.FAILED.value if cancelled else run.status.value,
        "failure_message": "it was cancelled" if cancelled else told["failure_message"],
        "traceback": told["traceback"],
        **{name: told["params"].get(name) for name in KWARGS},
        "added": told["added"],
        "updated": told["updated"],
        "collector": run.collector,
    }


def _number(name: str | None) -> str | int | None:
    """Return a name as it was sent: a number, if it is one."""
    if name is None or not name.isascii() or not name.isdecimal() or str(int(name)) != name:
        return name
    return int(name)


ROUTES: Final[tuple[Route, ...]] = (
    post("/api/v1/meter_runs/", ask, query=MeterQuery, body=MeterRunBody, statuses=(CREATED,)),
    post(
        "/api/v1/meter_runs/bulk/",
        ask_for_many,
        query=MeterQuery,
        body=MeterBulkBody,
        statuses=(CREATED,),
    ),
    get("/api/v1/meter_runs/{id}/", run),
    get("/api/v1/meter_results/{id}/", result),
)
