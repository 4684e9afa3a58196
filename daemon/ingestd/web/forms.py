"""Forms of our own pages, the one way to act without JSON: who may send one, and what it says.

A form can be sent by any page that a browser shows, to any address and without asking first. So
one acts only if the browser itself says that a page of ours has sent it, and if it carries
a token that only our pages show, against requests forged by other sites (CSRF).
"""

import hmac
import secrets
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from ingestd.web.problems import Refusal

KIND: Final = "application/x-www-form-urlencoded"
FIELD: Final = "csrf_token"  # which carries it


class CsrfTokens:
    """Makes and knows the CSRF tokens of a daemon's life; one of an earlier life is void."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def of(self, session: str = "") -> str:
        """Return the CSRF token of a session, or of those who need none."""
        return hmac.new(self._key, session.encode(), "sha256").hexdigest()

    def check(self, given: str, session: str = "") -> None:
        """Refuse a form without the CSRF token of its session.

        Raises:
            Refusal: It has none, or that of another session or daemon.
        """
        if not hmac.compare_digest(given.encode(errors="replace"), self.of(session).encode()):
            raise Refusal(
                403, "expected a form of a page of this daemon: open the page again, it is too old"
            )


def check_sender(request: web.Request) -> None:
    """Refuse what the browser does not say to come from a page of ours.

    A browser that says how near the sender is knows it through any proxy, and no page can say that
    in its place. The scheme of an origin is not compared: a proxy may have taken TLS off.

    Raises:
        Refusal: It comes from elsewhere, or nothing says from where.
    """
    nearness = request.headers.getall("Sec-Fetch-Site", [])
    origins = request.headers.getall("Origin", [])
    if nearness:
        ours = nearness == ["same-origin"]
    else:
        ours = len(origins) == 1 and _place(origins[0]) == request.host
    if not ours:
        got = ", ".join([*nearness, *origins]) or "neither Origin nor Sec-Fetch-Site"
        raise Refusal(403, f"expected a form of a page of {request.host}, got one from {got:.200}")
    if request.content_type != KIND or "Content-Encoding" in request.headers:
        raise Refusal(415, f"expected Content-Type: {KIND}")


def _place(origin: str) -> str | None:
    """Return host and port of an origin, or None if it is nothing of the kind."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return None
    return parts.netloc if parts.scheme in {"http", "https"} and parts.netloc else None


async def fields_of(request: web.Request) -> Mapping[str, str]:
    """Return what a form says.

    Raises:
        Refusal: It says something twice, or is none.
    """
    try:
        sent = await request.post()
    except ValueError:  # not UTF-8
        raise Refusal(400, "body: expected a form in UTF-8") from None
    fields = {name: value for name, value in sent.items() if isinstance(value, str)}
    if len(fields) != len(sent):
        raise Refusal(400, "body: expected every field once")
    return fields
