"""What is answered where a request is no HTTP, so that no handler ever sees it.

aiohttp answers that by itself, in plain text, from within the protocol of a connection; its
``handle_error`` is the one place where that is said.
"""

import json
from http import HTTPStatus
from typing import Final

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from ingestd.web.problems import Refusal, as_json
from ingestd.web.security import HEADERS

CONTENT_TYPE: Final = "application/problem+json"


def tell_problems(runner: web.AppRunner) -> None:
    """Have a runner that is set up answer as all other problems are answered.

    Its server is used as it is, and makes the protocol of each connection; only the class
    is another, since aiohttp lets none be given.
    """
    server = runner.server
    assert server is not None  # noqa: S101 -- says so to the type checker
    server.__class__ = ProblemServer


class ProblemServer(web.Server):
    """A server whose connections answer with problems."""

    def __call__(self) -> RequestHandler:
        """Make the protocol of a connection."""
        protocol = super().__call__()
        protocol.__class__ = ProblemProtocol
        return protocol


class ProblemProtocol(RequestHandler):
    """The protocol of a connection, which answers with problems."""

    __slots__ = ()  # of the same layout as the class that it takes the place of

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Say what is wrong, and close the connection."""
        super().handle_error(request, status, exc, message)
        first, *_ = (message or HTTPStatus(status).description).splitlines() or [""]
        body = json.dumps(as_json(Refusal(status, first.rstrip(":"))))
        response = web.Response(
            status=status, text=body, content_type=CONTENT_TYPE, headers={**HEADERS}
        )
        response.force_close()
        return response
