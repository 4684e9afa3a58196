"""Requested runs as they are told."""

from datetime import UTC, datetime
from typing import Any

from ingestd.redaction import Redactor
from ingestd.requesting.records import RequestedRun, RequestStatus


def as_json(record: RequestedRun, redactor: Redactor) -> dict[str, Any]:
    """Return a requested run as JSON, its params masked by their names and values."""
    where = f"/api/v1/runs/{record.name}"
    succeeded = record.status is RequestStatus.SUCCESS
    return {
        "id": record.name,
        "collector": record.collector,
        "project": record.project,
        "trace": record.trace,
        "status": record.status.value,
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
