"""A session of our own with one server: its TLS, its credentials, its deadlines."""

import asyncio
import io
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import aiohttp
from yarl import URL

from ingestd.errors import QueryError, StoreUnavailable
from ingestd.plugins import _files
from ingestd.redaction import Redactor, in_url
from ingestd.sinks.answers import Reply

# Enough for InfluxDB to quote every line of a batch that it did not understand.
LONGEST_REPLY: Final = 4 * 1024 * 1024
LONGEST_TOLD: Final = 300  # characters of an answer that stand in an error
# Two writes, one drain, and a query or two.
CONNECTIONS: Final = 8
# Sent at once; aiohttp wants more than this as a file, which it sends piece by piece.
AT_ONCE_BYTES: Final = 1024 * 1024
# They tell who answers.
TELLING: Final = ("Server", "X-Influxdb-Version", "X-Influxdb-Build", "Via")


def basic(username: str | None, password: str | None) -> dict[str, str]:
    """Return the header for a name and password; none without a name."""
    if not username:
        return {}
    pair = f"{username}:{password or ''}".encode()
    return {"Authorization": f"Basic {b64encode(pair).decode()}"}


class Connection:
    """Requests to one server; every failure of the network is a StoreUnavailable.

    Args:
        url: The server's base URL.
        timeout: The longest that one request may take, in seconds; a query may go
            on for as long as its answer keeps coming.
        headers: Sent with every request.
        secrets: What must not appear in a message.
        ca_file: Certificates to trust besides the system's.

    Attributes:
        redactor: Masks the secrets of this server in what is told of it.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float,
        headers: Mapping[str, str],
        secrets: Iterable[str | None] = (),
        ca_file: Path | None = None,
    ) -> None:
        base = URL(url)
        self._url = base.with_user(None) if headers else base
        self._timeout, self._headers, self._ca_file = timeout, dict(headers), ca_file
        credentials = (value.rpartition(" ")[2] for value in headers.values())
        self.redactor = Redactor([*in_url(url), *secrets, *credentials])
        self._session: aiohttp.ClientSession | None = None

    def where(self, path: str) -> str:
        """Return an address without secrets, for messages."""
        return str(self._at(path).with_user(None))

    async def close(self) -> None:
        """Close the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        from_root: bool = False,
    ) -> Reply:
        """Send a request and return the answer, be it an error.

        Args:
            method: The HTTP method.
            path: What follows the path of the base URL.
            params: The query.
            data: The body.
            headers: More headers.
            from_root: Whether to leave out the path of the base URL.

        Raises:
            StoreUnavailable: There was none.
        """
        large = data is not None and len(data) > AT_ONCE_BYTES
        sent = io.BytesIO(data or b"") if large else data
        try:
            async with self._open(
                method, path, from_root=from_root, params=params, data=sent, headers=headers
            ) as response:
                text = await response.content.read(LONGEST_REPLY)
                while len(text) < LONGEST_REPLY and (more := await response.content.readany()):
                    text += more
                return Reply(
                    response.status,
                    self.redactor.text(text.decode(errors="replace")),
                    response.content_type.lower() if "Content-Type" in response.headers else "",
                    response.headers.get("Retry-After", ""),
                    self.redactor.text(response.headers.get("Location", "")),
                    {
                        name.lower(): self.redactor.text(response.headers[name])
                        for name in TELLING
                        if name in response.headers
                    },
                )
        except (aiohttp.ClientError, OSError, TimeoutError) as exc:
            raise StoreUnavailable(self._problem(path, exc)) from exc

    async def lines(self, path: str, params: Mapping[str, str]) -> AsyncIterator[bytes]:
        """Ask a question whose answer is lines, and yield them as they come.

        Raises:
            QueryError: The server did not answer, or answered with an error.
        """
        patience = aiohttp.ClientTimeout(total=None, sock_read=self._timeout)
        try:
            async with self._open("POST", path, data=dict(params), timeout=patience) as response:
                if response.status != 200 or response.content_type == "text/html":
                    said = self.redactor.text(await response.text())[:LONGEST_TOLD]
                    raise QueryError(f"{self.where(path)}: HTTP {response.status}: {said}")
                rest = b""
                async for chunk in response.content.iter_any():
                    *whole, rest = (rest + chunk).split(b"\n")
                    for line in whole:
                        if line:
                            yield line
                if rest:
                    yield rest
        except (aiohttp.ClientError, OSError, TimeoutError) as exc:
            raise QueryError(self._problem(path, exc)) from exc

    def _open(self, method: str, path: str, *, from_root: bool = False, **options: Any) -> Any:
        url = self._url.with_path(path) if from_root else self._at(path)
        # A redirect is never followed: it would turn a write into a GET of a login page.
        return self._sessions().request(method, url, allow_redirects=False, **options)

    def _sessions(self) -> aiohttp.ClientSession:
        if self._session is None:
            trust = ssl.create_default_context()
            if self._ca_file:
                _files.check(self._ca_file)  # OpenSSL would wait for a pipe
                trust.load_verify_locations(self._ca_file)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=CONNECTIONS, ssl=trust),
                timeout=aiohttp.ClientTimeout(total=self._timeout),
                headers=self._headers,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    def _at(self, path: str) -> URL:
        return self._url.with_path(f"{self._url.path.rstrip('/')}{path}")

    def _problem(self, path: str, exc: BaseException) -> str:
        if isinstance(exc, TimeoutError | asyncio.TimeoutError):
            return f"{self.where(path)}: no answer within {self._timeout:g} s"
        said = self.redactor.text(str(exc)) or type(exc).__name__
        if isinstance(exc, aiohttp.ClientConnectorSSLError) and "WRONG_VERSION_NUMBER" in said:
            said = "it speaks no TLS; the url should begin with http://"
        return f"{self.where(path)}: {said}"
