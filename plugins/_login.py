"""What the shipped plugins share to log in as people do: a form, then a cookie or a token.

    auth: {login: {url: …, form: {user: …, password: …}}}                       # a cookie
    auth: {login: {url: …, json: {user: …, password: …}, token: data.token}}    # a token

Theory of operation. What a login brings belongs to the collector, not to a run: runs go on with
it (``Session``) until the source refuses it, and then log in once more for the request that was
refused. A name or a password that is refused is not sent again for a while, longer each time,
since accounts are locked by that; one that the operator has changed is another.

Imported by its full name, so that a copy of a plugin works in any folder.
"""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from weakref import WeakKeyDictionary

import aiohttp
from yarl import URL

from ingestd.plugins._answers import Answer, AnswerError, ask, read, read_head
from ingestd.plugins._backoff import Backoff
from ingestd.plugins._fields import Path, compile_path
from ingestd.plugins._options import choice_in, keys_of, text_in, texts_in
from ingestd.plugins._params import http_url
from ingestd.plugins._problems import Gathering
from ingestd.plugins._tokens import mark

KNOWN: Final = ("url", "method", "form", "json", "headers", "token", "header")
REFUSED: Final = frozenset({401, 403})
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
LIMIT: Final = 1024 * 1024  # bytes of an answer to a login
HEADER: Final = "Authorization: Bearer {token}"
PLACE: Final = "{token}"
# After a refusal: at most some dozens of tries in a day.
PAUSES: Final = Backoff(first=60.0, longest=1800.0)


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class Login:
    """The ``login`` option; never shown, because of what it holds.

    Attributes:
        where: The option's name.
        headers: What travels beside the fields.
        body: The fields as they travel.
        secrets: What stands in them.
        token: Finds the token in an answer; None: there is a cookie.
        header: The name of the header that the token travels in, and what stands there.
    """

    where: str
    url: URL
    method: str
    headers: Mapping[str, str]
    body: bytes | Mapping[str, str]
    secrets: Sequence[str]
    token: Path | None
    header: tuple[str, str]

    @property
    def key(self) -> str:
        """What tells it from others, without telling it."""
        said = (self.method, str(self.url), self.headers, self.body, self.header)
        return mark(repr(said))


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
        if reply.status not in REFUSED | REDIRECTS:
            self._session.refusals = 0
            return reply
        if not fresh:
            async with reply:
                await read_head(reply, where=where)
            await self._entered(http, after=number)
            reply = await ask(http, method, url, where=where, headers=self._sent(given), **options)
        if reply.status == 401 or reply.status in REDIRECTS:
            async with reply:
                refused = await read_head(reply, where=where)
            why = f"{refused.unexpected()}, also after a new login"
            self._session.refuse(why, now=self._now)
            raise AnswerError(why)
        return reply

    @property
    def _now(self) -> float:
        now: datetime = self._ctx.now()
        return now.timestamp()

    def _sent(self, given: Mapping[str, str]) -> dict[str, str]:
        if self._login.token is None:
            return dict(given)
        name, text = self._login.header
        return {name: text.replace(PLACE, self._session.token), **given}

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
            http, login.method, login.url, where=where, headers=login.headers, data=login.body
        )
        async with reply:
            answer = (await read(reply, where=where, limit=LIMIT)).hiding(login.secrets)
        token = token_in(answer, login)
        problem = problem_of(answer, login, token=token, has_cookie=bool(reply.cookies))
        if problem:
            if answer.status < 500 and answer.status not in {408, 425, 429}:
                session.refuse(problem, now=self._now)
            raise AnswerError(problem)
        session.number += 1
        session.open, session.token, session.cookies = True, token, reply.cookies
        session.jars[http.cookie_jar] = session.number


def token_in(answer: Answer, login: Login) -> str:
    """Return the token in the answer to a login, or an empty text."""
    if login.token is None or not answer.good:
        return ""
    found = login.token(answer.object())
    return str(found) if isinstance(found, str | int) and not isinstance(found, bool) else ""


