"""An ecobee server: it rotates tokens without mercy, and misbehaves as the real one does."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from aiohttp import web
from aiohttp.test_utils import TestServer

INTERVAL: Final = 300
TORONTO: Final = "America/Toronto"
SENSOR: Final = {"sensorId": "rs:100:1", "sensorName": "Bedroom", "sensorType": "temperature"}

Fault = Callable[[], web.StreamResponse]


@dataclass
class Ecobee:
    """One account with its thermostats.

    Attributes:
        now: What time it is, in Unix seconds.
        thermostats: Identifier -> when it was last heard of; None: always a moment ago.
        code: An authorization code whose PIN its owner has entered.
        refresh: The only refresh token that works; each use replaces it.
        lifetime: Of an access token, in seconds.
        faults: What to answer instead, by path: each once, in that order.
        authorizations: How often an operator had to go through the first authorization.
        renewals: How often tokens were renewed.
        asked: The path and the body of every request.
        location: Of all thermostats.
    """

    now: Callable[[], float]
    thermostats: dict[str, float | None] = field(default_factory=lambda: {"318324702718": None})
    code: str | None = "the-code"
    refresh: str = "refresh-0"
    access: str = "access-0"
    expires: float = 0.0
    lifetime: float = 3599.0
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    authorizations: int = 0
    renewals: int = 0
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    location: dict[str, Any] = field(
        default_factory=lambda: {"timeZone": TORONTO, "isDaylightSaving": True}
    )

    # -- tokens

    async def token(self, request: web.Request) -> web.StreamResponse:
        """Give tokens for a code or a refresh token, each of which works once."""
        self.asked.append((request.path, dict(request.query)))
        if fault := self._fault(request.path):
            return fault
        query = request.query
        if query.get("client_id") != "app-key":
            return oauth_error("invalid_client", 401)
        if query["grant_type"] == "ecobeePin":
            if query["code"] == "pending":
                return oauth_error("authorization_pending", 401)
            if self.code is None or query["code"] != self.code:
                return oauth_error("invalid_grant", 400)
            self.code, self.authorizations = None, self.authorizations + 1
        elif query.get("refresh_token") != self.refresh:
            return oauth_error("invalid_grant", 400)
        else:
            self.renewals += 1
        return web.json_response(self._rotate())

    def _rotate(self) -> dict[str, Any]:
        number = self.authorizations + self.renewals
        self.access, self.refresh = f"access-{number}-token", f"refresh-{number}-token"
        self.expires = self.now() + self.lifetime
        return {
            "access_token": self.access,
            "token_type": "Bearer",
            "expires_in": 3599,
            "refresh_token": self.refresh,
            "scope": "smartRead",
        }

    # -- data

    async def data(self, request: web.Request) -> web.StreamResponse:
        """Answer a request for data, if it comes with the access token."""
        body = json.loads(request.query["body"])
        self.asked.append((request.path, body))
        if fault := self._fault(request.path):
            return fault
        if request.headers.get("Authorization") != f"Bearer {self.access}":
            return status(1, "Authentication failed.")
        if self.now() >= self.expires:
            return status(14, "Authentication token has expired. Refresh your tokens.")
        match = body["selection"]["selectionMatch"].split(",")
        chosen = [each for each in self.thermostats if each in match or match == [""]]
        what = request.path.rpartition("/")[2]
        answers = {
            "thermostatSummary": self._summary,
            "thermostat": self._locations,
            "runtimeReport": self._report,
        }
        document = answers[what](chosen, body)
        return web.json_response({**document, "status": {"code": 0, "message": ""}})

    def heard(self, identifier: str) -> float:
        """Return the newest interval that the server has of a thermostat, in Unix seconds."""
        heard = self.thermostats[identifier]
        return (self.now() - 600 if heard is None else heard) // INTERVAL * INTERVAL

    def _summary(self, chosen: list[str], _: dict[str, Any]) -> dict[str, Any]:
        revision = {
            each: f"{datetime.fromtimestamp(self.heard(each), UTC):%y%m%d%H%M%S}" for each in chosen
        }
        lines = [f"{each}:Hall: 2nd floor:true:r1:r2:{revision[each]}:r4" for each in chosen]
        return {"thermostatCount": len(lines), "revisionList": lines, "statusList": []}

    def _locations(self, chosen: list[str], body: dict[str, Any]) -> dict[str, Any]:
        """Return one thermostat on each page."""
        assert body["selection"]["includeLocation"] is True
        page = body["page"]["page"]
        listed = [{"identifier": each, "location": self.location} for each in chosen]
        return {
            "page": {"page": page, "totalPages": len(listed)},
            "thermostatList": listed[page - 1 : page],
        }

    def _report(self, chosen: list[str], body: dict[str, Any]) -> dict[str, Any]:
        begin, end = moment(body, "start"), moment(body, "end")
        assert end - begin <= 31 * 86_400, "a month at most"
        assert len(chosen) <= 25
        columns = body["columns"].split(",")
        found: dict[str, Any] = {"columns": body["columns"], "reportList": [], "sensorList": []}
        for each in chosen:
            times = [begin + INTERVAL * step for step in range(int(end - begin) // INTERVAL + 1)]
            rows = [self._row(each, time, columns) for time in times]
            head = {"thermostatIdentifier": each}
            found["reportList"].append({**head, "rowCount": len(rows), "rowList": rows})
            if body["includeSensors"]:
                data = [self._row(each, time, ["sensor"]).rstrip(",") for time in times]
                titles = ["date", "time", SENSOR["sensorId"]]
                found["sensorList"].append(
                    {**head, "sensors": [SENSOR], "columns": titles, "data": data}
                )
        return found

    def _row(self, identifier: str, time: float, columns: list[str]) -> str:
        """Return a line in the thermostat's time; empty where it has not reported."""
        zone = ZoneInfo(self.location["timeZone"])
        shown = datetime.fromtimestamp(time, zone)
        if not self.location["isDaylightSaving"]:
            shown -= shown.dst() or timedelta()
        reported = time <= self.heard(identifier)
        cells = [
            "20.5" if name == "outdoorTemp" else value_at(time) if reported else ""
            for name in columns
        ]
        return f"{shown:%Y-%m-%d,%H:%M:%S},{','.join(cells)},"

    def _fault(self, path: str) -> web.StreamResponse | None:
        waiting = self.faults.get(path)
        return waiting.pop(0)() if waiting else None


