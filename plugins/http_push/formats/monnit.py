"""Monnit's wireless sensors, as the webhook of the iMonnit server tells of them."""

from typing import Any

from .message import FormatError, Found, Message, as_bmon_would, bmon_time, within


def monnit(message: Message) -> Found:
    """Find the first value of each sensor's message.

    Raises:
        FormatError: It is no list of messages.
    """
    messages = message.document.get("sensorMessages")
    if messages is None:  # it tells of a gateway alone
        return Found(note="No Data Found")
    if not isinstance(messages, list):
        raise FormatError(f"sensorMessages: expected a list, got {messages!r:.80}")
    return as_bmon_would([reading(each, message) for each in messages], message)


def reading(told: Any, message: Message) -> Any:
    """Return the reading in one sensor's message, or what is there instead."""
    name = within(told, "sensorID")
    if name is None:
        return told
    values = within(told, "plotValues")
    first = None if values is None else str(values).split("|")[0].strip()
    return bmon_time(within(told, "messageDate"), message), name, first
