"""Through which proxy a collector asks: its own, or that of the environment, as curl would."""

import ipaddress
from base64 import b64encode
from dataclasses import dataclass
from urllib.request import getproxies_environment, proxy_bypass

import aiohttp
from yarl import URL

from ingestd.config import DIRECT, HttpConfig


@dataclass(frozen=True, slots=True, repr=False)
class ForwardProxy:
    """A proxy; never shown, because of its password.

    Attributes:
        url: Where it is.
        authorization: The header with which it lets us pass, or an empty text.
    """

    url: URL
    authorization: str

    def take(self, request: aiohttp.ClientRequest) -> None:
        """Let a request go through the proxy.

        What is encrypted goes through a tunnel, whose request alone the proxy reads.
        """
        headers = {"Proxy-Authorization": self.authorization} if self.authorization else {}
        if request.url.scheme == "https":
            request.update_proxy(self.url, None, headers)
        else:
            request.update_proxy(self.url, None, None)
            request.headers.update(headers)


def proxy_for(url: URL, config: HttpConfig) -> ForwardProxy | None:
    """Return the proxy for an address, or None to ask its server directly."""
    if config.proxy == DIRECT:
        return None
    if config.proxy is None:
        return from_environment(url)
    return ForwardProxy(URL(config.proxy), basic(config.proxy_username, config.proxy_password))


def from_environment(url: URL) -> ForwardProxy | None:
    """Return what HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY say; this machine needs none."""
    proxies = getproxies_environment()
    found = proxies.get(url.scheme) or proxies.get("all")
    host = url.host or ""
    if not found or is_here(host) or proxy_bypass(host):
        return None
    proxy = URL(found if "://" in found else f"http://{found}")
    if proxy.scheme not in {"http", "https"}:
        return None
    return ForwardProxy(proxy.with_user(None), basic(proxy.user, proxy.password))


def basic(username: str | None, password: str | None) -> str:
    """Return the header for a user and a password, or an empty text if there is no user."""
    pair = f"{username}:{password or ''}".encode()
    return "" if username is None else f"Basic {b64encode(pair).decode()}"


def is_here(host: str) -> bool:
    """Say whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