def problem_of(answer: Answer, login: Login, *, token: str, has_cookie: bool) -> str:
    """Return what is wrong with the answer to a login, or an empty text.

    A cookie is no proof: pages that tell of a wrong password bring one, too. But then
    the source refuses the next request.
    """
    if login.token is not None and answer.good:  # not its body: there may be a token elsewhere
        return "" if token else f"{answer.where}: {login.where}.token: expected one there, got none"
    leads_back = answer.location.partition("?")[0] == str(login.url.with_query(None))
    came_in = answer.good or (answer.status in REDIRECTS and not leads_back)
    if login.token is None and came_in and has_cookie:
        return ""
    expected = "200" if login.token is not None else "a cookie"
    return str(answer.unexpected(expected, hint="look at the name, the password and their fields"))


def login_of(given: Any, where: str) -> Login:
    """Read the ``login`` option.

    Raises:
        ValueError: Says what is wrong with it.
    """
    with Gathering() as wrong:
        options = keys_of(given, where, known=KNOWN, wrong=wrong)
        url = wrong.read(lambda: http_url(text_in(options, "url", where), f"{where}.url"))
        fields = wrong.read(lambda: fields_in(options, where))
        method = wrong.read(lambda: method_in(options, where))
        more = wrong.read(lambda: texts_in(options, "headers", where))
        token = wrong.read(lambda: token_path(options, where))
        header = wrong.read(lambda: header_in(options, where))
    headers, body = fields
    return Login(
        where=where,
        url=URL(url),
        method=method,
        headers={**headers, **more},
        body=body,
        secrets=list(texts_in_all(options.get("form", options.get("json")))),
        token=token,
        header=header,
    )


def method_in(options: Mapping[str, Any], where: str) -> str:
    """Return the method of the request.

    Raises:
        ValueError: There is none of that name.
    """
    return choice_in(options, "method", where, among=("POST", "PUT", "GET"), default="POST")


def token_path(options: Mapping[str, Any], where: str) -> Path | None:
    """Return what finds the token in an answer, or None if a login brings a cookie.

    Raises:
        ValueError: It is no path.
    """
    if "token" not in options:
        return None
    return compile_path(text_in(options, "token", where), where=f"{where}.token")


def fields_in(
    options: Mapping[str, Any], where: str
) -> tuple[dict[str, str], bytes | dict[str, str]]:
    """Return the fields as they travel, with the headers that say how.

    Raises:
        ValueError: They are no mapping, or there are none, or two.
    """
    if len({"form", "json"} & set(options)) != 1:
        raise ValueError(
            f"{where}: expected the fields in `form` or in `json`, got neither or both"
        )
    accept = {"Accept": "application/json, */*;q=0.5"}
    if "form" in options:
        return accept, texts_in(options, "form", where)
    if not isinstance(options["json"], Mapping):
        raise ValueError(f"{where}.json: expected a mapping")  # noqa: TRY004 -- the operator's
    body = json.dumps(options["json"], default=str).encode()
    return {**accept, "Content-Type": "application/json"}, body


def texts_in_all(fields: Any) -> Iterator[str]:
    """Yield the texts in fields, at any depth."""
    if isinstance(fields, Mapping):
        for each in fields.values():
            yield from texts_in_all(each)
    elif isinstance(fields, list):
        for each in fields:
            yield from texts_in_all(each)
    elif isinstance(fields, str):
        yield fields


def header_in(options: Mapping[str, Any], where: str) -> tuple[str, str]:
    """Return the name of the header that the token travels in, and what stands there.

    Raises:
        ValueError: There is no place for it, or nothing to stand there.
    """
    if "header" in options and "token" not in options:
        raise ValueError(f"{where}.header: expected `token` beside it, to know what stands there")
    text = text_in(options, "header", where, default=HEADER)
    name, colon, value = (part.strip() for part in text.partition(":"))
    if not name or not colon or PLACE not in value:
        raise ValueError(f"{where}.header: expected a text such as {HEADER!r}, with {PLACE} in it")
    return name, value
