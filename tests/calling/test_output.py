"""The end of what a process prints, read from a pipe."""

import fcntl
import os

from ingestd.calling.output import KEPT_BYTES, PIECE_BYTES, OutputTail


async def test_a_pipe_of_any_size_is_emptied() -> None:
    """Where pages are large, a pipe holds more than one read takes."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4 * PIECE_BYTES)
    os.write(writing, b"x" * 3 * PIECE_BYTES + b"the end")
    output = OutputTail(reading)

    text = output.take()

    os.close(writing)
    output.close()
    dropped = 3 * PIECE_BYTES + len("the end") - KEPT_BYTES
    assert text.startswith(f"[{dropped} bytes left out]\nx")
    assert text.endswith("xthe end")
    assert len(text) == KEPT_BYTES + len(f"[{dropped} bytes left out]\n")


async def test_what_was_taken_is_forgotten() -> None:
    """Each run has its own output, and its own number of bytes that were left out."""
    reading, writing = os.pipe()
    output = OutputTail(reading)
    os.write(writing, b"x" * (KEPT_BYTES + 1))

    assert output.take() == "[1 bytes left out]\n" + "x" * KEPT_BYTES
    os.write(writing, b"next")
    assert output.take() == "next"
    os.close(writing)
    assert output.take() == ""
    output.close()
