"""What the shipped plugins share to open sources: the ``auth`` option.

    auth: {username: …, password: …}                 # Basic, or Digest where the server asks for it
    auth: {username: …, password: …, digest: true}   # the password itself never travels
    auth: {token: …}                                 # sent as it is
    auth: {oauth2: {…}}                              # see `_oauth2`
    auth: {login: {…}}                               # see `_login`

Imported by its full name, so that a copy of a plugin works in any folder.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, Protocol

import aiohttp
from yarl import URL

from ingestd.plugins._answers import AnswerError, ask
from ingestd.plugins._digest import Password
from ingestd.plugins._login import LoggedIn
from ingestd.plugins._loginoptions import login_of
from ingestd.plugins._oauth2 import Bearer, Tell, authorized, oauth2_of
from ingestd.plugins._options import keys_of, text_in
from ingestd.plugins._problems import Gathering

EXPECTED: Final = (
    "auth: expected `username` with `password`, `token`, `oauth2` or `login`, and one of these"
)


class Entry(Protocol):
    """A run's way into a source."""

    async def ask(
        self, http: Any, method: str, url: URL, *, where: str, **options: Any
    ) -> aiohttp.ClientResponse:
        """Ask as `_answers.ask` does, with what opens the source.

        Raises:
            AnswerError: There is no answer, or the source does not open.
        """


# Makes the entry of a run from its context and the tokens that the runs before have left.
Auth = Callable[[Any, Any], Entry]


class Plain:
    """Opens a source with the same headers every time, or with none."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers

    async def ask(
        self, http: Any, method: str, url: URL, *, where: str, **options: Any
    ) -> aiohttp.ClientResponse:
        """Ask, and return the head of the answer.

        Raises:
            AnswerError: There is no answer.
        """
        headers = {**self._headers, **options.pop("headers", {})}
        return await ask(http, method, url, where=where, headers=headers, **options)


def auth_of(given: Any, where: str = "auth") -> Auth:
    """Read the ``auth`` option.

    Raises:
        ValueError: Says what is wrong with it.
    """
    if given is None or given == {}:
        return lambda _ctx, _tokens: Plain({})
    known = ("username", "password", "digest", "token", "oauth2", "login")
    with Gathering() as wrong:
        options = keys_of(given, where, known=known, wrong=wrong)
        kinds = [name for name in ("username", "token", "oauth2", "login") if name in options]
        one = len(kinds) == 1 and (kinds == ["username"] or len(options) == 1)
        if not one and (kinds or not wrong.problems):  # a misspelt one says enough
            wrong.problems.append(EXPECTED.replace("auth", where, 1))
        made = [wrong.read(partial(KINDS[kind], options, where)) for kind in kinds]
    return made[0]


def by_password(options: Mapping[str, Any], where: str) -> Auth:
    """Read a name with a password.

    Raises:
        ValueError: Says what is wrong.
    """
    password, digest = options.get("password"), options.get("digest")
    with Gathering() as wrong:
        name = wrong.read(lambda: text_in(options, "username", where))
        if not isinstance(password, str):
            wrong.problems.append(f"{where}: expected `username` with `password`, each a text")
        if ":" in (name or ""):
            wrong.problems.append(f"{where}.username: expected a name without a colon")
        if not isinstance(digest, bool | None):
            wrong.problems.append(f"{where}.digest: expected true or false, got {digest!r:.80}")
    return lambda ctx, _: Password(ctx, name, str(password), digest=digest)


def by_token(options: Mapping[str, Any], where: str) -> Auth:
    """Read a token that does not change.

    Raises:
        ValueError: It is none.
    """
    header = {"Authorization": f"Bearer {text_in(options, 'token', where)}"}
    return lambda _ctx, _tokens: Plain(header)


def by_oauth2(options: Mapping[str, Any], where: str) -> Auth:
    """Read how an account is opened by OAuth 2.

    Raises:
        ValueError: Says what is wrong.
    """
    option = oauth2_of(options["oauth2"], f"{where}.oauth2")
    return lambda ctx, tokens: Bearer(option.account(ctx, tokens))


def by_login(options: Mapping[str, Any], where: str) -> Auth:
    """Read a login.

    Raises:
        ValueError: Says what is wrong.
    """
    option = login_of(options["login"], f"{where}.login")
    return lambda ctx, _: LoggedIn(ctx, option)


KINDS: Final[Mapping[str, Callable[[Mapping[str, Any], str], Auth]]] = {
    "username": by_password,
    "token": by_token,
    "oauth2": by_oauth2,
    "login": by_login,
}


async def authorize_by(given: Any, ctx: Any, tell: Tell, where: str = "auth") -> dict[str, Any]:
    """Have a person allow what the ``auth`` option asks for; return what is to be hidden.

    Raises:
        ValueError: The option is wrong.
        AnswerError: It asks for nothing that a person could allow, or was not allowed it.
    """
    auth_of(given, where)
    if not isinstance(given, Mapping) or "oauth2" not in given:
        raise AnswerError(f"{where}: expected oauth2 with a device_url, to be authorized by hand")
    return await authorized(ctx, oauth2_of(given["oauth2"], f"{where}.oauth2"), tell)
