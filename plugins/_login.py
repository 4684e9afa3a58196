"""What the shipped plugins share to log in as people do: a form, then a cookie or a token.

    auth: {login: {url: …, form: {user: …, password: …}}}                       # a cookie
    auth: {login: {url: …, json: {user: …, password: …}, token: data.token}}    # a token
    auth: {login: {url: …, form: {…}, token_header: X-Auth-Token}}              # one in a header

Theory of operation. What a login brings belongs to the collector, not to a run: runs go on with
it (``Session``) until the source refuses it, and then log in once more for the request that was
refused. A name or a password that is refused is not sent again for a while, longer each time,
since accounts are locked by that; one that the operator has changed is another.

Imported by its full name, so that a copy of a plugin works in any folder.
"""

import asyncio
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from weakref import WeakKeyDictionary

import aiohttp
from yarl import URL

from ingestd.plugins._answers import Answer, AnswerError, ask, read, read_head
from ingestd.plugins._backoff import Backoff
from ingestd.plugins._loginoptions import PLACE, Login

# Laravel and IIS have statuses of their own for a session that is over.
ENDED: Final = frozenset({401, 419, 440})
FORBIDDEN: Final = 403
REFUSED: Final = frozenset({*ENDED, FORBIDDEN})
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
LIMIT: Final = 1024 * 1024  # bytes of an answer to a login
LONGEST_TOKEN: Final = 8192
BEARER: Final = "Bearer "
PAGES: Final = frozenset({"text/html", "application/xhtml+xml"})
PAGE: Final = re.compile(rb"\s*<(?:!doctype\s+html|html)\b", re.IGNORECASE)
# After a refusal: at most some dozens of tries in a day.
PAUSES: Final = Backoff(first=60.0, longest=1800.0)


class Session:
    """What the logins of one collector have brought.

    Args:
        names: Of the collector and of the login; ``ctx.shared`` tells sessions apart by them.

    Attributes:
        number: How many logins there were.
        open: Whether the newest of them is good.
        token: The newest token, or empty.
        cookies: The newest cookies.
        jars: Those that have cookies, and of which login.
        refusals: How many logins in a row were refused.
        closed_until: Before when there is no other, in Unix seconds.
        why: What the last refusal said.
    """

    def __init__(self, *_names: str) -> None:
        self.lock = asyncio.Lock()
        self.number = 0
        self.open = False
        self.token = ""
        self.cookies: Any = None
        self.jars: WeakKeyDictionary[Any, int] = WeakKeyDictionary()
        self.refusals = 0
        self.closed_until = 0.0
        self.why = ""

    def refuse(self, why: str, *, now: float) -> None:
        """Note that a login brought nothing."""
        self.open, self.token, self.cookies = False, "", None
        self.refusals += 1
        self.closed_until, self.why = now + PAUSES.pause(self.refusals), why


