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


def decoder_of(data: bytes, *, charset: str | None, said: str | None) -> codecs.IncrementalDecoder:
    """Return what decodes a body that comes in parts.

    Args:
        data: Its beginning.
        charset: As for ``decoded``.
        said: As for ``decoded``.
    """
    encoding = encoding_of(data, charset=charset, said=said)
    try:
        return codecs.getincrementaldecoder(encoding)()
    except LookupError:
        return codecs.getincrementaldecoder("utf-8")()


def decoded_more(decoder: codecs.IncrementalDecoder, data: bytes, *, last: bool) -> str:
    """Return the text in some more of a body.

    Raises:
        DocumentError: It is not encoded like that.
    """
    try:
        return decoder.decode(data, final=last)
    except UnicodeDecodeError as error:
        raise no_text(error) from None


def encoding_of(data: bytes, *, charset: str | None, said: str | None) -> str:
    """Return how a body is encoded: as its byte order mark says, or else as it is said."""
    if data.startswith(BOM_UTF8):
        return "utf-8"
    if data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return "utf-16"
    return charset or said or "utf-8"


def no_text(error: UnicodeDecodeError) -> DocumentError:
    """Return the error for bytes that are no text."""
    wrong = error.object[error.start : error.end]
    return DocumentError(
        f"text in {error.encoding}, or `charset` beside it",
        got=f"{wrong!r} at byte {error.start}",
    )


def decoded(data: bytes, *, charset: str | None, said: str | None) -> str:
    """Return the text in a body.

    Args:
        data: The body; what its byte order mark says goes first.
        charset: What the operator says.
        said: What the sender says, which may be made up.

    Raises:
        DocumentError: It is not encoded like that.
    """
    try:
        text = data.decode(encoding_of(data, charset=charset, said=said))
    except LookupError:
        return decoded(data, charset=None, said=None)
    except UnicodeDecodeError as error:
        raise no_text(error) from None
    return text.lstrip("\ufeff")
