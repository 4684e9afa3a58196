"""What the shipped plugins share to keep OAuth tokens, which work once: to lose one costs a visit.

Theory of operation. A server that rotates tokens answers each renewal with a new
refresh token and forgets the old one. The new one is in no other place than that
answer, so from there on nothing may go wrong:

* it is handed over by ``ctx.keep_hidden`` in the moment in which it comes, so that it
  waits for no readings on its way to the disk;
* the request goes on when the run that made it is cancelled, such as at the end of the
  grace of a daemon that stops; one that is stopping begins none;
* runs of one collector beside each other, such as a backfill, take turns, and one that
  comes late finds the tokens renewed (``Keyring``);
* the first grant, a code or a token from the operator, is asked to be deleted together
  with that, so it is not spent twice.

What is left is a process that is killed between the question and the disk, and a server
that takes longer for its answer than a daemon that has to stop can wait (``PATIENCE``).
Imported by its full name, so that a copy of a plugin works in any folder.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final

from ingestd.plugins._answers import Answer, AnswerError, number_in

Result = dict[str, Any]
Exchange = Callable[[Mapping[str, str]], Awaitable[Answer]]

LIFETIME: Final = 3600.0  # seconds that an access token lives if its server does not say
MARGIN: Final = 60.0  # seconds before its end in which it is not begun with
PATIENCE: Final = 5.0  # seconds for an answer that a cancelled run has asked for


class TokenExpired(Exception):
    """A server wants a newer access token; the message is what it said."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """What one answer of a token server brought.

    Attributes:
        expires: When the access token ends, in Unix seconds.
        issued: When the answer came, in Unix seconds.
    """

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    expires: float
    issued: float


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
    """

    def __init__(
        self,
        ctx: Any,
        exchange: Exchange,
        *,
        client: str,
        stored: Any,
        grants: Mapping[str, Grant],
    ) -> None:
        self._ctx, self._exchange = ctx, exchange
        self._keyring: Keyring = ctx.shared(Keyring, ctx.collector, client)
        self._grants = grants
        self._given = {name: each.value for name, each in grants.items() if each.value is not None}
        self._on_disk = tokens_in(stored)
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
            if value not in self._keyring.spent:
                await self._renewed(self._grants[name].asked, spending=value)
                return
        if self._tokens.expires - MARGIN <= self._ctx.now().timestamp():
            await self.renewed()
        elif self._given or self._tokens != self._on_disk:
            self._keep()

    async def renewed(self) -> None:
        """Get newer tokens.

        Raises:
            AnswerError: The server gives none.
        """
        await self._renewed(refreshing(self._tokens.refresh))

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
        refresh = grant.get("refresh_token", "")
        self._newest = tokens_of(answer, refresh=refresh, now=self._ctx.now())
        self._keyring.newest = self._newest
        if spending is not None:
            self._keyring.spent.add(spending)
        self._keep()

    def _keep(self) -> None:
        # What an import from elsewhere left in `hidden` under the name of a grant is spent, too.
        kept = {"tokens": asdict(self._tokens), **dict.fromkeys(self._given)}
        self._ctx.keep_hidden(kept, delete_params=self._given)

    @property
    def _tokens(self) -> Tokens:
        if self._newest is None:
            names = " or ".join(self._grants)
            raise AnswerError(f"{names}: expected for the first authorization, got neither")
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


def tokens_of(answer: Answer, *, refresh: str, now: datetime) -> Tokens:
    """Return what a token server gave.

    Nothing but a missing access token is an error here: whichever other part of the
    answer is odd, the token in it is the only one that works.

    Args:
        answer: What it said.
        refresh: The refresh token that goes on if the server gives no other.
        now: When it said so.

    Raises:
        AnswerError: It gave none.
    """
    found = answer.object() if answer.good else {}
    access, new = found.get("access_token"), found.get("refresh_token")
    refresh = new if isinstance(new, str) and new else refresh
    if not isinstance(access, str) or not access or not refresh:
        raise refusal(answer)
    lifetime = number_in(found, "expires_in") or LIFETIME
    issued = now.timestamp()
    return Tokens(access, refresh, issued + lifetime, issued)


def refusal(answer: Answer) -> AnswerError:
    """Return the error for an answer without tokens; never shows what it holds of them."""
    if answer.good:
        return AnswerError(f"{answer.where}: expected tokens, got {answer.content_type} without")
    said = answer.object()
    if said.get("error") == "invalid_grant":
        return answer.unexpected(hint="the account has to be authorized again")
    return answer.unexpected()


def tokens_in(stored: Any) -> Tokens | None:
    """Return the tokens that a run before has left, or None."""
    if not isinstance(stored, Mapping):
        return None
    access, refresh = stored.get("access"), stored.get("refresh")
    if not isinstance(access, str) or not isinstance(refresh, str):
        return None
    expires, issued = number_in(stored, "expires"), number_in(stored, "issued")
    return Tokens(access, refresh, expires or 0.0, issued or 0.0)


def newer(one: Tokens | None, other: Tokens | None) -> Tokens | None:
    """Return whichever was issued later."""
    if one is None or other is None:
        return one or other
    return one if one.issued > other.issued else other
