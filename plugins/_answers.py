"""What the shipped plugins share to ask vendors: an answer, or an error that says what came.

Imported by its full name, so that a copy of a plugin works in any folder.
"""

import asyncio
import re
from base64 import b64decode
from codecs import BOM_UTF8
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from http.cookies import SimpleCookie
from typing import Any, Final

import aiohttp
from yarl import URL

from ingestd.plugins._jsontext import read_json

CHUNK: Final = 64 * 1024
LARGEST: Final = 64 * 1024 * 1024
HEAD: Final = 2000  # bytes that are enough to tell people what came
MOST_SHOWN: Final = 200
SHORTEST: Final = 4  # letters of a secret that can be told from the text around it
UNAUTHORIZED: Final = 401
SCHEME: Final = re.compile(r"[A-Za-z][\w-]*")
# What aiohttp raises when there is no answer, or a part of one.
NO_ANSWER: Final = (aiohttp.ClientError, TimeoutError, ConnectionError)


class AnswerError(Exception):
    """A server gave something else than it was asked for, or nothing."""


class AnswerLate(AnswerError):
    """A server that was reached did not begin to answer in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server said.

    Attributes:
        where: The request, for people; without secrets.
        location: Where a redirect leads, for people, or an empty text.
        content_type: What the server says that the body is.
        charset: How the server says that the body is encoded, or None.
        data: The body.
        schemes: What may open it, if that is said, such as ``Digest``.
        secrets: What it was asked with and must not be shown, should the body repeat it.
    """

    where: str
    status: int
    reason: str
    location: str
    content_type: str
    charset: str | None
    data: bytes
    schemes: str = ""
    secrets: Sequence[str] = field(default=(), repr=False)

    @property
    def good(self) -> bool:
        """Whether the server did what it was asked for."""
        return 200 <= self.status < 300

    @property
    def status_line(self) -> str:
        """Status and reason, and where a redirect leads."""
        line = f"{self.status} {self.reason}".strip()
        if self.status == UNAUTHORIZED and self.schemes:
            line = f"{line}, which asks for {self.schemes}"
        return f"{line} to {self.location}" if self.location else line

    def hiding(self, secrets: Iterable[str]) -> "Answer":
        """Return it with more that must not be shown, such as what was sent in a body."""
        return replace(self, secrets=longest_first([*self.secrets, *secrets]))

    def text(self, encoding: str | None = None, *, errors: str = "replace") -> str:
        """Return the body as text, without a byte order mark, which says UTF-8 if there is one.

        Args:
            encoding: How it is encoded; None: as the server says, or else UTF-8.
            errors: What to do with bytes that mean nothing, as for ``bytes.decode``.
        """
        if self.data.startswith(BOM_UTF8):  # more than one where parts were put together
            return self.data.decode(errors=errors).lstrip("\ufeff")
        try:
            found = self.data.decode(encoding or self.charset or "utf-8", errors=errors)
        except LookupError:  # the server made the encoding up
            found = self.data.decode(errors=errors)
        return found.lstrip("\ufeff")

    def json(self) -> Any:
        """Return the JSON in the body; single values of it may be none (`read_json`).

        The content type is not asked: much JSON travels as plain text.

        Raises:
            AnswerError: It holds none.
        """
        try:
            return read_json(self.text(errors="strict"))
        except ValueError as error:
            raise self.unexpected("JSON", hint=str(error)) from None

    def object(self) -> dict[str, Any]:
        """Return the JSON object in the body; if it holds none, an empty one."""
        found = self._lenient()
        return found if isinstance(found, dict) else {}

    def list_at(self, *path: str) -> list[Any]:
        """Return a list in the body of a good answer, under a path of keys.

        Raises:
            AnswerError: It is not there.
        """
        found = self._lenient()
        for key in path:
            found = found.get(key) if isinstance(found, dict) else None
        if self.good and isinstance(found, list):
            return found
        raise self.unexpected(f"a list of {path[-1]}" if path else "a list")

    def _lenient(self) -> Any:
        """Return the JSON in the body, or None; a name with a broken letter costs no reading."""
        try:
            return read_json(self.text())
        except ValueError:
            return None

    def unexpected(self, expected: str = "200", *, hint: str = "") -> AnswerError:
        """Return the error that says what came instead."""
        shown = beginning(self.data, self.secrets)
        body = f"{self.content_type}: {shown}" if self.data else "an empty body"
        got = f"{self.status_line}: {body}"
        return AnswerError(f"{self.where}: expected {expected}, got {got}{hint and f' ({hint})'}")


async def fetch(
    http: Any, method: str, url: Any, *, where: str, limit: int = LARGEST, **options: Any
) -> Answer:
    """Ask, and return the whole answer, of any status.

    Args:
        http: The session.
        method: How.
        url: The address.
        where: The request, for people; without secrets.
        limit: How large the answer may be, in bytes.
        options: What aiohttp takes for a request.

    Raises:
        AnswerError: There is no whole answer.
    """
    async with await ask(http, method, url, where=where, **options) as reply:
        return await read(reply, where=where, limit=limit)


