"""Who may ask: a token where there is one, and no web page of another site.

A browser sends requests to this machine for any page that it shows. What keeps
such a page out: it cannot send JSON across origins without asking first, which we
never allow; it cannot hide its Origin; and a name that it has pointed at
127.0.0.1 (DNS rebinding) is not one of ours.
"""

import hmac
import ipaddress
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from ingestd.web.forms import check_sender
from ingestd.web.problems import Refusal

LARGEST_BODY: Final = 2**20  # bytes
HEADERS: Final = {
    "Server": "ingestd",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    # Nothing runs in a page of ours but files of ours, whatever a name or a traceback says.
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self';"
    " img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass(frozen=True, slots=True)
class Guard:
    """Lets requests in, or not.

    Attributes:
        listen: The address that the API listens on.
        token: What every caller must present, or None.
    """

    listen: str
    token: str | None = field(repr=False)

    def check(
        self, request: web.Request, *, form: bool = False, login: bool = False, session: str = ""
    ) -> None:
        """Refuse what must not be answered.

        Args:
            request: What is asked.
            form: Whether it is to be a form of a page of ours.
            login: Whether it needs no token, since it is where that is shown.
            session: The one that it belongs to; with it people look, and act by forms.

        Raises:
            Refusal: Says what was expected.
        """
        self._check_host(request)
        by_page = form or request.method in {"GET", "HEAD"}
        if not login and not (session and by_page):
            self._check_token(request)
        if form:
            check_sender(request)
        elif request.method not in {"GET", "HEAD"}:
            _check_origin(request)
            # No page of another origin can send a DELETE without asking first.
            wants_json = request.method != "DELETE" or request.body_exists
            if wants_json and request.content_type != "application/json":
                raise Refusal(415, "expected Content-Type: application/json")

    def _check_host(self, request: web.Request) -> None:
        if self.listen.startswith("unix:"):
            return  # no browser gets there
        host, ours = _host(request.host), _host(self.listen)
        if _is_loopback(ours) and host != ours and not _is_loopback(host):
            raise Refusal(421, f"expected a request for this machine, got Host: {request.host}")

    def _check_token(self, request: web.Request) -> None:
        if self.token is None:
            return
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        expected = self.token.encode()
        right = hmac.compare_digest(given.strip().encode(errors="surrogateescape"), expected)
        if scheme.lower() != "bearer" or not right:
            raise Refusal(
                401,
                "expected Authorization: Bearer with the token of the configuration",
                headers={"WWW-Authenticate": 'Bearer realm="ingestd"'},
            )


def _check_origin(request: web.Request) -> None:
    origin = request.headers.get("Origin")
    # The scheme is not compared: a proxy may have taken TLS off.
    if origin is not None and urlsplit(origin).netloc != request.host:
        raise Refusal(403, f"expected a request from {request.host}, got Origin: {origin}")


def _host(address: str) -> str:
    """Return the host of ``host``, ``host:port``, ``[host]:port`` or ``[host]``."""
    if address.startswith("["):
        return address[1:].partition("]")[0].lower()
    return address.partition(":")[0].lower()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
