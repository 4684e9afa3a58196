"""What is in a file: a document, packed or not, or several in a zip."""

import gzip
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, BinaryIO, Final, cast

from isal import igzip, isal_zlib

from ingestd.plugins import _files
from ingestd.plugins._documents import DocumentError, Format

GZIP: Final = b"\x1f\x8b"
ZIP: Final = b"PK\x03\x04"
PACKED: Final = ".gz"
# What the readers of packed files raise when these are broken, or not whole yet.
BROKEN: Final[tuple[type[Exception], ...]] = (
    *(zipfile.BadZipFile, zlib.error, gzip.BadGzipFile, cast("Any", isal_zlib.error), EOFError),
    *(NotImplementedError, RuntimeError),  # a method of long ago, a password
)


@dataclass(frozen=True, slots=True)
class Part:
    """A document in a file.

    Attributes:
        name: What it is called, without the ending that says how it is packed.
        open: Opens it; it can be sought forwards.
    """

    name: str
    open: Callable[[], IO[bytes]]


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file; may block.

    Raises:
        OSError: It is none, or cannot be read.
    """
    with os.fdopen(_files.opened(path), "rb") as file:
        yield file


def parts_of(path: Path, file: BinaryIO, form: Format) -> Iterator[Part]:
    """Yield the documents in a file that is open.

    Raises:
        DocumentError: It is a zip in which none is.
    """
    start = file.read(len(ZIP))
    file.seek(0)
    if start.startswith(GZIP):
        yield Part(path.name.removesuffix(PACKED), lambda: unzipped(file))
    elif start == ZIP:
        with zipfile.ZipFile(file) as archive:
            files = {each.filename: each for each in archive.infolist() if not each.is_dir()}
            for name in form.chosen([*files]):
                yield Part(name, partial(archive.open, files[name]))
    else:
        yield Part(path.name, lambda: file)


def unzipped(file: BinaryIO) -> Any:
    """Return what reads a file that gzip has packed, perhaps in several pieces."""
    file.seek(0)
    opener: Any = igzip.IGzipFile
    return opener(fileobj=file, mode="rb")


@contextmanager
def as_documents() -> Iterator[None]:
    """Tell what is wrong with a packed file as what is wrong with a document.

    Raises:
        DocumentError: It is broken.
    """
    try:
        yield
    except DocumentError:
        raise
    except BROKEN as error:
        raise DocumentError("a whole gzip or zip file", why=str(error)) from None
