"""What the shipped plugins share to open accounts by OAuth 2, where that needs no browser here.

    auth: {oauth2: {token_url: …, client_id: …, client_secret: …}}     # client credentials
    auth: {oauth2: {token_url: …, client_id: …, refresh_token: …}}     # one from elsewhere
    auth: {oauth2: {token_url: …, client_id: …, device_url: …}}        # a person allows it once

How tokens are kept and renewed is in `_tokens`. Imported by its full name, so that a copy of a
plugin works in any folder.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, Final
from urllib.parse import quote

import aiohttp
from yarl import URL

from ingestd.plugins._answers import Answer, AnswerError, ask, fetch, number_in, read_head
from ingestd.plugins._digest import basic
from ingestd.plugins._options import choice_in, keys_of, text_in, texts_in
from ingestd.plugins._params import http_url
from ingestd.plugins._problems import Gathering
from ingestd.plugins._tokens import HINTS, Account, Grant, mark, refreshing, refusal, tokens_of

UNAUTHORIZED: Final = 401
DEVICE_CODE: Final = "urn:ietf:params:oauth:grant-type:device_code"
KNOWN: Final = (
    "token_url", "client_id", "client_secret", "client_auth", "refresh_token", "device_url",
    "scope", "audience", "extra",
)  # fmt: skip
INTERVAL: Final = 5.0  # seconds between two questions whether a person has allowed it
SLOWER: Final = 5.0  # seconds more if the server finds that too often
PATIENCE: Final = 1800.0  # seconds that a person has if the server does not say

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class OAuth2:
    """The ``oauth2`` option; never shown, because of what it holds.

    Attributes:
        where: The option's name.
        in_body: Whether the client's secret travels in the body, not in the header.
        secret: The client's, or empty for a public client.
        refresh_token: The one from elsewhere, or None.
        device_url: Where a device asks for a code, or None.
        asked: What is asked for: scope, audience and the like, as they travel.
    """

    where: str
    token_url: str
    client_id: str
    secret: str
    in_body: bool
    refresh_token: str | None
    device_url: str | None
    asked: Mapping[str, str]

    @property
    def client(self) -> str:
        """What tokens are for; others need others."""
        kind = "device" if self.device_url else "refresh" if self.refresh_token else "client"
        return " ".join([kind, self.token_url, self.client_id, *sorted(self.asked.values())])

    async def post(self, http: Any, url: str, form: Mapping[str, str]) -> Answer:
        """Ask the token server, as this client; return what it says.

        Raises:
            AnswerError: There is no answer.
        """
        kind = form.get("grant_type", "").rpartition(":")[2]
        where = f"POST {url}{kind and f' ({kind})'}"
        headers = {"Accept": "application/json"}
        if self.secret and not self.in_body:
            headers |= basic(quote(self.client_id, safe=""), quote(self.secret, safe=""))
        else:
            secret = {"client_secret": self.secret} if self.secret else {}
            form = {**form, "client_id": self.client_id, **secret}
        answer = await fetch(http, "POST", url, where=where, data=form, headers=headers)
        kept = ("refresh_token", "device_code")
        return answer.hiding([self.secret, *(form[each] for each in kept if each in form)])

    def account(self, ctx: Any, tokens: Any) -> Account:
        """Return a run's way into the account.

        Args:
            ctx: The run's context.
            tokens: Those of the runs before.
        """

        async def exchange(grant: Mapping[str, str]) -> Answer:
            return await self.post(ctx.http, self.token_url, grant)

        given = self.refresh_token
        lasting = self.device_url is None and given is None
        return Account(
            ctx,
            exchange,
            client=self.client,
            stored=tokens,
            grants={f"{self.where}.refresh_token": Grant(given, refreshing(given))}
            if given
            else {},
            lasting={"grant_type": "client_credentials", **self.asked} if lasting else None,
            missing=f"{self.where}: expected to be authorized once by a person: "
            f"ingestd authorize {ctx.collector}",
        )


def oauth2_of(given: Any, where: str) -> OAuth2:
    """Read the ``oauth2`` option.

    Raises:
        ValueError: Says what is wrong with it.
    """
    with Gathering() as wrong:
        options = keys_of(given, where, known=KNOWN, wrong=wrong)
        for name in ("token_url", "client_id"):
            wrong.read(partial(text_in, options, name, where))
        for name in ("client_secret", "refresh_token", "device_url", "audience"):
            if name in options:
                wrong.read(partial(text_in, options, name, where))
        wrong.read(lambda: check_kind(options, where))
        for name in ("token_url", "device_url"):
            if isinstance(options.get(name), str) and options[name]:
                options[name] = wrong.read(partial(http_url, options[name], f"{where}.{name}"))
        place = wrong.read(lambda: client_auth_in(options, where))
        scope = wrong.read(lambda: scope_in(options, where))
        extra = wrong.read(lambda: texts_in(options, "extra", where))
    audience = {"audience": options["audience"]} if "audience" in options else {}
    return OAuth2(
        where=where,
        token_url=options["token_url"],
        client_id=options["client_id"],
        secret=options.get("client_secret", ""),
        in_body=place == "body",
        refresh_token=options.get("refresh_token"),
        device_url=options.get("device_url"),
        asked={**scope, **audience, **extra},
    )


def client_auth_in(options: Mapping[str, Any], where: str) -> str:
    """Return where the client's secret travels.

    Raises:
        ValueError: There is no such place.
    """
    return choice_in(options, "client_auth", where, among=("header", "body"), default="header")


def check_kind(options: Mapping[str, Any], where: str) -> None:
    """Refuse options that do not say how the account is opened.

    Raises:
        ValueError: They say nothing, or two things.
    """
    if {"refresh_token", "device_url"} <= set(options):
        raise ValueError(f"{where}: expected `refresh_token` or `device_url`, got both")
    if not {"refresh_token", "device_url", "client_secret"} & set(options):
        raise ValueError(
            f"{where}: expected `client_secret`, or `refresh_token`, or `device_url`, got none"
        )


def scope_in(options: Mapping[str, Any], where: str) -> dict[str, str]:
    """Return the scopes as they travel.

    Raises:
        ValueError: They are neither a text nor a list of texts.
    """
    scope = options.get("scope", [])
    listed: Sequence[Any] = [scope] if isinstance(scope, str) else scope
    if not isinstance(listed, list | tuple) or not all(isinstance(e, str) for e in listed):
        raise ValueError(f"{where}.scope: expected a text or a list of texts, got {scope!r:.80}")
    return {"scope": " ".join(listed)} if listed else {}


class Bearer:
    """Opens a source with the access token of an account, renewed when it must be."""

    def __init__(self, account: Account) -> None:
        self._account = account

    async def ask(
        self, http: Any, method: str, url: URL, *, where: str, **options: Any
    ) -> aiohttp.ClientResponse:
        """Ask, and return the head of the answer.

        Raises:
            AnswerError: There is no answer, or the account does not open.
        """
        await self._account.opened()
        given = dict(options.pop("headers", {}))
        header = {**self._account.header, **given}
        reply = await ask(http, method, url, where=where, headers=header, **options)
        if reply.status != UNAUTHORIZED:
            return reply
        async with reply:
            await read_head(reply, where=where)
        await self._account.renewed()
        header = {**self._account.header, **given}
        reply = await ask(http, method, url, where=where, headers=header, **options)
        if reply.status != UNAUTHORIZED:
            return reply
        async with reply:
            refused = await read_head(reply, where=where)
        raise AnswerError(f"{refused.unexpected()}, also with a new token")


async def authorized(ctx: Any, option: OAuth2, tell: Tell) -> dict[str, Any]:
    """Have a person allow this device what it asks for; return the tokens as they are kept.

    Args:
        ctx: A context.
        option: What is asked for, and where.
        tell: Tells the person where to go, and with which code.

    Raises:
        AnswerError: It was not allowed, or not in time.
    """
    if option.device_url is None:
        raise AnswerError(
            f"{option.where}.device_url: expected, since only a device is authorized by hand; "
            "this account opens without"
        )
    answer = await option.post(ctx.http, option.device_url, option.asked)
    said = answer.object() if answer.good else {}
    device, code = said.get("device_code"), said.get("user_code")
    address = said.get("verification_uri") or said.get("verification_url")
    if not all(isinstance(each, str) and each for each in (device, code, address)):
        raise device_refusal(answer)
    tell(f"Open {address} and enter the code {code}")
    if isinstance(whole := said.get("verification_uri_complete"), str):
        tell(f"or open {whole}")
    patience = number_in(said, "expires_in") or PATIENCE
    interval = number_in(said, "interval") or INTERVAL
    try:
        async with asyncio.timeout(patience):
            answer = await allowed(ctx, option, str(device), interval)
    except TimeoutError:
        raise AnswerError(
            f"{answer.where}: expected to be allowed within {patience:g} s, was not"
        ) from None
    found = tokens_of(answer, refresh="", now=ctx.now())
    return {"tokens": asdict(replace(found, client=mark(option.client)))}


async def allowed(ctx: Any, option: OAuth2, device: str, interval: float) -> Answer:
    """Ask for tokens until a person has decided; return the answer that has them.

    Raises:
        AnswerError: The person, or the server, does not want that.
    """
    form = {"grant_type": DEVICE_CODE, "device_code": device}
    while True:
        await asyncio.sleep(interval)
        answer = await asked_again(ctx, option, form)
        if answer is None:  # the person may be at it all the same
            interval *= 2
            continue
        error = answer.object().get("error")
        if error == "slow_down":
            interval += SLOWER
        elif error != "authorization_pending":
            break
    if not answer.good or error is not None:
        raise device_refusal(answer)
    return answer


async def asked_again(ctx: Any, option: OAuth2, form: Mapping[str, str]) -> Answer | None:
    """Ask whether a person has decided; return None if the server is away for the moment."""
    try:
        answer = await option.post(ctx.http, option.token_url, form)
    except AnswerError:
        return None
    return None if answer.status >= 500 else answer


def device_refusal(answer: Answer) -> AnswerError:
    """Return the error for an answer to a device that brings it no further."""
    hints = {
        **HINTS,
        "access_denied": "the person did not allow it",
        "expired_token": "the code was not entered in time",
        "invalid_grant": "the server does not know the code any more",
    }
    error = answer.object().get("error")
    if error is None and answer.good:
        return refusal(answer)
    return answer.unexpected(hint=hints.get(error, "") if isinstance(error, str) else "")
