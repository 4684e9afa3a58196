"""The HTTP side: what a TOM is asked, and what its refusals mean.

A TOM answers those whom it does not know with status 200 and nothing, and takes for such everyone
whose ``Authorization`` it does not understand or is not given. So whether it looks at ours is asked
first: with one that has no content, which all who look refuse, before any account is touched.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from yarl import URL

from ingestd.plugins._answers import Answer, AnswerError, ask, bare, read, read_head
from ingestd.plugins._auth import Entry

JSON: Final = {"Accept": "application/json"}
TARGETS: Final = 10_000  # in one answer
REFUSED: Final = frozenset({301, 302, 401, 403})
HINTS: Final = {
    302: "this account may not do that: a TOM sends such requests to its login page",
    401: "name, password or token are wrong, or the token is too old for this TOM",
    404: "is `url` the address of the TOM, without /api?",
}


class RefusedError(AnswerError):
    """The TOM does not let this account in."""


@dataclass(frozen=True, slots=True, repr=False)
class Api:
    """The API of a TOM, for one account; never shown, because of what it holds.

    Attributes:
        http: The session.
        url: Where the TOM is, without a slash at its end.
        entry: What opens it.
        scheme: How its `Authorization` begins, or empty if it needs none.
        page: How many rows to ask for at once.
    """

    http: Any
    url: str
    entry: Entry
    scheme: str
    page: int

    async def knock(self) -> None:
        """See whether the server looks at what opens it.

        Raises:
            RefusedError: It does not, and would give what it gives to everyone.
            AnswerError: There is no answer.
        """
        url = self._address("targets")
        where = f"GET {bare(url)}"
        headers = {**JSON, "Authorization": self.scheme}
        async with await ask(
            self.http, "GET", url, where=where, headers=headers, params={"limit": "1"}
        ) as reply:
            answer = await read_head(reply, where=where)
        if answer.good:
            raise RefusedError(
                f"{where}: expected a server that looks at `Authorization: {self.scheme} ...`, got "
                f"{answer.status_line} without any: this TOM has no such authentication, or what "
                "stands before it keeps the header (Apache: WSGIPassAuthorization On); all that "
                "it gives is what everyone may see"
            )
        if answer.status not in REFUSED:
            raise answer.unexpected("401")

    async def targets(self) -> dict[str, str]:
        """Return the names of the targets that this account sees, by their ids.

        Raises:
            RefusedError: The account may see none.
            AnswerError: The server does not give them all.
        """
        found: dict[str, str] = {}
        async for rows in self.pages("targets", {}, limit=TARGETS):
            for row in rows:
                if isinstance(row, dict) and type(row.get("id")) is int:
                    found[str(row["id"])] = str(row.get("name") or "")
        return found

    async def pages(
        self, kind: str, query: Mapping[str, str], *, limit: int | None = None
    ) -> AsyncGenerator[list[Any], None]:
        """Yield all rows of a list, page by page.

        Raises:
            RefusedError: They are not for this account.
            AnswerError: The server does not give them all.
        """
        offset, size = 0, limit or self.page
        while True:
            asked = {**query, "limit": str(size), "offset": str(offset)}
            answer = await self._get(kind, asked)
            found = await asyncio.to_thread(answer.object)  # it may be large
            rows, count = found.get("results"), found.get("count")
            if not isinstance(rows, list) or type(count) is not int:
                raise answer.unexpected("a count and a list of results")
            yield rows
            offset += len(rows)
            # Not by the address that it gives for the next one: proxies make that a wrong one.
            if offset >= count:
                return
            if not rows:
                raise answer.unexpected(f"{count} rows in all, as it says, and not {offset}")

    async def _get(self, kind: str, query: Mapping[str, str]) -> Answer:
        url = self._address(kind)
        where = f"GET {bare(url)}"
        reply = await self.entry.ask(self.http, "GET", url, where=where, params=query, headers=JSON)
        async with reply:
            answer = await read(reply, where=where)
        if answer.good:
            return answer
        error = answer.unexpected(hint=HINTS.get(answer.status, ""))
        raise RefusedError(str(error)) if answer.status in REFUSED else error

    def _address(self, kind: str) -> URL:
        return URL(f"{self.url}/api/{kind}/")  # without the last slash it would be a redirect
