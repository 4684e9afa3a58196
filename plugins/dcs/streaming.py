"""An answer's readings, parsed while they arrive.

Where the array of readings begins is found in the head of the body: the legacy API
gives nothing but an array, the current one an object with the array under some
spelling of ``readings``, before or after the other keys. ijson parses it, in C if it
can, in memory that does not grow with the answer.

Long answers take a shorter way. What lies between the beginning of an element and
the last closing brace that has arrived is a list of whole elements, if it is valid
JSON at all; such a block is parsed in one call, three times faster. A brace may also
be in a text, or close something inside an element, or the array may have ended: that
is never valid, and from there on ijson has the rest, and sees that it ends well.
"""

import asyncio
import re
from codecs import BOM_UTF8
from collections.abc import AsyncGenerator
from contextlib import aclosing
from decimal import Decimal
from time import monotonic
from typing import Any, Final

import aiohttp
import ijson  # type: ignore[import-untyped]  # ships no types
import orjson

from ingestd.plugins._answers import NO_ANSWER, beginning, problem_of

from .errors import BodyLost, DcsError, ReadError, SourceFailed

CHUNK: Final = 2000
# What has arrived is given without waiting for the rest of a chunk after so many seconds.
LINGER: Final = 1.0
# The keys before the array are few; what is longer is something else.
LONGEST_HEAD: Final = 64 * 1024
LONGEST_ELEMENT: Final = 64 * 1024
BLOCK: Final = 64 * 1024
ARRAY: Final = re.compile(rb'(?<!\\)"(readings)"\s*:\s*(\[|[^\s\[])', re.IGNORECASE)


class Body:
    """The body of an answer: can be looked into before it is read.

    Attributes:
        ended: Whether all of it has been read.
    """

    def __init__(self, reply: aiohttp.ClientResponse, *, where: str) -> None:
        self._reply, self._where = reply, where
        self._opening, self._head = b"", b""
        self.ended = False

    async def read(self, size: int) -> bytes:
        """Return the next bytes, at most so many; none at the end."""
        if size == 0:  # ijson asks whether this is text or bytes
            return b""
        if self._head:
            data, self._head = self._head[:size], self._head[size:]
            return data
        return await self._receive(size)

    async def _receive(self, size: int) -> bytes:
        data = await self._reply.content.read(size)
        self.ended = not data
        return data

    async def prefix(self) -> str:
        """Return where ijson finds the readings.

        Raises:
            BodyLost: The body ended before that could be seen.
            DcsError: It is no JSON.
            SourceFailed: It has no readings.
        """
        while True:
            start = self._head.removeprefix(BOM_UTF8).lstrip()
            if start[:1] == b"[":
                return self._beginning_with(start, 1, "item")
            if start and start[:1] != b"{":
                raise DcsError(f"{self._where}: expected JSON, got {beginning(start)}")
            found = ARRAY.search(start)
            if found and found[2] == b"[":
                return self._beginning_with(start, found.end(), f"{found[1].decode()}.item")
            if found or self.ended or len(start) > LONGEST_HEAD:
                break
            data = await self._receive(BLOCK)
            self._head += data
        if self.ended and not start.rstrip().endswith(b"}"):
            raise BodyLost(f"{self._where}: the answer broke off after {beginning(start)}")
        raise SourceFailed(f"expected an array of readings, got {beginning(start)}")

    def _beginning_with(self, start: bytes, array: int, prefix: str) -> str:
        self._opening, self._head = start[:array], start[array:]
        return prefix

    async def blocks(self) -> AsyncGenerator[list[Any], None]:
        """Yield the elements of the array as long as that is easy; ``read`` gives the rest.

        What it gives begins as the body did, so it is a document without these elements.
        """
        separator = b""
        while True:
            start = self._head.lstrip()
            cut = start.rfind(b"}") + 1
            if not start.startswith(separator) or (not cut and len(start) > LONGEST_ELEMENT):
                break
            if cut:
                try:
                    found = orjson.loads(b"[%b]" % start[len(separator) : cut])
                except orjson.JSONDecodeError:
                    break
                self._head, separator = start[cut:], b","
                yield found
            data = await self._receive(BLOCK)
            if self.ended:
                break
            self._head += data
        self._head = self._opening + self._head.lstrip().removeprefix(separator)


async def elements(
    reply: aiohttp.ClientResponse, *, where: str
) -> AsyncGenerator[list[dict[str, Any]], None]:
    """Yield the elements of the array of readings, many at a time.

    Raises:
        BodyLost: The body ended early.
        DcsError: It is no JSON.
        SourceFailed: It begins like JSON, but is none, or has no readings.
    """
    body = Body(reply, where=where)
    chunk: list[dict[str, Any]] = []
    broken: ReadError | None = None
    due = monotonic() + LINGER
    try:
        prefix = await body.prefix()
        async with aclosing(body.blocks()) as easy:
            async for block in easy:
                chunk += block
                if len(chunk) >= CHUNK or monotonic() >= due:
                    yield chunk
                    chunk, due = [], monotonic() + LINGER
                    await asyncio.sleep(0)  # what has arrived is parsed without any waiting
        # With floats of its own it would refuse an answer for one integer beyond 64 bits.
        async for element in ijson.items_async(body, prefix):
            chunk.append(plain(element))
            if len(chunk) >= CHUNK or monotonic() >= due:
                yield chunk
                chunk, due = [], monotonic() + LINGER
                await asyncio.sleep(0)
    except ijson.JSONError as error:
        told = " ".join(str(error).split())[:200]
        if body.ended:
            broken = BodyLost(f"{where}: the answer broke off: {told}")
        else:
            broken = SourceFailed(f"expected JSON, got {told}")
    except NO_ANSWER as error:
        broken = BodyLost(f"{where}: the answer broke off: {problem_of(error)}")
    if chunk:
        yield chunk
    if broken is not None:
        raise broken


def plain(value: Any) -> Any:
    """Return a value with ordinary floats for decimals, as the shorter way has them."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list) else value