class LoggedIn:
    """Opens a source by what a login brings.

    Args:
        ctx: The run's context.
        login: The option.
    """

    def __init__(self, ctx: Any, login: Login) -> None:
        self._ctx, self._login = ctx, login
        self._session: Session = ctx.shared(Session, ctx.collector, login.key)

    async def ask(
        self, http: Any, method: str, url: URL, *, where: str, **options: Any
    ) -> aiohttp.ClientResponse:
        """Ask, and return the head of the answer.

        Raises:
            AnswerError: There is no answer, or the login is refused.
        """
        given = dict(options.pop("headers", {}))
        number, fresh = await self._entered(http, after=0)
        reply = await ask(http, method, url, where=where, headers=self._sent(given), **options)
        ended = await has_ended(reply, self._login)
        if ended and not fresh:
            async with reply:
                await read_head(reply, where=where)
            await self._entered(http, after=number)
            reply = await ask(http, method, url, where=where, headers=self._sent(given), **options)
            ended = await has_ended(reply, self._login)
        if ended and reply.status != FORBIDDEN:  # which is about what is asked, and not who asks
            async with reply:
                refused = (await read_head(reply, where=where)).hiding([self._session.token])
            why = f"{refused.unexpected('what it opens')}, also after a new login"
            self._session.refuse(why, now=self._now)
            raise AnswerError(why)
        if not ended:
            self._session.refusals = 0
        return reply

    @property
    def _now(self) -> float:
        now: datetime = self._ctx.now()
        return now.timestamp()

    def _sent(self, given: Mapping[str, str]) -> dict[str, str]:
        if not self._login.brings_token:
            return dict(given)
        name, text = self._login.header
        token = self._session.token
        if text.startswith(BEARER):
            token = token.removeprefix(BEARER)
        return {name: text.replace(PLACE, token), **given}

    async def _entered(self, http: Any, *, after: int) -> tuple[int, bool]:
        """Make sure of a login later than one; return its number, and whether it was made now.

        Raises:
            AnswerError: It is refused.
        """
        session = self._session
        async with session.lock:
            fresh = not session.open or session.number <= after
            if fresh:
                await self._log_in(http)
            if session.cookies is not None and session.jars.get(http.cookie_jar) != session.number:
                http.cookie_jar.update_cookies(session.cookies, self._login.url)
                session.jars[http.cookie_jar] = session.number
            return session.number, fresh

    async def _log_in(self, http: Any) -> None:
        login, session = self._login, self._session
        if session.closed_until > self._now:
            until = f"{datetime.fromtimestamp(session.closed_until, UTC):%F %T}Z"
            raise AnswerError(f"{login.where}: not tried again before {until}: {session.why}")
        where = f"{login.method} {login.url.with_query(None)} (login)"
        http.cookie_jar.clear_domain(login.url.host or "")
        reply = await ask(
            http,
            login.method,
            login.url,
            where=where,
            headers=login.headers,
            data=login.body,
            params=login.query or None,
        )
        async with reply:
            answer = (await read(reply, where=where, limit=LIMIT)).hiding(login.secrets)
        token = token_in(answer, login, reply.headers)
        problem = problem_of(answer, login, token=token, has_cookie=bool(reply.cookies))
        if problem:
            if answer.status < 500 and answer.status not in {408, 425, 429}:
                session.refuse(problem, now=self._now)
            raise AnswerError(problem)
        session.number += 1
        session.open, session.token, session.cookies = True, token, reply.cookies
        session.jars[http.cookie_jar] = session.number


async def has_ended(reply: aiohttp.ClientResponse, login: Login) -> bool:
    """Say whether an answer wants another login: by its status, what it says, or a login page."""
    if reply.status in REFUSED | REDIRECTS:
        return True
    if not 200 <= reply.status < 300:
        return False
    if login.expired is not None:
        return bool(login.expired(document_in(await reply.read())))
    # What is read is kept for who asked. A source that people log in to gives data and no pages.
    return reply.content_type in PAGES and PAGE.match(await reply.read()) is not None


def document_in(data: bytes) -> Any:
    """Return the JSON in a body, or else its text, as of a token alone."""
    text = data.decode(errors="replace").lstrip("\ufeff")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text.strip()


def token_in(answer: Answer, login: Login, headers: Mapping[str, str]) -> str:
    """Return the token in the answer to a login, or an empty text."""
    if not answer.good:
        return ""
    if login.token_header is not None:
        return headers.get(login.token_header, "")
    if login.token is None:
        return ""
    found = login.token(document_in(answer.data))
    usable = isinstance(found, str | int) and not isinstance(found, bool)
    text = str(found) if usable else ""
    return text if len(text) <= LONGEST_TOKEN and text.isprintable() else ""


def problem_of(answer: Answer, login: Login, *, token: str, has_cookie: bool) -> str:
    """Return what is wrong with the answer to a login, or an empty text.

    A cookie is no proof: pages that tell of a wrong password bring one, too. But then
    the source refuses the next request.
    """
    if login.brings_token and answer.good:  # not its body: there may be a token elsewhere
        name = "token" if login.token is not None else "token_header"
        return (
            "" if token else f"{answer.where}: {login.where}.{name}: expected one there, got none"
        )
    leads_back = answer.location.partition("?")[0] == str(login.url.with_query(None))
    came_in = answer.good or (answer.status in REDIRECTS and not leads_back)
    if not login.brings_token and came_in and has_cookie:
        return ""
    expected = "200" if login.brings_token else "a cookie"
    return str(answer.unexpected(expected, hint="look at the name, the password and their fields"))
