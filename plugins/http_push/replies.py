"""How senders are answered: like BMON, like InfluxDB, or with JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from ingestd.plugins import _bmonrules

from .bodies import BrokenError, EncodingError, TooSlowError
from .formats.extras import MissingError
from .formats.message import FormatError, Found, MediaTypeError, TooLargeError
from .inbox import BusyError
from .keys import ForeignPageError, KeyRefusedError
from .routes import Route


class RateError(Exception):
    """There are more requests than the operator allows."""


class DecodeError(Exception):
    """A file of the operator's could not decode a payload."""


# Status, and after how many seconds it makes sense to come again; None: never.
STATUS: Final[dict[type[Exception], tuple[int, int | None]]] = {
    FormatError: (400, None),
    BrokenError: (400, 1),
    KeyRefusedError: (401, None),
    ForeignPageError: (403, None),
    TooSlowError: (408, 1),
    TooLargeError: (413, None),
    EncodingError: (415, None),
    MediaTypeError: (415, None),
    RateError: (429, 1),
    BusyError: (503, 5),
    DecodeError: (503, 60),
    MissingError: (503, 60),
}
# The words that InfluxDB's clients know.
CODES: Final = {400: "invalid", 401: "unauthorized", 403: "forbidden", 408: "request timeout"} | {
    413: "request too large", 415: "unsupported media type", 429: "too many requests",
    503: "unavailable",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Replies:
    """How requests are answered.

    Attributes:
        like_bmon: Whether BMON's formats get BMON's replies: 200 for all that is final.
    """

    like_bmon: bool

    def taken(self, route: Route, found: Found, request: web.Request) -> web.Response:
        """Return the answer to readings that are safe; those that were rejected never will be."""
        if route.answers is not None:
            return route.answers.taken(request, found)
        stored, rejected = len(found.readings), found.rejected
        bad = rejected > 0 and stored == 0
        if route.style == "influx":
            return _influx_taken(found)
        if route.style == "json":
            counts = {"stored": stored, "rejected": rejected, "problems": found.samples}
            return web.json_response(counts, status=400 if bad else 200)
        success = "" if bad else route.success
        if route.style == "station":
            return _text(success or "; ".join(found.samples), status=400 if bad else 200)
        text = found.note or success or _bmonrules.message(stored, rejected)
        if self.like_bmon:
            return _text(found.note.partition(":")[0] or text)
        said = "".join(f"\n{problem}" for problem in found.samples)
        return _text(f"{text}{said}", status=400 if bad else 200)

    def refused(self, route: Route, error: Exception, request: web.Request) -> web.Response:
        """Return the answer to readings that are not taken, or not safe yet."""
        status, retry_after = STATUS[type(error)]
        if route.answers is not None:
            headers = _headers(status, retry_after)
            return route.answers.refused(request, status, str(error), headers)
        if route.style == "influx":
            return _influx(status, str(error), retry_after)
        headers = _headers(status, retry_after)
        if route.style == "json":
            return web.json_response({"error": str(error)}, status=status, headers=headers)
        # BMON's senders take 200 for final and anything else for "again, later".
        if self.like_bmon and retry_after is None and route.style == "bmon":
            wrong_key = isinstance(error, KeyRefusedError)
            return _text("Invalid Key" if wrong_key else str(error))
        return _text(str(error), status=status, headers=headers)

    def wrong(
        self, route: Route, status: int, text: str, request: web.Request, **headers: str
    ) -> web.Response:
        """Return the answer to a request that never came to its readings."""
        if route.answers is not None:
            return route.answers.refused(request, status, text, headers)
        return web.Response(status=status, text=text, headers=headers)


def _text(
    text: str, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    # What a sender wrote may be no Unicode that can be sent back.
    body = text.encode(errors="backslashreplace")
    return web.Response(
        body=body, status=status, headers=headers, content_type="text/plain", charset="utf-8"
    )


def _influx_taken(found: Found) -> web.Response:
    if not found.rejected:
        return web.Response(status=204)
    problems = "; ".join(found.samples)
    return _influx(400, f"partial write: {problems} dropped={found.rejected}", None)


def _influx(status: int, text: str, retry_after: int | None) -> web.Response:
    said = {"code": CODES[status], "message": text, "error": text}  # version 2, and 1
    return web.json_response(said, status=status, headers=_headers(status, retry_after))


def _headers(status: int, retry_after: int | None) -> dict[str, str]:
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return {**headers, "WWW-Authenticate": "Token"} if status == 401 else headers
