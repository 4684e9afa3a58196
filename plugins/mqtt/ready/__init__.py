"""Ready routes: what devices of well-known kinds publish, read without a path or a template."""

from .kind import Ready
from .kinds import KINDS, ready
from .message import Message, Outgoing, Subscription, fits
from .together import ReadyRoutes

__all__ = [
    "KINDS",
    "Message",
    "Outgoing",
    "Ready",
    "ReadyRoutes",
    "Subscription",
    "fits",
    "ready",
]
