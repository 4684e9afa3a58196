"""What the shipped plugins share to keep OAuth tokens, which work once: to lose one costs a visit.

Theory of operation. A server that rotates tokens answers each renewal with a new
refresh token and forgets the old one. The new one is in no other place than that
answer, so from there on nothing may go wrong:

* it is handed over by ``ctx.keep_hidden`` in the moment in which it comes, so that it
  waits for no readings on its way to the disk, and is there before it is used;
* the request goes on when the run that made it is cancelled, such as at the end of the
  grace of a daemon that stops; one that is stopping begins none;
* runs of one collector beside each other, such as a backfill, take turns, and one that
  comes late finds the tokens renewed (``Keyring``);
* the first grant, a code or a token from the operator, is asked to be deleted together
  with that, so it is not spent twice; tokens also say which one they came from, because
  one that stands within another param cannot be deleted.

Where a client has a secret of its own (client credentials), there is nothing to lose: such
tokens are asked for anew whenever there are none, and are not kept.

What is left is a process that is killed between the question and the disk, and a server
that takes longer for its answer than a daemon that has to stop can wait (``PATIENCE``).
Imported by its full name, so that a copy of a plugin works in any folder.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from ingestd.plugins._answers import Answer, AnswerError, number_in

Result = dict[str, Any]
Exchange = Callable[[Mapping[str, str]], Awaitable[Answer]]

LIFETIME: Final = 3600.0  # seconds that an access token lives if its server does not say
MARGIN: Final = 60.0  # seconds before its end in which it is not begun with, at most
SHORT: Final = 0.1  # of a life, for a token that lives for minutes
PATIENCE: Final = 5.0  # seconds for an answer that a cancelled run has asked for, and for a disk
LONGEST_NUMBER: Final = 12
HINTS: Final = {
    "invalid_grant": "the account has to be authorized again",
    "invalid_client": "look at the client's id and secret, and how they are sent",
    "unauthorized_client": "the server does not let this client have tokens in this way",
    "unsupported_grant_type": "the server does not give tokens in this way",
    "invalid_scope": "the server does not know this scope, or not for this client",
}


class TokenExpired(Exception):
    """A server wants a newer access token; the message is what it said."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """What one answer of a token server brought.

    Attributes:
        expires: When the access token ends, in Unix seconds.
        issued: When the answer came, in Unix seconds.
        client: The mark of the application that they are for, or an empty text.
        origin: The mark of the first grant that they come from, or an empty text.
    """

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    expires: float
    issued: float
    client: str = ""
    origin: str = ""

    def is_old(self, now: float) -> bool:
        """Say whether the access token has ended, or is so near to it that it may on its way."""
        return self.expires - min(MARGIN, SHORT * (self.expires - self.issued)) <= now


class Keyring:
    """The newest tokens of one collector in this process, and whose turn it is to renew them.

    Args:
        names: Of collector and application; ``ctx.shared`` tells keyrings apart by them.
    """

    def __init__(self, *_names: str) -> None:
        self.newest: Tokens | None = None
        self.spent: set[str] = set()
        self.lock = asyncio.Lock()


@dataclass(frozen=True, slots=True)
class Grant:
    """Something that a token server takes once for the first tokens.

    Attributes:
        value: What the operator wrote, or None.
        asked: How it travels.
    """

    value: str | None = field(repr=False)
    asked: Mapping[str, str] = field(repr=False)


def first_grants(
    *, code: str | None, by_code: Mapping[str, str], refresh_token: str | None
) -> dict[str, Grant]:
    """Return the two ways into an account that a vendor knows, by the names of their params.

    Args:
        code: The authorization code that the operator wrote, or None.
        by_code: What travels with it.
        refresh_token: The refresh token that the operator wrote, or None.
    """
    return {
        "code": Grant(code, {**by_code, "code": code or ""}),
        "refresh_token": Grant(refresh_token, refreshing(refresh_token or "")),
    }


def refreshing(token: str) -> dict[str, str]:
    """Return how a refresh token travels."""
    return {"grant_type": "refresh_token", "refresh_token": token}


class Account:
    """One run's way into an account.

    Args:
        ctx: The run's context.
        exchange: Asks the token server; given the grant as it travels.
        client: The name of the application, which no token outlives.
        stored: The tokens of the runs before, from `hidden`.
        grants: Param name -> what is taken once, in this order.
        lasting: What is taken as often as it is sent, as it travels; tokens from it are not kept.
        missing: What an operator has to do if there is nothing to begin with.
    """

    def __init__(
        self,
        ctx: Any,
        exchange: Exchange,
        *,
        client: str,
        stored: Any,
        grants: Mapping[str, Grant],
        lasting: Mapping[str, str] | None = None,
        missing: str = "",
    ) -> None:
        self._ctx, self._exchange, self._client = ctx, exchange, mark(client)
        self._keyring: Keyring = ctx.shared(Keyring, ctx.collector, client)
        self._grants, self._lasting, self._missing = grants, lasting, missing
        self._given = {name: each.value for name, each in grants.items() if each.value is not None}
        self._on_disk = tokens_in(stored, client=self._client)
        self._newest = self._keyring.newest = newer(self._on_disk, self._keyring.newest)

    @property
    def header(self) -> dict[str, str]:
        """The header that opens the account.

        Raises:
            AnswerError: There is nothing to open it with.
        """
        return {"Authorization": f"Bearer {self._tokens.access}"}

    async def opened(self) -> None:
        """Make sure of an access token.

        Raises:
            AnswerError: The account does not open.
        """
        for name, value in self._given.items():
            if not self._is_spent(value):
                await self._renewed(self._grants[name].asked, spending=value)
                return
        must_begin = self._lasting is not None and self._newest is None
        if must_begin or self._tokens.is_old(self._ctx.now().timestamp()):
            await self.renewed()
        elif self._deleted or self._tokens != self._on_disk:
            self._keep()

    async def renewed(self) -> None:
        """Get newer tokens.

        Raises:
            AnswerError: The server gives none.
        """
        await self._renewed(self._lasting or refreshing(self._tokens.refresh))

    def _is_spent(self, grant: str) -> bool:
        newest = self._newest
        return grant in self._keyring.spent or (newest is not None and newest.origin == mark(grant))

    @property
    def _deleted(self) -> list[str]:
        """The grants that the daemon can delete: params, and not what stands within one."""
        return [name for name in self._given if name.isidentifier()]

    async def _renewed(self, grant: Mapping[str, str], *, spending: str | None = None) -> None:
        keyring = self._keyring
        async with keyring.lock:
            done = spending in keyring.spent or (
                spending is None and keyring.newest not in (None, self._newest)
            )
            if not done:
                if self._ctx.stopping:
                    raise AnswerError("tokens are not renewed while the daemon is stopping")
                await to_its_end(self._ask(grant, spending))
            self._newest = keyring.newest

    async def _ask(self, grant: Mapping[str, str], spending: str | None) -> None:
        answer = await self._exchange(grant)
        found = tokens_of(
            answer,
            refresh=grant.get("refresh_token", ""),
            now=self._ctx.now(),
            needs_refresh=self._lasting is None,
        )
        origin = self._newest.origin if spending is None and self._newest is not None else ""
        origin = origin if spending is None else mark(spending)
        self._newest = replace(found, client=self._client, origin=origin)
        self._keyring.newest = self._newest
        if spending is not None:
            self._keyring.spent.add(spending)
        if (kept := self._keep()) is not None:
            # Some servers let the old refresh token work until the new access token is used.
            with suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    await kept

    def _keep(self) -> Any:
        if self._lasting is not None:
            return None
        # What an import from elsewhere left in `hidden` under the name of a grant is spent, too.
        kept = {"tokens": asdict(self._tokens), **dict.fromkeys(self._deleted)}
        self._on_disk = self._tokens
        return self._ctx.keep_hidden(kept, delete_params=self._deleted)

    @property
    def _tokens(self) -> Tokens:
        if self._newest is None:
            names = " or ".join(self._grants)
            missing = f"{names}: expected for the first authorization, got neither"
            raise AnswerError(self._missing or missing)
        return self._newest


async def signed_in(
    account: Account, work: Callable[[], AsyncGenerator[Result, None]]
) -> AsyncIterator[Result]:
    """Yield the results of work, with the tokens it needs.

    Work that meets an expired token is begun again with a newer one, once; it has
    to go on where it was.

    Raises:
        AnswerError: The account does not open.
    """
    await account.opened()
    for may_renew in (True, False):
        try:
            async with aclosing(work()) as results:
                async for result in results:
                    yield result
        except TokenExpired as refused:
            if not may_renew:
                raise AnswerError(f"{refused}, also with a new token") from None
        else:
            return
        await account.renewed()


async def to_its_end(asking: Awaitable[None]) -> None:
    """Wait for something that must not be cut off; when cancelled, a little longer."""
    task = asyncio.ensure_future(asking)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=PATIENCE)
        if not task.cancel() and not task.cancelled():
            task.exception()  # no caller is left to tell
        raise


def tokens_of(answer: Answer, *, refresh: str, now: datetime, needs_refresh: bool = True) -> Tokens:
    """Return what a token server gave.

    Nothing but a missing access token is an error here: whichever other part of the
    answer is odd, the token in it is the only one that works.

    Args:
        answer: What it said.
        refresh: The refresh token that goes on if the server gives no other.
        now: When it said so.
        needs_refresh: Whether an answer without a refresh token is none.

    Raises:
        AnswerError: It gave none.
    """
    found = answer.object() if answer.good else {}
    access, new = found.get("access_token"), found.get("refresh_token")
    refresh = new if isinstance(new, str) and new else refresh
    if not isinstance(access, str) or not access or (needs_refresh and not refresh):
        raise refusal(answer)
    lifetime = lifetime_in(found)
    issued = now.timestamp()
    return Tokens(access, refresh, issued + lifetime, issued)


def lifetime_in(found: Mapping[str, Any]) -> float:
    """Return how long an access token lives, in seconds; some servers write that as a text."""
    said = found.get("expires_in")
    if isinstance(said, str) and said.isdecimal() and len(said) < LONGEST_NUMBER:
        return float(said) or LIFETIME
    return number_in(found, "expires_in") or LIFETIME


def refusal(answer: Answer) -> AnswerError:
    """Return the error for an answer without tokens; never shows what it holds of them."""
    said = answer.object()
    if answer.good and "error" not in said:
        lacks = "access token" if "access_token" not in said else "refresh token"
        return AnswerError(
            f"{answer.where}: expected tokens, got {answer.content_type} without: no {lacks}"
        )
    error = said.get("error")
    return answer.unexpected(hint=HINTS.get(error, "") if isinstance(error, str) else "")


def tokens_in(stored: Any, *, client: str = "") -> Tokens | None:
    """Return the tokens that a run before has left, or None.

    Args:
        stored: What it has left.
        client: The mark of the application; tokens that bear another are none.
    """
    if not isinstance(stored, Mapping):
        return None
    access, refresh = stored.get("access"), stored.get("refresh")
    if not isinstance(access, str) or not isinstance(refresh, str):
        return None
    if stored.get("client", client) != client:
        return None
    expires, issued = number_in(stored, "expires"), number_in(stored, "issued")
    origin = str(stored.get("origin", ""))
    return Tokens(access, refresh, expires or 0.0, issued or 0.0, client, origin)


def mark(text: str) -> str:
    """Return what tells a secret from others without telling it."""
    return sha256(text.encode(errors="replace")).hexdigest()[:16]


def newer(one: Tokens | None, other: Tokens | None) -> Tokens | None:
    """Return whichever was issued later."""
    if one is None or other is None:
        return one or other
    return one if one.issued > other.issued else other
