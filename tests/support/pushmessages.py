"""Messages to the push plugin that have just come."""

import base64
import bz2
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from ingestd.plugins.http_push.formats.message import Message

NOW: Final = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()


def message(document: Any, *, query: Mapping[str, str] | None = None, **named: str) -> Message:
    """Return a message that has just come."""
    return Message(query or {}, named, document, NOW, 1000, 1_000_000)


def packed(text: str) -> str:
    """Return what a Notecard makes of a list."""
    return base64.b64encode(bz2.compress(text.encode())).decode()
