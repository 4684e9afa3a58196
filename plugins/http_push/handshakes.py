"""What libraries of InfluxDB ask before they write: versions, health, and that a database exists.

There are no databases here, and nothing can be read, so most of it has one answer. What would
delete something, or read it, is refused: a library that is told "done" would believe it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qs

from aiohttp import web

from ingestd.plugins._units import format_duration

# Of the release whose addresses these are: it takes what both generations of libraries send.
VERSION: Final = "1.8.10-ingestd"
HEADERS: Final = {"X-Influxdb-Version": VERSION, "X-Influxdb-Build": "ingestd"}
PING: Final = "/ping"
QUERY: Final = "/query"
FORM: Final = "application/x-www-form-urlencoded"
# What changes nothing here, and so succeeds: it makes what exists as soon as it is written to.
MAKES: Final = re.compile(
    r"(CREATE\s+(DATABASE|RETENTION\s+POLICY)|ALTER\s+RETENTION)\b", re.IGNORECASE
)
SHOWS_DATABASES: Final = re.compile(r"SHOW\s+DATABASES\s*", re.IGNORECASE)
SHOWS_POLICIES: Final = re.compile(r"SHOW\s+RETENTION\s+POLICIES\b", re.IGNORECASE)
# What stands between quotes may hold a semicolon.
STATEMENT: Final = re.compile(r"""(?:[^;"']|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')+""", re.DOTALL)
LONGEST_QUERY: Final = 4096  # characters
POLICY: Final = ("autogen", "0s", "168h0m0s", 1, True)
POLICY_COLUMNS: Final = ("name", "duration", "shardGroupDuration", "replicaN", "default")


@dataclass(frozen=True, slots=True)
class State:
    """How we are.

    Attributes:
        started: When we began to answer, in Unix seconds.
        now: The time, in Unix seconds.
        problem: Why nothing is taken at the moment, or nothing.
    """

    started: float
    now: float
    problem: str


def handshake(path: str, query: Mapping[str, str], state: State) -> web.Response | None:
    """Return the answer to what needs no key, or None if it is something else."""
    if path == PING:
        return ping(verbose=query.get("verbose", "false") not in {"false", "0"})
    if path == "/health":
        return health(state)
    if path == "/ready":
        return ready(state)
    return None


def health(state: State) -> web.Response:
    """Return whether readings are taken at the moment."""
    said: dict[str, Any] = {
        "name": "ingestd",
        "message": state.problem or "ready for writes",
        "status": "fail" if state.problem else "pass",
        "checks": [],
        "version": VERSION,
    }
    return web.json_response(said, status=503 if state.problem else 200, headers=HEADERS)


def ready(state: State) -> web.Response:
    """Return since when readings are taken."""
    since = datetime.fromtimestamp(state.started, UTC).isoformat()
    up = format_duration(max(0.0, state.now - state.started))
    said = {"status": "ready", "started": since.replace("+00:00", "Z"), "up": up}
    return web.json_response(said, headers=HEADERS)


def ping(*, verbose: bool) -> web.Response:
    """Return that we are here, and which release to take us for."""
    if verbose:
        return web.json_response({"version": VERSION}, headers=HEADERS)
    return web.Response(status=204, headers=HEADERS)


def statements_in(query: Mapping[str, str], body: bytes, content_type: str) -> list[str]:
    """Return the statements of a query, which stand in the address or a form."""
    text = query.get("q", "")
    if not text and content_type == FORM:
        text = parse_qs(body.decode(errors="replace")).get("q", [""])[0]
    if len(text) > LONGEST_QUERY:
        return []
    found = (each.strip() for each in STATEMENT.findall(text))
    return [each for each in found if each]


def queried(statements: list[str]) -> web.Response:
    """Return the answer to a query: as if each database existed, and none had anything in it."""
    if not statements:
        wanted = f"q: expected statements of at most {LONGEST_QUERY} characters, got none"
        return web.json_response({"error": wanted}, status=400, headers=HEADERS)
    results = [{"statement_id": at, **result_of(each)} for at, each in enumerate(statements)]
    refused = next((each["error"] for each in results if "error" in each), None)
    if refused is not None:
        return web.json_response({"error": refused}, status=400, headers=HEADERS)
    return web.json_response({"results": results}, headers=HEADERS)


def result_of(statement: str) -> dict[str, Any]:
    """Return what one statement gives."""
    if MAKES.match(statement):
        return {}
    if SHOWS_DATABASES.fullmatch(statement):
        series = {"name": "databases", "columns": ["name"], "values": [["ingestd"]]}
        return {"series": [series]}
    if SHOWS_POLICIES.match(statement):
        return {"series": [{"columns": list(POLICY_COLUMNS), "values": [list(POLICY)]}]}
    wanted = "expected CREATE DATABASE, CREATE RETENTION POLICY or SHOW DATABASES"
    return {"error": f"{wanted}, as nothing can be read or deleted here, got {statement:.40}"}
