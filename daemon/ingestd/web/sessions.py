"""Where people show the token once, and get a session for it: a browser has no way to send tokens.

Sessions live in memory, so none outlives the daemon. The cookie that carries one may reach other
programs of the same host, since cookies know no ports, and such programs may set one: that is why
a session only looks by itself, and acts only with the CSRF token and the sender that forms need.
"""

import hashlib
import hmac
import re
import secrets
from typing import Any, Final

from aiohttp import web

from ingestd.clock import Clock
from ingestd.web.forms import CsrfTokens
from ingestd.web.problems import Refusal

LASTING: Final = 12 * 3600.0  # seconds of a session
MOST: Final = 100  # sessions; beyond that the oldest ends
SLOWLY: Final = 1.0  # seconds that a wrong token takes
MOST_TRIES: Final = 3  # at a time
_HERE: Final = re.compile(r"/(ui/[!-~]*|\?[!-~]*)?")


class Sessions:
    """The sessions of a daemon.

    Args:
        token: What to show, or None if nobody has to.
        name: Of the daemon among all on its host, for the cookie.
        clock: How long sessions last by.
        log: Where wrong tokens are told of.

    Attributes:
        csrf_tokens: Those of its forms.
        cookie: The name of the cookie.
    """

    def __init__(self, token: str | None, *, name: str, clock: Clock, log: Any) -> None:
        self._token, self._clock, self._log = token, clock, log
        self.csrf_tokens = CsrfTokens()
        self.cookie = f"ingestd-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
        self._ends: dict[str, float] = {}
        self._tries = 0

    async def log_in(self, given: str, *, sender: str) -> str:
        """Begin a session for a token, and return it.

        Raises:
            Refusal: It is wrong, or too many that are have been given just now.
        """
        if self._token is None:
            return ""
        if self._tries >= MOST_TRIES:
            raise Refusal(429, "too many wrong tokens just now", headers={"Retry-After": "2"})
        if not hmac.compare_digest(given.strip().encode(errors="replace"), self._token.encode()):
            await self._refuse(sender)
        self._log.info("somebody has logged in", sender=sender)
        return self._begun()

    async def _refuse(self, sender: str) -> None:
        self._tries += 1
        try:
            self._log.warning("a wrong token was given on the page", sender=sender)
            await self._clock.sleep(SLOWLY)
        finally:
            self._tries -= 1
        raise Refusal(401, "that is not the token of the configuration")

    def _begun(self) -> str:
        now = self._clock.monotonic()
        going = [(session, end) for session, end in self._ends.items() if end > now]
        self._ends = dict(going[-MOST + 1 :])
        session = secrets.token_urlsafe(32)
        self._ends[session] = now + LASTING
        return session

    def session_of(self, request: web.Request) -> str:
        """Return the session that a request belongs to, or an empty string."""
        session = request.cookies.get(self.cookie, "")
        return session if self.knows(session) else ""

    def knows(self, session: str) -> bool:
        """Return whether a session goes on."""
        end = self._ends.get(session)
        return end is not None and end > self._clock.monotonic()

    def log_out(self, session: str) -> None:
        """End a session."""
        self._ends.pop(session, None)

    def set_cookie(self, session: str, request: web.Request, response: web.Response) -> None:
        """Give a browser its session, or take it away if that is an empty string."""
        by_tls = request.headers.get("Origin", "").startswith("https:")
        response.set_cookie(
            self.cookie,
            session,
            max_age=int(LASTING) if session else 0,
            path="/",
            httponly=True,
            samesite="Strict",
            secure=by_tls or request.headers.get("X-Forwarded-Proto") == "https",
        )


def address_here(given: str) -> str:
    """Return the address of a page to go to, or that of the first one if it is none of ours."""
    return given if _HERE.fullmatch(given) else "/"
