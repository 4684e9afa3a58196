"""Who may send: the keys, where senders put them, and what stands in for keys on this machine."""

import base64
import binascii
import hmac
import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web


class KeyRefusedError(Exception):
    """The key is missing or wrong."""


class ForeignPageError(Exception):
    """It looks as if a foreign web page sent this."""


class Keys:
    """Who may send.

    Args:
        keys: Any of them opens; without any, programs on this machine may.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = [key.encode() for key in keys]

    @property
    def needed(self) -> bool:
        """Whether a key is needed."""
        return bool(self._keys)

    def check(self, given: Any) -> None:
        """Check a key, in a time that tells nothing of the right ones.

        Raises:
            KeyRefusedError: It is missing or wrong.
        """
        if not self._keys:
            return
        # A number, if the key stands in JSON without quotes.
        written = str(given).encode(errors="surrogatepass") if given is not None else b""
        right = [hmac.compare_digest(written, key) for key in self._keys]
        if not any(right):
            raise KeyRefusedError("expected a store key, got none or a wrong one")

    def check_origin(self, request: web.Request) -> None:
        """Where no key is needed, check that no foreign web page has a browser send this.

        Raises:
            ForeignPageError: One might.
        """
        if self._keys:
            return
        host = urlsplit(f"//{request.host}").hostname or ""
        origin = request.headers.get("Origin")
        if (
            (request.transport is not None and not is_this_machine(host) and is_tcp(request))
            or (origin is not None and urlsplit(origin).netloc != request.host)
            or request.headers.get("Sec-Fetch-Site", "none") not in {"none", "same-origin"}
        ):
            raise ForeignPageError("expected a sender on this machine that is no web page")


def key_in_head(request: web.Request, named: Mapping[str, str]) -> str | None:
    """Return the key that stands before the body, or None."""
    for given in (
        request.query.get("storeKey"),
        request.headers.get("store-key"),
        named.get("key"),
        in_authorization(request.headers.get("Authorization", "")),
        request.query.get("p"),
    ):
        if given is not None:
            return given
    return None


def in_authorization(header: str) -> str | None:
    """Return the token, or the password, of an ``Authorization`` header."""
    scheme, _, given = header.partition(" ")
    if scheme.lower() in {"token", "bearer"}:
        return given.strip()
    if scheme.lower() == "basic":
        try:
            decoded = base64.b64decode(given, validate=True).decode()
        except (ValueError, binascii.Error):
            return ""
        return decoded.partition(":")[2]
    return None


def in_document(document: Any) -> Any:
    """Return the key in a body, or None."""
    return document.get("storeKey") if isinstance(document, dict) else None


def is_this_machine(host: str) -> bool:
    """Say whether a host can be no other machine than this one."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def is_tcp(request: web.Request) -> bool:
    """Say whether a request came over a network, if only the machine's own."""
    return bool(request.transport and request.transport.get_extra_info("peername"))
