"""Reads bodies: bounded in size, also after inflating, and in time.

A sender that sends very slowly costs a little memory each, and many of them a lot.
So a body has to be there within a time; and when too many are on their way at
once, the oldest of these is given up: a sender that is neither slow nor far away
is done long before it could be that.
"""

import asyncio
import zlib
from typing import Final

import aiohttp
import aiohttp.http_exceptions
from aiohttp import web

from .formats.message import FormatError, TooLargeError

# What says how to inflate each encoding to zlib.
ENCODINGS: Final = {"gzip": 31, "x-gzip": 31, "deflate": 15}
MOST_ON_THEIR_WAY: Final = 64
BROKEN: Final = (
    ConnectionError,
    aiohttp.ClientPayloadError,
    aiohttp.http_exceptions.HttpProcessingError,
    web.RequestPayloadError,
    web.PayloadAccessError,
)


class TooSlowError(Exception):
    """The body has not come in time."""


class BrokenError(Exception):
    """The body came to no end: the sender has gone, or made a mess of it."""


class EncodingError(ValueError):
    """The body is compressed in a way that we cannot undo."""


class Bodies:
    """Reads the bodies of requests.

    Args:
        most_bytes: How large one may be, and become.
        within: How long it may take, in seconds.
    """

    def __init__(self, *, most_bytes: int, within: float) -> None:
        self.most_bytes, self._within = most_bytes, within
        self._on_their_way: dict[asyncio.Timeout, None] = {}

    async def read(self, request: web.Request, *, beside: str = "") -> bytes:
        """Return a body, inflated.

        Args:
            request: What it is of.
            beside: The one compression that its format undoes, in place of those known here.

        Raises:
            TooLargeError: It is or becomes too large.
            TooSlowError: It has not come in time.
            BrokenError: It came to no end.
            EncodingError: It is compressed in an unknown way.
            FormatError: It is not compressed in the way that it says.
        """
        if (request.content_length or 0) > self.most_bytes:
            raise self._too_large()
        encoding = request.headers.get("Content-Encoding", "").strip().lower()
        inflate = inflation(encoding, beside)
        deadline = asyncio.timeout(self._within)
        try:
            async with deadline:
                self._on_their_way[deadline] = None
                self._give_up_the_oldest()
                return await self._read(request, inflate)
        except TimeoutError:
            raise TooSlowError(f"expected the body within {self._within:g} s") from None
        except BROKEN as error:
            raise BrokenError(f"expected a whole body: {error!s:.200}") from None
        except RuntimeError:  # aiohttp's word for a connection that was lost before
            if request.transport is not None and not request.transport.is_closing():
                raise
            raise BrokenError("expected a whole body, got a lost connection") from None
        finally:
            self._on_their_way.pop(deadline, None)

    def _give_up_the_oldest(self) -> None:
        if len(self._on_their_way) > MOST_ON_THEIR_WAY:
            oldest = next(iter(self._on_their_way))
            del self._on_their_way[oldest]
            oldest.reschedule(asyncio.get_running_loop().time())

    async def _read(self, request: web.Request, inflate: "Inflate | None") -> bytes:
        body, came = bytearray(), 0
        async for chunk in request.content.iter_any():
            came += len(chunk)
            most = self.most_bytes - len(body)
            body += chunk if inflate is None else inflate.more(chunk, most + 1)
            if max(came, len(body)) > self.most_bytes:
                raise self._too_large()
        if inflate is not None:
            inflate.end()
        return bytes(body)

    def _too_large(self) -> TooLargeError:
        return TooLargeError(f"expected a body of at most {self.most_bytes} bytes")


class Inflate:
    """Undoes a compression bit by bit.

    Args:
        window: What tells zlib which it is.
    """

    def __init__(self, window: int) -> None:
        self._stream = zlib.decompressobj(window)

    def more(self, chunk: bytes, most_bytes: int) -> bytes:
        """Return what some more of it becomes, but no more of that than wanted.

        Raises:
            FormatError: It is not compressed like this.
        """
        try:
            found = self._stream.decompress(chunk, most_bytes)
        except zlib.error as error:
            raise FormatError(f"expected a body as its Content-Encoding says: {error}") from None
        if self._stream.unused_data:
            raise FormatError("expected a body of one compressed part, got more behind it")
        return found

    def end(self) -> None:
        """Note that there is no more.

        Raises:
            FormatError: There should be.
        """
        if not self._stream.eof:
            raise FormatError("expected a whole compressed body, got the beginning of one")


def inflation(encoding: str, beside: str) -> Inflate | None:
    """Return what undoes an encoding, or None if there is nothing to undo here.

    Args:
        encoding: As the request says it.
        beside: The one that its format undoes, in place of those known here, or nothing.

    Raises:
        EncodingError: It is unknown.
    """
    if encoding in {"", beside or "identity"}:
        return None
    if beside or encoding not in ENCODINGS:
        expected = beside or "gzip or deflate"
        raise EncodingError(f"Content-Encoding: expected {expected}, got {encoding!r:.40}")
    return Inflate(ENCODINGS[encoding])
