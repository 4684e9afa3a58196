"""What the shipped plugins share to ask vendors: an answer, or an error that says what came.

Imported by its full name, so that a copy of a plugin works in any folder.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

CHUNK: Final = 64 * 1024
LARGEST: Final = 64 * 1024 * 1024


class AnswerError(Exception):
    """A server gave something else than it was asked for, or nothing."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said.

    Attributes:
        where: The request, for people; without secrets.
        content_type: What the server says that the body is.
    """

    where: str
    status: int
    reason: str
    content_type: str
    data: bytes

    @property
    def good(self) -> bool:
        """Whether the server did what it was asked for."""
        return 200 <= self.status < 300

    def text(self, encoding: str = "utf-8-sig") -> str:
        """Return the body, whatever it takes."""
        return self.data.decode(encoding, errors="replace")

    def document(self) -> Any:
        """Return the JSON in the body, or None if it holds none."""
        try:
            return json.loads(self.text())
        except (ValueError, RecursionError):
            return None

    def object(self) -> dict[str, Any]:
        """Return the JSON object in the body; if it holds none, an empty one."""
        found = self.document()
        return found if isinstance(found, dict) else {}

    def list_at(self, *path: str) -> list[Any]:
        """Return a list in the body of a good answer, under a path of keys.

        Raises:
            AnswerError: It is not there.
        """
        found = self.document()
        for key in path:
            found = found.get(key) if isinstance(found, dict) else None
        if self.good and isinstance(found, list):
            return found
        raise self.unexpected(f"a list of {path[-1]}" if path else "a list")

    def unexpected(self, expected: str = "200", *, hint: str = "") -> AnswerError:
        """Return the error that says what came instead."""
        status = f"{self.status} {self.reason}".strip()
        got = f"{status}: {self.content_type}: {beginning(self.data)}"
        return AnswerError(f"{self.where}: expected {expected}, got {got}{hint and f' ({hint})'}")


async def fetch(
    http: Any, method: str, url: Any, *, where: str, limit: int = LARGEST, **options: Any
) -> Answer:
    """Ask, and return the answer whatever its status is.

    Redirects are not followed: most lead to a login page, and the others would be
    handed the secrets that were meant for this server.

    Args:
        http: The session.
        method: How.
        url: Whom.
        where: The request, for people; without secrets.
        limit: How large the answer may be, in bytes.
        options: What aiohttp takes for a request.

    Raises:
        AnswerError: There is no whole answer.
    """
    data = bytearray()
    try:
        async with http.request(method, url, allow_redirects=False, **options) as reply:
            async for chunk in reply.content.iter_chunked(CHUNK):
                data += chunk
                if len(data) > limit:
                    raise AnswerError(f"{where}: expected at most {limit} bytes, got more")
            return Answer(where, reply.status, reply.reason or "", reply.content_type, bytes(data))
    except TimeoutError:
        raise AnswerError(f"{where}: expected an answer in time, got none") from None
    except aiohttp.ClientError as error:
        problem = f"{type(error).__name__}: {error}"
        raise AnswerError(f"{where}: expected an answer, got {problem}") from error


class Pace:
    """Lets the requests of one key pass one at a time, with pauses between them.

    Args:
        pause: How long, in seconds.
        key: Whose requests; not looked at here, but shared objects have one.
    """

    def __init__(self, pause: float, *_key: str) -> None:
        self._pause, self._lock = pause, asyncio.Lock()
        self._free_at = 0.0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait until a request may be made, and keep the others waiting until it is over."""
        loop = asyncio.get_running_loop()
        async with self._lock:
            await asyncio.sleep(max(0.0, self._free_at - loop.time()))
            try:
                yield
            finally:
                self._free_at = loop.time() + self._pause


def beginning(data: bytes) -> str:
    """Return the beginning of a body, for people."""
    return repr(" ".join(data[:2000].decode(errors="replace").split())[:200])


def number_in(record: Any, key: str) -> float | None:
    """Return the number under a key, or None if there is none."""
    found = record.get(key) if isinstance(record, dict) else None
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    return found if abs(found) < float("inf") else None
