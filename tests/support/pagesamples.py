"""What each page is drawn from, with a text of choice wherever a text of others may stand."""

from collections.abc import Mapping
from typing import Any


def samples(text: str) -> Mapping[str, Mapping[str, Any]]:
    """Return for each page something to show in which every text is the given one."""
    return {
        "overview": {
            "status": status(text),
            "problems": [text],
            "troubled": [{"name": text, "state": text, "why": text}] * 30,
        },
        "collectors": {
            "collectors": [{**collector(text), "recent": [text, text], "every": 60.0}],
            "found": 250,
            "query": {"q": text, "state": text},
            "page": 2,
            "pages": 3,
        },
        "collector": {
            "collector": collector(text),
            "state": {
                "collector": text,
                "state": {text: [text]},
                "masks": [text],
                "hidden": {"keys": 1},
            },
            "runs": [record(text)],
            "backfills": [backfill(text)],
            "options": [{"option": text, "value": text, "where": text}],
            "plugin": {"path": text, "kind": text, "doc": text},
        },
        "runs": {
            "runs": [record(text)],
            "more": True,
            "query": {"collector": text, "failing": True},
        },
        "run": record(text),
        "requested": requested(text),
        "series": {
            "series": [
                {
                    "series": text,
                    "tags": {text: text},
                    "collector": text,
                    "state": text,
                    "newest": 1.0,
                    "every": 5.0,
                }
            ],
            "found": 250,
            "never": [text],
            "query": {"q": text, "collector": text, "late": True},
            "page": 2,
            "pages": 3,
        },
        "chart": {
            "series": text,
            "tags": {text: text},
            "collector": text,
            "store": text,
            "start": 1.0,
            "end": 11.0,
            "since": 2.0,
            "until": 11.0,
            "span": text,
            "columns": [
                {
                    "first": 2.0,
                    "at": 3.0,
                    "last": 4.0,
                    "count": 2,
                    "low": 1.0,
                    "high": 2.0,
                    "mean": 1.5,
                }
            ],
        },
        "stores": {
            "stores": [store(text)],
            "refused": [
                {
                    "store": text,
                    "reason": text,
                    "count": 3,
                    "first": 1.0,
                    "last": 2.0,
                    "sample": text,
                }
            ],
            "most": 1,
        },
        "config": {
            "config": status(text)["config"],
            "files": [text],
            "findings": {"wrong": [text], "suspicious": [text]},
        },
        "plugins": {
            "plugins": [
                {"name": text, "path": text, "kind": text, "summary": text, "error": ""},
                {"name": text, "path": text, "kind": None, "summary": text, "error": text},
            ],
            "used": {text: 2},
        },
        "ask": {
            "title": text,
            "says": [text],
            "path": "/ui/act/run",
            "keeps": {text: text},
            "texts": [(text, text, text)],
            "ticks": [(text, text, True)],
            "button": text,
            "back": "/",
        },
        "login": {"path": "/ui/login", "to": text, "detail": text},
        "problem": {"title": text, "status": 404, "detail": text},
    }


def status(text: str) -> dict[str, Any]:
    """Return how a daemon is."""
    return {
        "summary": text,
        "headline": text,
        "started": 1.0,
        "pid": 7,
        "state_dir": text,
        "worker_processes": text,
        "stopping": True,
        "config": {
            "path": text,
            "last_reload": text,
            "ok": False,
            "refused_at": 5.0,
            "loaded_at": 1.0,
            "warnings": [text],
        },
        "buffer": {"points": 1, "capacity": 2, "paused": [text]},
        "stores": [store(text)],
        "collectors": {"total": 1, "running": 1, "disabled": [text], "states": {text: 1}},
        "backfills": [backfill(text)],
    }


def backfill(text: str) -> dict[str, Any]:
    """Return a backfill that goes on."""
    return {
        "id": 3,
        "collector": text,
        "status": text,
        "done": 0.5,
        "readings": 3,
        "why": text,
        "error": text,
    }


def store(text: str, **spool: Any) -> dict[str, Any]:
    """Return a store that is down."""
    return {
        "name": text,
        "type": text,
        "identity": text,
        "health": text,
        "since": 5.0,
        "error": text,
        "in_memory": 1,
        "stored": 2,
        "dead_letters": 3,
        "spool": {
            "bodies": 1,
            "points": 10,
            "bytes": 1000,
            "limit_bytes": 2000,
            "oldest_at": 1.0,
            **spool,
        },
    }


def collector(text: str) -> dict[str, Any]:
    """Return a collector that failed."""
    late = {"series": text, "tags": {text: text}, "silent": 7.0, "every": 5.0, "newest": 1.0}
    return {
        "name": text,
        "plugin": text,
        "schedule": text,
        "enabled": True,
        "next_run": 9.0,
        "running": {"since": 8.0, "readings": 4},
        "failures": 2,
        "backing_off_for": 3.0,
        "last_run": record(text),
        "last_reading": 3.0,
        "state": text,
        "why": text,
        "cadence": 5.0,
        "series": 2,
        "late": 1,
        "late_series": [late],
        "where": text,
    }


def record(text: str) -> dict[str, Any]:
    """Return the record of a run."""
    return {
        "id": 17,
        "collector": text,
        "tick": 1.0,
        "started": 1.5,
        "seconds": 0.25,
        "outcome": text,
        "readings": 3,
        "points": 2,
        "unusable": {text: 1},
        "samples": [text],
        "degraded": text,
        "notes": [text],
        "late": 1,
        "late_series": [text],
        "error": text,
        "details": text,
        "output": text,
        "requested": text,
    }


def requested(text: str) -> dict[str, Any]:
    """Return a requested run that failed."""
    return {
        "id": "r-17",
        "collector": text,
        "project": text,
        "trace": text,
        "status": text,
        "input": "/api/v1/runs/r-17/input",
        "params": {text: text},
        "commit": True,
        "key": text,
        "failure_message": text,
        "traceback": text,
        "result": "/api/v1/runs/r-17/result",
        "readings": 1,
        "run": 3,
        "attempt": 1,
        "added": text,
        "updated": text,
    }