async def ask(
    http: Any, method: str, url: Any, *, where: str, **options: Any
) -> aiohttp.ClientResponse:
    """Ask, and return the head of the answer; the caller reads the body and closes it.

    Redirects are not followed: most lead to a login page, and the others would be
    handed the secrets that were meant for this server.

    Raises:
        AnswerLate: The server was reached, and there is no answer in time.
        AnswerError: There is no answer.
    """
    late = f"{where}: expected an answer in time, got none"
    try:
        reply: aiohttp.ClientResponse = await http.request(
            method, url, allow_redirects=False, **options
        )
    except aiohttp.ConnectionTimeoutError:
        raise AnswerError(late) from None
    except TimeoutError:
        raise AnswerLate(late) from None
    except NO_ANSWER as error:
        # Not raised from it: a traceback would show the address with its query.
        raise AnswerError(f"{where}: expected an answer, got none: {problem_of(error)}") from None
    return reply


async def read(
    reply: aiohttp.ClientResponse, *, where: str, limit: int = LARGEST, option: str = ""
) -> Answer:
    """Read the body of an answer.

    Args:
        reply: Its head.
        where: The request, for people; without secrets.
        limit: How large it may be, in bytes.
        option: The name of the option that says so, if it is one.

    Raises:
        AnswerError: It breaks off, or is larger.
    """
    data = bytearray()
    try:
        async for chunk in reply.content.iter_chunked(CHUNK):
            data += chunk
            if len(data) > limit:
                break
        # The session has read the body already if it looked there for how long to wait.
        data = data or bytearray(await reply.read())
    except TimeoutError:
        raise AnswerError(f"{where}: expected an answer in time, got none") from None
    except NO_ANSWER as error:
        raise AnswerError(f"{where}: the answer broke off: {problem_of(error)}") from None
    if len(data) > limit:
        named = f" ({option})" if option else ""
        raise AnswerError(f"{where}: expected at most {limit} bytes{named}, got more")
    return answer_of(reply, bytes(data), where=where)


async def read_head(reply: aiohttp.ClientResponse, *, where: str) -> Answer:
    """Read what is enough to tell people of an answer, also if it breaks off."""
    data = b""
    with suppress(*NO_ANSWER):
        data = await reply.content.read(HEAD) or (await reply.read())[:HEAD]
    return answer_of(reply, data, where=where)


def answer_of(reply: aiohttp.ClientResponse, data: bytes, *, where: str) -> Answer:
    """Put the head and the body of an answer together."""
    location = reply.headers.get("Location")
    return Answer(
        where=where,
        status=reply.status,
        reason=reply.reason or "",
        location="" if location is None else target(reply.url, location),
        content_type=reply.content_type,
        charset=reply.charset,
        data=data,
        schemes=", ".join(schemes_in(reply)),
        secrets=secrets_in(reply.request_info.headers),
    )


def schemes_in(reply: aiohttp.ClientResponse) -> list[str]:
    """Return what an answer says may open it, such as Basic or Digest."""
    lines = reply.headers.getall("WWW-Authenticate", [])
    found = [SCHEME.match(line) for line in lines]
    return list(dict.fromkeys(each[0] for each in found if each))


def secrets_in(headers: Mapping[str, str]) -> list[str]:
    """Return what opens a server in the headers of a request, the longest first."""
    kind, _, sent = headers.get("Authorization", "").partition(" ")
    found = [sent, *(morsel.value for morsel in SimpleCookie(headers.get("Cookie", "")).values())]
    if kind.lower() == "basic":
        with suppress(ValueError):
            found.append(b64decode(sent).decode().partition(":")[2])
    return longest_first(found)


def longest_first(secrets: Iterable[str]) -> list[str]:
    """Return the secrets that can be told from other text, so that none hides a part of another."""
    return sorted((each for each in secrets if len(each) >= SHORTEST), key=len, reverse=True)


def target(url: URL, location: str) -> str:
    """Return where a redirect from an address leads, for people."""
    try:
        return bare(url.join(URL(location)))
    except ValueError:
        return "an address that is none"


def bare(url: URL) -> str:
    """Return an address without the parts that may hold secrets."""
    plain = url.with_query(None).with_fragment(None)
    return str(plain.with_user(None) if plain.host else plain)


def problem_of(error: Exception) -> str:
    """Return what went wrong with a request, for people.

    Some errors of aiohttp hold the whole address, and with it what it may hold of secrets.
    """
    text = str(error)
    if isinstance(error, aiohttp.ClientResponseError):
        text = f"{error.status} {error.message}"
    elif isinstance(error, aiohttp.InvalidURL):
        text = ""
    text = " ".join(text.split())[:MOST_SHOWN]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


class Pace:
    """Lets the requests of one key pass one at a time, with pauses between them.

    Args:
        pause: How long, in seconds.
        key: Names the account that the pause protects; ``ctx.shared`` tells paces apart by it.
    """

    def __init__(self, pause: float, *_key: str) -> None:
        self._pause, self._lock = pause, asyncio.Lock()
        self._free_at = 0.0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait until a request may be made, and keep the others waiting until it is over."""
        loop = asyncio.get_running_loop()
        async with self._lock:
            await asyncio.sleep(max(0.0, self._free_at - loop.time()))
            try:
                yield
            finally:
                self._free_at = loop.time() + self._pause


def beginning(data: bytes, secrets: Sequence[str] = ()) -> str:
    """Return the beginning of a body, for people; without secrets that it may repeat."""
    text = data[:HEAD].decode(errors="replace")
    for each in secrets:
        text = text.replace(each, "***")
    return repr(" ".join(text.split())[:MOST_SHOWN])


def number_in(record: Any, key: str) -> float | None:
    """Return the number under a key, or None if there is none."""
    found = record.get(key) if isinstance(record, dict) else None
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    return found if abs(found) < float("inf") else None
