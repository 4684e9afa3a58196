"""Messages between the daemon and its worker processes.

A message is a pickle behind its length. The daemon loads nothing but plain
builtins, dates and times, so that no foreign class comes in this way.
"""

from __future__ import annotations

import io
import pickle
import socket
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo

LENGTH_BYTES: Final = 8
LARGEST: Final = 1 << 28  # bytes of one message; more means that the channel was garbled
# Named one by one: pickle follows a dotted name from module to module, to `os.system` perhaps.
_WELCOME: Final = {
    (each.__module__, each.__qualname__): each
    for each in (datetime, date, time, timedelta, timezone, ZoneInfo)
}


class _Pickler(pickle.Pickler):
    def reducer_override(self, obj: Any) -> Any:
        """Replace a time zone of foreign make by its offset; the instant stays."""
        if type(obj) is ZoneInfo and obj.key:  # by itself it would ask for getattr
            return ZoneInfo, (obj.key,)
        if isinstance(obj, datetime) and not _is_plain(obj.tzinfo):
            offset = obj.utcoffset()
            zone = None if offset is None else timezone(offset)
            return obj.replace(tzinfo=zone).__reduce_ex__(4)
        return NotImplemented


def _is_plain(zone: tzinfo | None) -> bool:
    return zone is None or type(zone) is timezone or (type(zone) is ZoneInfo and bool(zone.key))


class _Unpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        try:
            return _WELCOME[module_name, global_name]
        except KeyError:
            text = f"{module_name}.{global_name} has no business here"
            raise pickle.UnpicklingError(text) from None


def encode(message: object) -> bytes:
    """Return a message as it travels.

    Raises:
        Exception: Something in it cannot be pickled; its own code may raise anything.
    """
    buffer = io.BytesIO(b"\0" * LENGTH_BYTES)
    buffer.seek(LENGTH_BYTES)
    _Pickler(buffer, protocol=5).dump(message)
    with buffer.getbuffer() as view:
        view[:LENGTH_BYTES] = (len(view) - LENGTH_BYTES).to_bytes(LENGTH_BYTES, "big")
    return buffer.getvalue()


def decode(body: bytes) -> Any:
    """Return the message whose length has been cut off.

    Raises:
        Exception: It was garbled, or holds more than plain values.
    """
    return _Unpickler(io.BytesIO(body)).load()


def receive(channel: socket.socket) -> Any:
    """Wait for a message.

    Raises:
        EOFError: The other end is gone.
    """
    return decode(_exactly(channel, int.from_bytes(_exactly(channel, LENGTH_BYTES), "big")))


def _exactly(channel: socket.socket, count: int) -> bytes:
    parts = []
    while count > 0:
        part = channel.recv(min(count, 1 << 20))
        if not part:
            raise EOFError
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
