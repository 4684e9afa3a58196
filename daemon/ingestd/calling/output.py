"""Keeps the end of what a process prints."""

import asyncio
import os
from typing import Final

KEPT_BYTES: Final = 16 * 1024
PIECE_BYTES: Final = 64 * 1024  # what a pipe of Linux holds


class OutputTail:
    """Reads a pipe as it fills, so that writing to it never blocks for long."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._tail = bytearray()
        self._dropped = 0
        self._open = True
        os.set_blocking(pipe, False)
        asyncio.get_running_loop().add_reader(pipe, self._read)

    def take(self) -> str:
        """Return what was printed up to now, and forget it."""
        # What was printed before the last message is in the pipe already. A
        # process that goes on printing must not keep us here.
        for _ in range(4):
            if not (self._open and self._read()):
                break
        text = self._tail.decode("utf-8", errors="replace")
        if self._dropped:
            text = f"[{self._dropped} bytes left out]\n{text}"
        self._tail.clear()
        self._dropped = 0
        return text

    def close(self) -> None:
        """Close the pipe; what was read stays until it is taken."""
        if self._open:
            self._open = False
            asyncio.get_running_loop().remove_reader(self._pipe)
            os.close(self._pipe)

    def _read(self) -> bool:
        """Read once from the pipe; return whether there may be more."""
        try:
            piece = os.read(self._pipe, PIECE_BYTES)
        except BlockingIOError:
            return False
        if not piece:
            self.close()
            return False
        self._tail += piece
        excess = len(self._tail) - KEPT_BYTES
        if excess > 0:
            del self._tail[:excess]
            self._dropped += excess
        return True
