"""BMON's own formats: one reading in an address or a form, or a batch of them in JSON."""

from typing import Any

from .message import FormatError, Found, Message, as_bmon_would, bmon_time
from .monnit import monnit
from .particle import particle


def single(message: Message) -> Found:
    """Find the one reading in ``val`` and ``ts``, whose id is in the path."""
    return one(message, message.named["id"])


def old(message: Message) -> Found:
    """Find the one reading of the older address, whose ``id`` is beside its ``val``."""
    if "id" not in message.document:
        raise FormatError("expected id= and val=, got no id")
    return one(message, message.document["id"])


def one(message: Message, name: str) -> Found:
    """Find one reading in the fields of a form.

    Raises:
        FormatError: It has no value.
    """
    fields = message.document
    if "val" not in fields:
        raise FormatError("expected val= and perhaps ts=, got no val")
    time = bmon_time(fields["ts"], message) if "ts" in fields else None
    return as_bmon_would([(time, name, fields["val"])], message)


def batch(message: Message) -> Found:
    """Find the readings of a batch, or of the kind that ``format`` says.

    Raises:
        FormatError: It is in no format that is known here.
    """
    document: Any = message.document
    form = document.get("format")
    if form == "monnit":
        return monnit(message)
    if form == "particle":
        return particle(message)
    if form is not None:
        raise FormatError(f"format: expected monnit, particle or none, got {form!r:.80}")
    readings = document.get("readings")
    if not isinstance(readings, list):
        raise FormatError(f"readings: expected [[time, id, value], …], got {readings!r:.80}")
    return as_bmon_would(readings, message)
