"""Documents in gzip and in zip, which may become larger, but not without bound."""

import io
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from .errors import DocumentError

GZIP: Final = b"\x1f\x8b"
ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06")  # the second has no files
WINDOW: Final = 31  # what says gzip to zlib
CHUNK: Final = 64 * 1024


# Returns those of the names of files that are wanted.
Choose = Callable[[Sequence[str]], Sequence[str]]


def unpacked(data: bytes, *, most_bytes: int, choose: Choose) -> Iterator[tuple[str, bytes]]:
    """Yield what is in a body, each with its name or an empty one; mostly the body itself.

    Args:
        data: The body.
        most_bytes: How large what is taken of it may become.
        choose: Says which files of a zip are taken.

    Raises:
        DocumentError: It is broken, or becomes larger than it may.
    """
    if data.startswith(GZIP):
        yield "", gunzipped(data, most_bytes=most_bytes)
    elif data.startswith(ZIP):
        yield from members(data, most_bytes=most_bytes, choose=choose)
    else:
        yield "", data


def gunzipped(data: bytes, *, most_bytes: int) -> bytes:
    """Return what was compressed, perhaps in several parts.

    Raises:
        DocumentError: It is broken, or becomes larger than it may.
    """
    found = bytearray()
    while data.startswith(GZIP):
        stream = zlib.decompressobj(WINDOW)
        try:
            found += stream.decompress(data, most_bytes + 1 - len(found))
        except zlib.error as error:
            raise DocumentError("gzip", why=str(error)) from None
        if len(found) > most_bytes:
            raise too_large(most_bytes)
        if not stream.eof:
            raise DocumentError("all of what was compressed with gzip", got="its beginning")
        data = stream.unused_data
    return bytes(found)


def members(data: bytes, *, most_bytes: int, choose: Choose) -> Iterator[tuple[str, bytes]]:
    """Yield the files in a zip that are wanted, in their order.

    Raises:
        DocumentError: It is broken, or becomes larger than it may.
    """
    left = most_bytes
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            files = {each.filename: each for each in archive.infolist() if not each.is_dir()}
            for each in map(files.__getitem__, choose([*files])):
                with archive.open(each) as file:
                    found = file.read(left + 1)
                left -= len(found)
                if left < 0:
                    raise too_large(most_bytes)
                yield each.filename, found
    # What is encrypted is a RuntimeError, and a method of long ago is not implemented.
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise DocumentError("a zip file", why=str(error)) from None


def too_large(most_bytes: int) -> DocumentError:
    """Return the error for what becomes too large."""
    return DocumentError(f"at most {most_bytes} bytes when unpacked", got="more")
