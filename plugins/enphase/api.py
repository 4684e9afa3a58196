"""The HTTP side: what Enphase's servers are asked, and what their refusals mean."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ingestd.plugins._answers import Answer, AnswerError, Pace, fetch
from ingestd.plugins._tokens import TokenExpired

HINTS: Final = {
    401: "does the key belong to this application?",
    403: "neither the plan nor the owner may have given access to this",
    404: "is that the number of a system of this account?",
}


class QuotaSpentError(AnswerError):
    """The application has asked more often than its plan allows; nothing else will work."""


@dataclass(frozen=True, slots=True, repr=False)
class Api:
    """The API, for one application; never shown, because of what it holds."""

    http: Any
    url: str
    api_key: str
    client: tuple[str, str]
    pace: Pace

    async def exchange(self, grant: Mapping[str, str]) -> Answer:
        """Give a grant for tokens; return what the server says."""
        where = f"POST {self.url}/oauth/token ({grant['grant_type']})"
        basic = b64encode(":".join(self.client).encode()).decode()
        headers = {"Authorization": f"Basic {basic}"}
        url = f"{self.url}/oauth/token"
        return await fetch(self.http, "POST", url, where=where, params=grant, headers=headers)

    async def telemetry(
        self, header: Mapping[str, str], system: str, kind: str, *, begin: float, granularity: str
    ) -> Mapping[str, Any]:
        """Return the intervals of a system after a time, in Unix seconds.

        Raises:
            AnswerError: The server does not give them.
            QuotaSpentError: Nor will it give anything else.
            TokenExpired: It wants a newer token.
        """
        path = f"/api/v4/systems/{system}/telemetry/{kind}"
        query = {"start_at": str(int(begin)), "granularity": granularity}
        answer = await self._get(header, path, query)
        check(answer)
        answer.list_at("intervals")
        return answer.object()

    async def _get(self, header: Mapping[str, str], path: str, query: Mapping[str, str]) -> Answer:
        async with self.pace.turn():
            return await fetch(
                self.http,
                "GET",
                self.url + path,
                where=f"GET {self.url}{path}",
                headers=header,
                params={"key": self.api_key, **query},
            )


def check(answer: Answer) -> None:
    """Pass only a good answer.

    Raises:
        AnswerError: It says what is wrong.
        QuotaSpentError: Too much was asked.
        TokenExpired: The server wants a newer token.
    """
    if answer.status == 429:
        raise spent(answer)
    # A key that does not fit the application is refused in the same way.
    if answer.status == 401 and b"api key" not in answer.data.lower():
        raise TokenExpired(str(answer.unexpected()))
    if not answer.good:
        raise answer.unexpected(hint=HINTS.get(answer.status, ""))


def spent(answer: Answer) -> QuotaSpentError:
    """Return the error for a quota that is spent."""
    said = answer.object()
    plan = f"{said.get('limit', 'what')} requests in a {said.get('period', 'minute or month')}"
    return QuotaSpentError(str(answer.unexpected(hint=f"the plan allows {plan}")))
