"""Bodies of line protocol: lines as they travel and as they wait on disk.

A body is a header, a line feed, and the lines, compressed or not. The header is
one letter for the precision of the times, and the earliest of them in
microseconds if that was known, as in ``s1700000000000000``. It is there because
a body may wait for weeks in the spool, the request that sends it must name the
precision, and what it holds may have grown too old by then: a store that drops
such points in silence must not be sent them, and inflating and reading 5,000
lines to find none takes most of the time that it took to make them. It stands in
front because a comment in the gzip header would be lost without compression, and
a comment line would have to be inflated to be read.

A payload is one line whose time is in microseconds, also if its body's were not, so
payloads of different bodies can be joined, read by people and sent by hand.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from isal import igzip, isal_zlib

from ingestd.errors import UnreadableBody, UnsendablePayload
from ingestd.sinks.lineprotocol import UNITS, UNSENDABLE, Lines

HEADER: Final = re.compile(rb"([smu])(-?\d+)?\n")
DIGITS: Final = tuple(b"%d" % digit for digit in range(10))  # a line ends with its time
GZIP_MAGIC: Final = b"\x1f\x8b"  # no line begins with it
GZIP_WINDOW: Final = 31  # zlib's way to say: gzip, 32 KiB window
# Without points: what a store answers to it tells whether we may write.
NOTHING: Final = b"s\n"


@dataclass(frozen=True, slots=True)
class Packed:
    """A body, opened but not unpacked.

    Attributes:
        precision: The letter of the unit that its times are in.
        first_us: The earliest time, in microseconds since the Unix epoch, or None
            if only the lines tell.
        data: The lines, perhaps compressed.
    """

    precision: bytes
    first_us: int | None
    data: bytes

    @property
    def compressed(self) -> bool:
        """Whether the lines are."""
        return self.data.startswith(GZIP_MAGIC)

    def lines(self) -> list[bytes]:
        """Return the lines.

        Raises:
            ValueError: They cannot be inflated.
        """
        text = self.data
        if self.compressed:
            try:
                text = isal_zlib.decompress(text, wbits=GZIP_WINDOW)
            except isal_zlib.error as exc:  # type: ignore[misc]  # its stubs say it is an instance
                raise ValueError(f"the body cannot be inflated: {exc}") from exc
        # Not splitlines(): only a line feed ends a line, and tags may hold other separators.
        return text.split(b"\n") if text else []

    def may_begin_before(self, time_us: int) -> bool:
        """Whether a look at the lines could find one before that time."""
        return self.first_us is None or self.first_us < time_us

    def before(self, time_us: int) -> list[int]:
        """Return the places of the lines whose time is before that one.

        Args:
            time_us: In microseconds since the Unix epoch.

        Raises:
            ValueError: They cannot be read.
        """
        first = -(-time_us // UNITS[self.precision])  # the first of its units that is not before
        times = [int(line[line.rindex(b" ") + 1 :]) for line in self.lines()]
        return [at for at, time in enumerate(times) if time < first]


def opened(data: bytes) -> Packed:
    """Open a body.

    Raises:
        ValueError: It is none of ours.
    """
    header = HEADER.match(data)
    if header is None:
        raise ValueError(f"expected a body that begins with s, m or u, got {data[:20]!r}")
    precision, first_us = header.groups()
    return Packed(precision, None if first_us is None else int(first_us), data[header.end() :])


def packed(lines: Lines, *, compress: bool) -> bytes:
    """Make a body of lines that were encoded together."""
    return pack(lines.text, b"%b%d" % (lines.precision, lines.first_us), compress=compress)


def pack(text: bytes, header: bytes, *, compress: bool) -> bytes:
    """Make a body of a text and its header."""
    return header + b"\n" + (igzip.compress(text, 1) if compress else text)


def split(data: bytes) -> list[bytes]:
    """Take a body apart into one line for each point, its time in microseconds.

    Raises:
        UnreadableBody: It is damaged, or not of lines.
    """
    try:
        body = opened(data)
        lines = body.lines()
    except ValueError as exc:
        raise UnreadableBody(str(exc)) from exc
    zeros = b"0" * (len(str(UNITS[body.precision])) - 1)
    return [line + zeros for line in lines]


def join(payloads: Sequence[bytes], *, compress: bool) -> bytes:
    """Make a body of payloads.

    Raises:
        UnsendablePayload: One of them is no line: none can say it, or it was made for
            another kind of store.
    """
    for payload in payloads:
        if payload.startswith(UNSENDABLE) or not payload.endswith(DIGITS):
            raise UnsendablePayload(f"line protocol cannot say {payload!r:.200}")
    # Cutting zeros is five times faster than reading times, and the drain does it all day.
    zeros = {letter: b"0" * (len(str(unit)) - 1) for letter, unit in UNITS.items()}
    precision = next(
        letter
        for letter, end in zeros.items()
        if all(payload.endswith(end) for payload in payloads)
    )
    cut = len(zeros[precision])
    lines = [payload[:-cut] for payload in payloads] if cut else payloads
    return pack(b"\n".join(lines), precision, compress=compress)
