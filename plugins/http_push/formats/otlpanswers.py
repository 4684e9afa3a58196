"""How senders of OTLP are answered, in the encoding in which they sent.

They come again after a 429, 502, 503 or 504 alone: whatever may be taken later is answered so.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

from ingestd.plugins._protobuf import classes

from .message import Found
from .otlp import JSON, PROTOBUF

AGAIN: Final = frozenset({429, 503})
STATUS: Final = {"Status": {"code": (1, "int32"), "message": (2, "string")}}


class OtlpAnswers:
    """Answers with the messages of OTLP."""

    def taken(self, request: web.Request, found: Found) -> web.Response:
        """Answer that data points are safe, all or some; refuse a request without any that is."""
        problems = "; ".join(found.samples)
        if found.rejected and not found.readings:
            return self.refused(request, 400, problems, {})
        return _answer(request, 200, said_of(found.rejected, problems, as_json=is_json(request)))

    def refused(
        self, request: web.Request, status: int, error: str, headers: Mapping[str, str]
    ) -> web.Response:
        """Answer that data points are not taken, or not safe yet."""
        if "Retry-After" in headers and status not in AGAIN:
            status = 503
        if is_json(request):
            return _answer(request, status, json.dumps({"message": error}).encode(), headers)
        try:
            status_message = classes("google.rpc", STATUS)["Status"]
        except ImportError:  # what is not installed is just what is told
            return web.Response(status=status, text=error, headers=headers)
        text = error.encode(errors="backslashreplace").decode()
        return _answer(request, status, status_message(message=text).SerializeToString(), headers)


def said_of(rejected: int, problems: str, *, as_json: bool) -> bytes:
    """Return what is said of the data points of a request; nothing, if all are safe."""
    from google.protobuf import json_format  # noqa: PLC0415 -- comes with an extra
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (  # noqa: PLC0415
        ExportMetricsServiceResponse,
    )

    response = ExportMetricsServiceResponse()
    if rejected:
        response.partial_success.rejected_data_points = rejected
        response.partial_success.error_message = problems.encode(errors="backslashreplace").decode()
    if as_json:
        return json_format.MessageToJson(response, indent=None).encode()
    return response.SerializeToString()


def is_json(request: web.Request) -> bool:
    """Say whether a request came as JSON."""
    return request.content_type.lower() == JSON


def _answer(
    request: web.Request, status: int, body: bytes, headers: Mapping[str, Any] | None = None
) -> web.Response:
    kind = JSON if is_json(request) else PROTOBUF
    return web.Response(status=status, body=body, content_type=kind, headers=headers)
