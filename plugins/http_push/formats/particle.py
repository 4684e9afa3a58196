"""Particle's boards, as the webhook of its cloud tells of them: ``T1=73.2 T2=5a a=300``."""

from typing import Any

from .message import FormatError, Found, Message, as_bmon_would, bmon_time, text_in


def particle(message: Message) -> Found:
    """Find the variables of one board.

    A value that ends in ``a`` is older than the message by the seconds in ``a``,
    because it is an average whose middle lies that far back.

    Raises:
        FormatError: The board, the time or the age is missing.
    """
    board = text_in(message.document, "coreid")
    published = bmon_time(message.document.get("published_at"), message)
    if not isinstance(published, int | float):
        raise FormatError(f"published_at: expected a time, got {published!r:.80}")
    items = [item.partition("=") for item in text_in(message.document, "data").split()]
    age = age_of({name: value for name, _, value in items}.get("a", "0"))
    raw: list[Any] = []
    for name, sign, value in items:
        if name == "a" and sign:
            continue
        if not sign or not name:
            raw.append(f"{name}{sign}{value}")  # no reading, and rejected as such
        elif value.endswith("a"):
            raw.append((int(published) - age, f"{board}_{name}", value[:-1]))
        else:
            raw.append((published, f"{board}_{name}", value))
    return as_bmon_would(raw, message)


def age_of(text: str) -> int:
    """Return how old the averages are, in seconds.

    Raises:
        FormatError: It is no number.
    """
    try:
        return int(float(text))
    except (ValueError, OverflowError):
        raise FormatError(f"data: expected a=<seconds>, got {text!r:.80}") from None
