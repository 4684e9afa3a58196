"""Particle's boards, as the webhook of its cloud tells of them: ``T1=73.2 T2=5a a=300``."""

from typing import Any

from .message import (
    FormatError,
    Found,
    Message,
    as_bmon_would,
    bmon_time,
    finite,
    number_in,
    text_in,
)


def particle(message: Message) -> Found:
    """Find the variables of one board.

    A value that ends in ``a`` is older than the message by the seconds in ``a``,
    because it is an average whose middle lies that far back. Words are no values, not even those
    that are numbers in BMON's batches: a board says ``None`` or ``Offline`` of a sensor that is
    not there.

    Raises:
        FormatError: The board, the time or the age is missing.
    """
    board = text_in(message.document, "coreid")
    published = bmon_time(message.document.get("published_at"), message)
    if isinstance(published, str) or finite(published) is None:
        raise FormatError(f"published_at: expected a time, got {published!r:.80}")
    items = [item.partition("=") for item in text_in(message.document, "data").split()]
    ages = {name: value for name, _, value in items}
    age = int(number_in(ages.get("a", "0"), "data: a"))
    raw: list[Any] = []
    for name, sign, value in items:
        if name == "a" and sign:
            continue
        if not sign or not name:
            raw.append(f"{name}{sign}{value}")  # no reading, and rejected as such
            continue
        averaged = value.endswith("a")
        number = finite(value.removesuffix("a"))
        if number is None and value != "None":
            raw.append(f"{name}={value}")
        else:
            raw.append((int(published) - age if averaged else published, f"{board}_{name}", number))
    return as_bmon_would(raw, message)
