"""Requested runs as they are told."""

from datetime import UTC, datetime
from typing import Any, TypedDict

from ingestd.redaction import Redactor
from ingestd.requesting.records import RequestedRun, RequestStatus


class RequestedRunJson(TypedDict):
    """A run that was asked for.

    Attributes:
        id: Its number, such as ``r-17``.
        collector: Whose plugin is called.
        project: What it is about.
        trace: Which part of that.
        status: How it stands.
        input: Where the document is that it was given.
        params: What is laid over the params of the collector, without secrets.
        commit: Whether what the plugin gives as state is remembered.
        key: What the caller called the request.
        failure_message: Why it failed, in a line.
        traceback: The same, for developers.
        result: Where its result is, once it has succeeded.
        readings: How many it gave.
        run: The number of its record among the runs.
        attempt: How often it has begun.
        added: When it was asked for, in ISO 8601.
        updated: When it came to stand as it does, likewise.
    """

    id: str
    collector: str
    project: str | None
    trace: str | None
    status: RequestStatus
    input: str | None
    params: dict[str, Any]
    commit: bool
    key: str | None
    failure_message: str | None
    traceback: str | None
    result: str | None
    readings: int
    run: int | None
    attempt: int
    added: str
    updated: str


class RunResultJson(TypedDict):
    """What a requested run gave.

    Attributes:
        collector: Whose plugin was called.
        readings: How many readings.
        data: What the plugin gave as ``result``.
    """

    collector: str
    readings: int
    data: Any


def as_json(record: RequestedRun, redactor: Redactor) -> RequestedRunJson:
    """Return a requested run as JSON, its params masked by their names and values."""
    where = f"/api/v1/runs/{record.name}"
    succeeded = record.status is RequestStatus.SUCCESS
    return {
        "id": record.name,
        "collector": record.collector,
        "project": record.project,
        "trace": record.trace,
        "status": record.status,
        "input": f"{where}/input" if record.has_input else None,
        "params": redactor.value(record.params, owner=record.collector),
        "commit": record.commit,
        "key": record.key,
        "failure_message": record.failure_message,
        "traceback": record.traceback,
        "result": f"{where}/result" if succeeded else None,
        "readings": record.readings,
        "run": record.run,
        "attempt": record.attempt,
        "added": iso(record.added),
        "updated": iso(record.updated),
    }


def iso(time: float) -> str:
    """Return a time in seconds since the Unix epoch in ISO 8601, to the microsecond, in UTC."""
    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
