"""From bytes to text."""

import codecs
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from typing import Any

from .errors import DocumentError


def charset_of(charset: Any) -> str | None:
    """Read the option ``charset``.

    Raises:
        ValueError: There is none of that name.
    """
    if charset is None:
        return None
    try:
        codecs.lookup(charset)
    except (LookupError, TypeError):
        raise ValueError(
            f"charset: expected a name such as utf-8 or cp1252, got {charset!r:.80}"
        ) from None
    return str(charset)


def decoded(data: bytes, *, charset: str | None, said: str | None) -> str:
    """Return the text in a body.

    Args:
        data: The body; what its byte order mark says goes first.
        charset: What the operator says.
        said: What the sender says, which may be made up.

    Raises:
        DocumentError: It is not encoded like that.
    """
    encoding = charset or said or "utf-8"
    if data.startswith(BOM_UTF8):
        encoding = "utf-8"
    elif data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        encoding = "utf-16"
    try:
        text = data.decode(encoding)
    except LookupError:
        return decoded(data, charset=None, said=None)
    except UnicodeDecodeError as error:
        wrong = error.object[error.start : error.end]
        raise DocumentError(
            f"text in {encoding}, or `charset` beside it",
            got=f"{wrong!r} at byte {error.start}",
        ) from None
    return text.lstrip("\ufeff")
