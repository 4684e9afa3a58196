"""The HTTP side: one request, one JSON document, or an error that says what came instead."""

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from yarl import URL

from .paging import Request

CHUNK: Final = 64 * 1024


class ReplyError(Exception):
    """A source answered with something that is not the JSON it was asked for."""


@dataclass(frozen=True, slots=True, repr=False)
class Source:
    """How a source is asked; never shown, because secrets travel in headers and bodies."""

    method: str
    headers: Mapping[str, str]
    body: Any
    max_bytes: int

    async def get(self, http: Any, request: Request) -> tuple[Any, URL | None]:
        """Return the document and the link to the next one, if its header has one.

        Redirects are not followed: most lead to a login page, and the others would
        be handed headers that were meant for this server.

        Raises:
            ReplyError: There is no JSON document.
        """
        where = f"{self.method} {shown(request.url)}"
        try:
            async with http.request(
                self.method,
                request.url,
                params=request.query or None,
                headers=self.headers,
                data=None if self.body is None else as_bytes(self.body),
                allow_redirects=False,
            ) as reply:
                data = await read(reply, where=where, limit=self.max_bytes)
                check_status(reply, data, where=where)
                return parse(reply, data, where=where), next_of(reply)
        except TimeoutError as error:
            raise ReplyError(f"{where}: expected an answer in time, got none") from error


def source(
    *,
    method: str,
    headers: Mapping[str, str] | None,
    auth: Mapping[str, str] | None,
    body: Any,
    max_bytes: int,
) -> Source:
    """Check the options that say how to ask.

    Raises:
        ValueError: Says which option is wrong.
    """
    sent = {"Accept": "application/json", **authorization(auth)}
    if body is not None and not isinstance(body, str):
        sent["Content-Type"] = "application/json"
    sent |= {str(name): str(value) for name, value in (headers or {}).items()}
    return Source(method=method.upper(), headers=sent, body=body, max_bytes=max_bytes)


def authorization(auth: Mapping[str, str] | None) -> dict[str, str]:
    """Return the header for the ``auth`` option.

    Raises:
        ValueError: It is neither a name with a password nor a token.
    """
    given = auth or {}
    if not given:
        return {}
    if all(isinstance(each, str) for each in given.values()):
        if set(given) == {"username", "password"}:
            pair = f"{given['username']}:{given['password']}".encode()
            return {"Authorization": f"Basic {b64encode(pair).decode()}"}
        if set(given) == {"token"}:
            return {"Authorization": f"Bearer {given['token']}"}
    raise ValueError("auth: expected `username` with `password`, or `token`, each a text")


def as_bytes(body: Any) -> bytes:
    """Return what is sent: text as it is, anything else as JSON."""
    return (body if isinstance(body, str) else json.dumps(body)).encode()


async def read(reply: Any, *, where: str, limit: int) -> bytes:
    """Return the body of an answer.

    Raises:
        ReplyError: It is larger than it may be.
    """
    data = bytearray()
    async for chunk in reply.content.iter_chunked(CHUNK):
        data += chunk
        if len(data) > limit:
            raise ReplyError(f"{where}: expected at most {limit} bytes (max_bytes), got more")
    return bytes(data)


def check_status(reply: Any, data: bytes, *, where: str) -> None:
    """Pass only an answer of 2xx.

    Raises:
        ReplyError: Says what the server said.
    """
    if 200 <= reply.status < 300:
        return
    got = f"{reply.status} {reply.reason or ''}".strip()
    if location := reply.headers.get("Location"):
        got += f" to {shown(reply.url.join(URL(location)))}"
    raise ReplyError(f"{where}: expected 200, got {got}: {start(data)}")


def parse(reply: Any, data: bytes, *, where: str) -> Any:
    """Return the document in a body.

    NaN is let through, because some servers write it and only one reading need
    suffer. The content type is not asked: much JSON travels as plain text.

    Raises:
        ReplyError: It is no JSON.
    """
    try:
        return json.loads(data.decode(reply.charset or "utf-8-sig"))
    except (ValueError, LookupError, RecursionError) as error:
        raise ReplyError(
            f"{where}: expected JSON, got {reply.content_type}: {start(data)} ({error})"
        ) from None


def next_of(reply: Any) -> URL | None:
    """Return the address in the ``next`` link of an answer's header."""
    link = reply.links.get("next")
    return URL(link["url"]) if link else None


def shown(url: URL) -> str:
    """Return an address without the parts that may hold secrets."""
    return str(url.with_user(None).with_query(None).with_fragment(None))


def start(data: bytes) -> str:
    """Return the beginning of a body, for people."""
    return repr(" ".join(data[:2000].decode(errors="replace").split())[:200])
