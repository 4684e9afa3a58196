"""What goes wrong, as ``application/problem+json`` (RFC 9457)."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web

from ingestd.errors import (
    ConfigError,
    DiskFull,
    IngestError,
    NotFound,
    NotNow,
    NotPossible,
    Problem,
    QueryError,
    QueueFull,
    StateError,
    StoreError,
)

# The first that fits counts; what is not among them is a bug of ours.
STATUS: Final[Sequence[tuple[type[IngestError], int]]] = (
    (ConfigError, 422),
    (NotFound, 404),
    (QueueFull, 429),
    (NotNow, 409),
    (NotPossible, 422),
    (QueryError, 502),
    (StoreError, 502),
    (DiskFull, 507),
    (StateError, 503),
)


class Refusal(Exception):
    """A request that is not answered as it wished.

    Attributes:
        status: The HTTP status.
        detail: Why, for people.
        headers: What the answer needs besides.
    """

    def __init__(
        self, status: int, detail: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, dict(headers or {})


def refusal_of(error: Exception) -> Refusal | None:
    """Return how an error is told, or None if it is a bug."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, web.HTTPException):
        allow = error.headers.get("Allow")
        text = (error.text or error.reason).removeprefix(f"{error.status}: ")
        text = f"expected {allow}" if allow else text
        return Refusal(error.status, text, headers={"Allow": allow} if allow else None)
    for kind, status in STATUS:
        if isinstance(error, kind):
            return Refusal(status, str(error))
    return None


def as_json(refusal: Refusal, problems: Sequence[Problem] = ()) -> dict[str, Any]:
    """Return what is sent."""
    told: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(refusal.status).phrase,
        "status": refusal.status,
        "detail": refusal.detail,
    }
    if problems:
        told["problems"] = [
            {"where": each.where, "key": each.key, "message": each.message} for each in problems
        ]
    return told
