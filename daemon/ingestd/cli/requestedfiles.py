"""Requested runs as the files tell of them, where no daemon serves an API."""

import dataclasses
import json
import sqlite3
from collections.abc import Sequence

from ingestd.cli.backend import Json
from ingestd.cli.exitcodes import CommandError
from ingestd.redaction import Redactor, find_secrets
from ingestd.requesting import (
    RequestedRun,
    RequestStatus,
    Selection,
    as_json,
    number_of,
    records,
)


def listed(
    db: sqlite3.Connection, wanted: Selection, redactor: Redactor, *, live: bool
) -> list[Json]:
    """List those of a selection, the newest first.

    Args:
        db: The state database; an older daemon may have left it without any.
        wanted: Which to list.
        redactor: Keeps secrets out.
        live: Whether a daemon runs; one that was killed has left some RUNNING, and these wait.
    """
    if not db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'requested_runs'").fetchone():
        return []
    found = records.listed(db, wanted)[0]
    if not live and wanted.status is RequestStatus.RUNNING:
        found = []
    if not live and wanted.status is RequestStatus.PENDING:
        left = dataclasses.replace(wanted, status=RequestStatus.RUNNING)
        found = sorted([*found, *records.listed(db, left)[0]], key=lambda each: -each.id)
    return _shown(found[: wanted.limit], redactor, live=live)


def found(db: sqlite3.Connection, name: str, redactor: Redactor, *, live: bool) -> Json:
    """Return one as the API would.

    Raises:
        CommandError: There is none of that number.
    """
    (run,) = _shown([_find(db, name)], redactor, live=live)
    return run


def result(db: sqlite3.Connection, name: str) -> Json:
    """Return what one gave.

    Raises:
        CommandError: There is none of that number, or it has not succeeded.
    """
    run = _find(db, name)
    if run.status is not RequestStatus.SUCCESS:
        raise CommandError(f"run {name} has no result: it is {run.status}")
    text = records.document(db, run.id, "result")
    data = None if text is None else json.loads(text)
    return {"collector": run.collector, "readings": run.readings, "data": data}


def unknown(name: str) -> CommandError:
    """Return the error for a number that no requested run has."""
    return CommandError(f"no requested run {name} on record; old ones are forgotten")


def _find(db: sqlite3.Connection, name: str) -> RequestedRun:
    number = number_of(name)
    runs = [] if number is None else records.find(db, number)[0]
    if not runs:
        raise unknown(name)
    return runs[0]


def _shown(found: Sequence[RequestedRun], redactor: Redactor, *, live: bool) -> list[Json]:
    waiting = [
        dataclasses.replace(each, status=RequestStatus.PENDING)
        if each.status is RequestStatus.RUNNING and not live
        else each
        for each in found
    ]
    for each in waiting:
        redactor.add(find_secrets(each.params), owner=each.collector)
    return [dict(as_json(each, redactor)) for each in waiting]
