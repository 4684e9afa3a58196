"""Transactions with a server: signed in before the first, signed out after the last.

A transaction lasts from its request to the end of its body, and holds the server's
turn for as long. A sign-in that has expired is renewed once for each request. Where
an answer is not what was asked for, its status decides what that means.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any, Final

import aiohttp
from yarl import URL

from ingestd.plugins._answers import (
    Answer,
    AnswerError,
    AnswerLate,
    ask,
    bare,
    beginning,
    read,
    read_head,
)
from ingestd.plugins._retryafter import leaving

from .api import Api
from .endpoint import Endpoint
from .errors import (
    DcsError,
    LateAnswer,
    ListRefused,
    RangeTooLong,
    SourceFailed,
    SourceRefused,
    WindowRefused,
)
from .options import Options
from .streaming import elements
from .turns import Turns, Urgency

# Words of servers that call a window too long; what says it in others costs one request more.
RANGE: Final = re.compile(r"range|maximum|exceed|span|too (long|large|many|wide)", re.IGNORECASE)
JSON: Final = {"Accept": "application/json"}
# A run that is cancelled has so many seconds to sign out: less than the daemon's patience.
PATIENCE: Final = 4.0
TURN_PATIENCE: Final = 3.0


class Session:
    """Asks a server, one transaction after the other.

    Attributes:
        began: When it was made, in monotonic seconds.
        asked: When the readings were asked for that were asked for last, in monotonic
            seconds; None while that still waits for its turn.
    """

    def __init__(
        self,
        http: aiohttp.ClientSession,
        options: Options,
        api: Api,
        *,
        turns: Turns,
        endpoint: Endpoint,
        urgency: Urgency,
    ) -> None:
        self._http, self._options, self._api = http, options, api
        self._turns, self._endpoint, self._urgency = turns, endpoint, urgency
        self._signed_in = self._may_be_in = False
        self.began = asyncio.get_running_loop().time()
        self.asked: float | None = None

    async def document(self, url: URL) -> Any:
        """Return a whole document.

        Raises:
            ListRefused: Not for this account.
            DcsError: There is none.
        """
        where = f"GET {bare(url)}"
        async with self._transaction(), self._got(url, {}) as reply:
            if reply.status != 200:
                kind = ListRefused if reply.status in {401, 403, 404} else DcsError
                raise kind(f"{where}: expected 200, got {await self._said(reply, where)}")
            try:
                return (await read(reply, where=where)).json()
            except AnswerError as error:
                raise DcsError(str(error)) from error

    async def readings(
        self, url: URL, query: Mapping[str, str]
    ) -> AsyncGenerator[list[dict[str, Any]], None]:
        """Yield the elements of an answer with readings, many at a time.

        Raises:
            BodyLost: The answer broke off.
            WindowRefused: Perhaps the window is longer than the server likes.
            SourceRefused: The server does not give this source.
            SourceFailed: It does not give it this time.
            DcsError: The server is of no use.
        """
        where = f"GET {bare(url)}"
        self.asked = None
        async with self._transaction():
            self.asked = asyncio.get_running_loop().time()
            async with self._got(url, query) as reply:
                if reply.status != 200:
                    raise problem(reply.status, await self._said(reply, where), where=where)
                async with aclosing(elements(reply, where=where)) as found:
                    async for each in found:
                        yield each

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[None]:
        """Hold the server, when neither others nor its rate limit keep us from it."""
        while True:
            async with self._turns.turn(self._urgency):
                if not self._endpoint.pause:
                    yield
                    return
            await asyncio.sleep(self._endpoint.pause)

    @asynccontextmanager
    async def _got(
        self, url: URL, query: Mapping[str, str]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Give the answer to a request, asked again if the sign-in had expired."""
        needed = self._api.sign_in is not None
        if needed and not self._signed_in:
            await self._sign_in()
        reply = await self._send("GET", url, params=query)
        if needed and reply.status == 401:
            reply.close()
            await self._sign_in()
            reply = await self._send("GET", url, params=query)
        try:
            yield reply
        finally:
            reply.close()  # a body that was not read to its end takes its connection with it

    async def _send(self, method: str, url: URL, **how: Any) -> aiohttp.ClientResponse:
        """Send a request.

        Raises:
            LateAnswer: It did not begin in time.
            DcsError: There is no answer.
        """
        where = f"{method} {bare(url)}"
        try:
            reply = await ask(self._http, method, url, where=where, headers=JSON, **how)
        except AnswerLate as error:
            raise LateAnswer(str(error)) from error
        except AnswerError as error:
            raise DcsError(str(error)) from error
        self._endpoint.note(reply.status, reply.headers)
        return reply

    async def _said(self, reply: aiohttp.ClientResponse, where: str) -> str:
        """Return what an answer says that is not what was asked for, and heed it."""
        answer = await read_head(reply, where=where)
        self._endpoint.note(reply.status, reply.headers, answer.data)
        return told(answer)

    async def _sign_in(self) -> None:
        """Sign in; the session's jar keeps the cookie.

        Raises:
            DcsError: The server does not let us in.
        """
        url, username = self._api.sign_in, self._options.username
        if url is None:
            return
        self._signed_in = False
        self._may_be_in = True  # the server knows before we do
        account = {"username": username, "password": self._options.password}
        reply = await self._send("POST", url, json=account)
        where = f"POST {bare(url)}"
        try:
            if reply.status != 200:
                self._may_be_in = False
                got = await self._said(reply, where)
                raise DcsError(f"{where}: expected to be signed in as {username!r}, got {got}")
            answer = await read(reply, where=where)
            if not answer.text().lstrip().startswith("{"):
                raise answer.unexpected("JSON")
        except AnswerError as error:
            raise DcsError(str(error)) from error
        finally:
            reply.close()
        self._signed_in = True

    async def sign_out(self) -> None:
        """Sign out, if the server may have let us in; what goes wrong there no longer matters."""
        if not self._may_be_in:
            return
        with suppress(DcsError):
            async with self._turns.turn(Urgency.LEAVING):
                await self._leave()

    async def sign_out_quickly(self) -> None:
        """Sign out, but keep those who cancel us waiting for seconds at most.

        If another transaction will not end, ours is made beside it: it is tiny,
        and better than to leave a door open.
        """
        with suppress(DcsError, TimeoutError):
            async with asyncio.timeout(PATIENCE):
                with suppress(TimeoutError):
                    async with asyncio.timeout(TURN_PATIENCE):
                        await self.sign_out()
                        return
                await self._leave()

    async def _leave(self) -> None:
        with leaving():
            reply = await self._send("POST", self._api.sign_out)
        reply.close()
        self._signed_in = self._may_be_in = False


@asynccontextmanager
async def signing_out(session: Session) -> AsyncIterator[Session]:
    """Sign out at the end, whichever way it comes."""
    try:
        yield session
        await session.sign_out()
    except BaseException:
        await session.sign_out_quickly()
        raise


def problem(status: int, got: str, *, where: str) -> Exception:
    """Return what an answer without readings means, by its status."""
    if status == 400:
        kind = RangeTooLong if RANGE.search(got) else WindowRefused
        return kind(f"expected readings, got {got}")
    if status in {403, 404}:
        return SourceRefused(f"expected readings, got {got}")
    if status == 500:  # some answer so for a single value that is no number
        return SourceFailed(f"expected readings, got {got}")
    return DcsError(f"{where}: expected 200, got {got}")


def told(answer: Answer) -> str:
    """Return status and text of an answer, for people; its details if it has some."""
    found = {key.lower(): value for key, value in answer.object().items()}
    details = str(found["details"]).encode() if "details" in found else answer.data
    return f"{answer.status_line}: {beginning(details)}" if details else answer.status_line
