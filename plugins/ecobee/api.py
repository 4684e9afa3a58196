"""The HTTP side: what ecobee's servers are asked, and what their refusals mean."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from ingestd.plugins._answers import Answer, Pace, fetch, number_in
from ingestd.plugins._tokens import TokenExpired

EXPIRED: Final = 14
HINTS: Final = {
    1: "the account has to be authorized again",
    2: "the account may not read this",
    16: "its owner has removed the application; the account has to be authorized again",
}
INTERVAL: Final = 300  # seconds


@dataclass(frozen=True, slots=True)
class Thermostat:
    """What a summary says about a thermostat.

    Attributes:
        revision: Changes whenever the vendor has new runtime data of it.
    """

    identifier: str
    name: str
    revision: str


@dataclass(frozen=True, slots=True)
class Api:
    """The API, for one application."""

    http: Any
    url: str
    api_key: str
    pace: Pace

    async def exchange(self, grant: Mapping[str, str]) -> Answer:
        """Give a grant for tokens; return what the server says."""
        query = {**grant, "client_id": self.api_key}
        where = f"POST {self.url}/token ({grant['grant_type']})"
        return await fetch(self.http, "POST", f"{self.url}/token", where=where, params=query)

    async def summary(
        self, header: Mapping[str, str], wanted: Sequence[str] | None
    ) -> list[Thermostat]:
        """Return the thermostats of the account.

        Raises:
            AnswerError: The server does not tell.
            TokenExpired: It wants a newer token.
        """
        answer = await self._get(header, "thermostatSummary", {"selection": selection(wanted)})
        found = [thermostat(line) for line in answer.list_at("revisionList")]
        return [each for each in found if each is not None]

    async def locations(
        self, header: Mapping[str, str], wanted: Sequence[str] | None
    ) -> dict[str, Mapping[str, Any]]:
        """Return where each thermostat stands, which tells what its clock shows.

        Raises:
            AnswerError: The server does not tell.
            TokenExpired: It wants a newer token.
        """
        found: dict[str, Mapping[str, Any]] = {}
        page = pages = 1
        while page <= pages:
            body = {
                "selection": {**selection(wanted), "includeLocation": True},
                "page": {"page": page},
            }
            answer = await self._get(header, "thermostat", body)
            for each in answer.list_at("thermostatList"):
                if isinstance(each, dict) and isinstance(each.get("location"), dict):
                    found[str(each.get("identifier"))] = each["location"]
            pages = int(number_in(answer.object().get("page"), "totalPages") or 1)
            page += 1
        return found

    async def report(
        self,
        header: Mapping[str, str],
        identifier: str,
        *,
        begin: float,
        end: float,
        columns: Sequence[str],
        sensors: bool,
    ) -> Mapping[str, Any]:
        """Return the report of one thermostat, between two times in Unix seconds.

        Raises:
            AnswerError: The server does not give it.
            TokenExpired: It wants a newer token.
        """
        body = {
            "selection": selection([identifier]),
            **moment("start", begin),
            **moment("end", end),
            "columns": ",".join(columns),
            "includeSensors": sensors,
        }
        answer = await self._get(header, "runtimeReport", body)
        answer.list_at("reportList")
        return answer.object()

    async def _get(self, header: Mapping[str, str], what: str, body: Mapping[str, Any]) -> Answer:
        # The vendor asks for one open request at a time.
        async with self.pace.turn():
            answer = await fetch(
                self.http,
                "GET",
                f"{self.url}/1/{what}",
                where=f"GET {self.url}/1/{what}",
                headers={**header, "Content-Type": "application/json;charset=UTF-8"},
                params={"format": "json", "body": json.dumps(body, separators=(",", ":"))},
            )
        check(answer)
        return answer


def check(answer: Answer) -> None:
    """Pass only what the server has done.

    An error is told in a status of its own; that of HTTP is 500 for most, and may be 200.

    Raises:
        AnswerError: It says what is wrong.
        TokenExpired: It wants a newer token.
    """
    code = number_in(answer.object().get("status"), "code")
    if code == EXPIRED:
        raise TokenExpired(str(answer.unexpected()))
    if code or not answer.good:
        raise answer.unexpected(hint=HINTS.get(int(code or 0), ""))


def selection(wanted: Sequence[str] | None) -> dict[str, str]:
    """Return what says which thermostats are meant."""
    if wanted is None:
        return {"selectionType": "registered", "selectionMatch": ""}
    return {"selectionType": "thermostats", "selectionMatch": ",".join(wanted)}


def thermostat(line: Any) -> Thermostat | None:
    """Return what a line of a summary says; a name in it may hold colons, too.

    It has seven parts: identifier, name, whether it is connected, and the revisions
    of the thermostat, of its alerts, of its runtime data and of its intervals.
    """
    parts = str(line).split(":")
    if len(parts) < 7:
        return None
    return Thermostat(parts[0], ":".join(parts[1:-5]), parts[-2])


def moment(which: str, time: float) -> dict[str, Any]:
    """Return a time as reports are asked for: a date and a five-minute interval of it, in UTC."""
    at = datetime.fromtimestamp(time, UTC)
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    interval = int((at - midnight).total_seconds()) // INTERVAL
    return {f"{which}Date": f"{at:%Y-%m-%d}", f"{which}Interval": interval}
