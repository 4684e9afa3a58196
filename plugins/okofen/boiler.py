"""The HTTP side: a small computer in a cellar that wants to be asked slowly."""

import asyncio
import json
import re
from dataclasses import dataclass
from typing import Any, Final

from yarl import URL

from ingestd.plugins._answers import Answer, Pace, fetch

WAIT: Final = re.compile(rb"[Ww]ait at least (\d+) ?ms")
ENCODING: Final = "latin-1"
# Version 4.02 of the interface forgets a quotation mark.
UNQUOTED: Final = re.compile(r'"(\w+):(?=")')


@dataclass(frozen=True, slots=True, repr=False)
class Boiler:
    """A boiler; never shown, because its password is a part of its addresses."""

    http: Any
    url: str
    password: str | None
    pace: Pace

    async def values(self) -> dict[str, Any]:
        """Return what it measures now, with units and factors.

        Raises:
            AnswerError: It does not tell.
        """
        answer = await self.interface("all?")
        text = answer.text(ENCODING)
        for attempt in (text, UNQUOTED.sub(r'"\1":', text)):
            try:
                found = json.loads(attempt)
            except (ValueError, RecursionError):
                continue
            if answer.good and isinstance(found, dict):
                return found
        raise answer.unexpected("a JSON object", hint="is the password right?")

    async def interface(self, command: str) -> Answer:
        """Return what the JSON interface says to a command.

        Raises:
            AnswerError: It says nothing.
        """
        where = f"GET {self.url}/***/{command}"
        base = URL(self.url)
        # An address that ends with an empty query would lose its question mark.
        url = URL.build(
            scheme=base.scheme,
            host=base.host or "",
            port=base.port,
            path=f"{base.raw_path.rstrip('/')}/{self.password}/{command}",
            encoded=True,
        )
        async with self.pace.turn():
            answer = await fetch(self.http, "GET", url, where=where)
        if asked := WAIT.search(answer.data) if answer.status == 401 else None:
            await asyncio.sleep(int(asked[1]) / 1000)
            async with self.pace.turn():
                answer = await fetch(self.http, "GET", url, where=where)
        return answer

    async def file(self, path: str) -> Answer:
        """Return what the display's web server says to a path.

        Raises:
            AnswerError: It says nothing.
        """
        url = f"{self.url}/{path}"
        return await fetch(self.http, "GET", url, where=f"GET {url}")
