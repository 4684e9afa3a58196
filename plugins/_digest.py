"""What the shipped plugins share to open servers by name and password: Basic and Digest (RFC 7616).

The library computes the answer to a challenge; here is which challenge it gets, what is told
of one that it cannot answer, and that what is known of a server outlives a run: its nonce is
good for many requests, and one that was told that it wants Digest gets no password any more.

Imported by its full name, so that a copy of a plugin works in any folder.
"""

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import aiohttp
from yarl import URL

from ingestd.plugins._answers import AnswerError, ask, read_head

UNAUTHORIZED: Final = 401
HEADER: Final = "WWW-Authenticate"
CHALLENGE: Final = re.compile(r"(?:^|,)\s*(?=[A-Za-z][\w-]*(?:\s+[\w-]+\s*=|\s*(?:,|$)))")
DIGEST: Final = re.compile(r"digest\b", re.IGNORECASE)
ALGORITHM: Final = re.compile(r'\balgorithm\s*=\s*"?([\w-]+)', re.IGNORECASE)
# What the library can compute, the better ones first.
ALGORITHMS: Final = ("SHA-512", "SHA-256", "SHA-512-SESS", "SHA-256-SESS", "MD5", "MD5-SESS")


@dataclass(slots=True)
class Draft:
    """A request as the library looks at one."""

    method: str
    url: URL
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Seen:
    """An answer as the library looks at one, with the challenge that it is to meet."""

    status: int
    headers: Mapping[str, str]
    url: URL
    reply: aiohttp.ClientResponse


class Known:
    """What is known of a server that a collector opens.

    Attributes:
        wants_digest: Whether it has asked for Digest.
        digest: What answers its challenges, and counts them.
    """

    def __init__(self, username: str, password: str, *_names: str) -> None:
        self.wants_digest = False
        self.digest = aiohttp.DigestAuthMiddleware(username, password)


class Password:
    """Opens servers by name and password.

    Args:
        ctx: The run's context.
        username: The name.
        password: The password.
        digest: Whether by Digest; None: if the server asks for it.
    """

    def __init__(self, ctx: Any, username: str, password: str, *, digest: bool | None) -> None:
        self._ctx, self._pair, self._digest = ctx, (username, password), digest

    async def ask(
        self, http: Any, method: str, url: URL, *, where: str, **options: Any
    ) -> aiohttp.ClientResponse:
        """Ask, and return the head of the answer.

        Raises:
            AnswerError: There is no answer.
        """
        names = (self._ctx.collector, str(url.origin()))
        known: Known = self._ctx.shared(Known, *self._pair, *names)
        if self._digest or (known.wants_digest and self._digest is None):
            return await self._digested(known, http, method, url, where=where, **options)
        headers = {**basic(*self._pair), **options.pop("headers", {})}
        reply = await ask(http, method, url, where=where, headers=headers, **options)
        if self._digest is not None or not asks_for_digest(reply):
            return reply
        known.wants_digest = True
        options["headers"] = headers
        return await self._digested(known, http, method, url, where=where, first=reply, **options)

    async def _digested(
        self,
        known: Known,
        http: Any,
        method: str,
        url: URL,
        *,
        where: str,
        first: aiohttp.ClientResponse | None = None,
        **options: Any,
    ) -> aiohttp.ClientResponse:
        """Ask, and answer the challenge if one comes, or that of a first answer.

        The server may find a nonce too old, and send another challenge.
        """
        headers, body = dict(options.pop("headers", {})), options.get("data") or b""
        draft = Draft(method, url.extend_query(options.pop("params", None) or {}), headers, body)
        replies = [] if first is None else [first]

        async def send(request: Any) -> Any:
            nonlocal first
            if first is None:
                for reply in replies[-1:]:
                    async with reply:
                        await read_head(reply, where=where)
                sent = dict(request.headers)
                replies.append(
                    await ask(http, method, draft.url, where=where, headers=sent, **options)
                )
            first, reply = None, replies[-1]
            return Seen(reply.status, {"www-authenticate": challenge_of(reply)}, reply.url, reply)

        try:
            seen = await known.digest(cast("Any", draft), send)
        except aiohttp.ClientError as error:
            replies[-1].close()
            raise AnswerError(f"{where}: cannot answer the server's challenge: {error}") from None
        return cast("Seen", seen).reply


def basic(username: str, password: str) -> dict[str, str]:
    """Return the header that opens a server in the plain way."""
    return {"Authorization": f"Basic {b64encode(f'{username}:{password}'.encode()).decode()}"}


def asks_for_digest(reply: aiohttp.ClientResponse) -> bool:
    """Say whether an answer refuses what it was asked with, and wants Digest."""
    return reply.status == UNAUTHORIZED and any(map(DIGEST.match, challenges(reply)))


def challenges(reply: aiohttp.ClientResponse) -> list[str]:
    """Return what an answer says may open it, such as ``Digest realm="…", …``, one text each."""
    lines = reply.headers.getall(HEADER, [])
    return [each.strip(" ,") for line in lines for each in CHALLENGE.split(line) if each.strip()]


def challenge_of(reply: aiohttp.ClientResponse) -> str:
    """Return the best challenge of an answer that can be met, or the first there is."""
    found = [each for each in challenges(reply) if DIGEST.match(each)]
    ranked = [each for each in found if algorithm_of(each) in ALGORITHMS]
    best = sorted(ranked, key=lambda each: ALGORITHMS.index(algorithm_of(each)))
    return next(iter([*best, *found]), "")


def algorithm_of(challenge: str) -> str:
    """Return what a challenge is to be computed with."""
    found = ALGORITHM.search(challenge)
    return found[1].upper() if found else "MD5"
