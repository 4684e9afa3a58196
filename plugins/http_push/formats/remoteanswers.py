"""How senders of Prometheus remote write are answered.

They come again after a status from 500 on, and after a 429 only where somebody has chosen so:
whatever may be taken later is answered 503.
"""

from collections.abc import Mapping
from typing import Final

from aiohttp import web

from .message import Found

WRITTEN: Final = "X-Prometheus-Remote-Write-{}-Written"
COUNTED: Final = ("Samples", "Histograms", "Exemplars")


class RemoteAnswers:
    """Answers with how much is written; exemplars never are."""

    def taken(self, _: web.Request, found: Found) -> web.Response:
        """Answer that samples are safe; one that never will be makes it a 400, the others are."""
        if not found.rejected:
            return web.Response(status=204, headers=written(found.counts))
        problems = "; ".join(found.samples)
        text = f"{found.rejected} samples are not stored: {problems}"
        return _text(400, text, written(found.counts))

    def refused(
        self, _: web.Request, status: int, error: str, headers: Mapping[str, str]
    ) -> web.Response:
        """Answer that samples are not taken, or not safe yet."""
        again = "Retry-After" in headers
        return _text(503 if again else status, error, {**headers, **written({})})


def written(counts: Mapping[str, int]) -> dict[str, str]:
    """Return the headers that say how much is written."""
    return {WRITTEN.format(each): str(counts.get(each, 0)) for each in COUNTED}


def _text(status: int, text: str, headers: Mapping[str, str]) -> web.Response:
    # What a sender wrote may be no Unicode that can be sent back.
    body = text.encode(errors="backslashreplace")
    return web.Response(
        status=status, body=body, headers=headers, content_type="text/plain", charset="utf-8"
    )