def value_at(time: float) -> str:
    """Return what everything measures at a time."""
    return f"{60 + time // INTERVAL % 200 / 10:g}"


def moment(body: dict[str, Any], which: str) -> float:
    """Return a time of a request for a report, in Unix seconds."""
    day = datetime.fromisoformat(body[f"{which}Date"]).replace(tzinfo=UTC)
    interval = body[f"{which}Interval"]
    assert 0 <= interval <= 287
    return float(day.timestamp() + INTERVAL * interval)


def status(code: int, message: str) -> web.Response:
    """Return an error as the API tells it."""
    return web.json_response({"status": {"code": code, "message": message}}, status=500)


def oauth_error(error: str, code: int) -> web.Response:
    """Return an error as the token server tells it."""
    return web.json_response({"error": error, "error_description": "It is so."}, status=code)


def page(text: str, code: int = 200) -> Fault:
    """Return a fault: a page for people."""
    return lambda: web.Response(text=text, status=code, content_type="text/html")


@asynccontextmanager
async def served(ecobee: Ecobee) -> AsyncIterator[str]:
    """Run the server; give its address."""
    app = web.Application()
    app.router.add_post("/token", ecobee.token)
    app.router.add_get("/1/{what}", ecobee.data)
    async with TestServer(app) as server:
        yield str(server.make_url("/"))
