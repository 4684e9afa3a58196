"""JSON, and JSON line by line."""

from typing import Any

from ingestd.plugins._jsontext import read_json

from .errors import DocumentError
from .texts import decoded


def json_in(data: bytes, *, charset: str | None = None, said: str | None = None) -> Any:
    """Return the value in a JSON document: the one place where JSON is read.

    Raises:
        DocumentError: It is none.
    """
    try:
        if charset is None and (said is None or is_utf8(said)):
            return read_json(data)
        return read_json(decoded(data, charset=charset, said=said))
    except ValueError as error:
        raise DocumentError("JSON", why=str(error).removeprefix("expected JSON, ")) from None


def is_utf8(said: str) -> bool:
    """Say whether the name of an encoding is one of UTF-8."""
    return said.lower().replace("-", "").replace("_", "") == "utf8"


def ndjson_in(
    data: bytes, *, charset: str | None = None, said: str | None = None, strict: bool = True
) -> list[Any]:
    """Return the values in lines of JSON; a line that is none costs no other.

    Raises:
        DocumentError: It has to be ``strict``, and no line is JSON.
    """
    found, wrong = [], []
    if charset or said:
        data = decoded(data, charset=charset, said=said).encode()
    for number, line in enumerate(data.splitlines(), 1):
        if line.strip():
            try:
                found.append(json_in(line))
            except DocumentError as error:
                wrong.append(f"line {number}: {error}")
                found.append(f"no JSON: {line[:80]!r}")
    if strict and wrong and len(wrong) == len(found):
        raise DocumentError("lines of JSON", why=wrong[0])
    return found


def is_ndjson(data: bytes) -> bool:
    """Say whether what is no JSON is lines of it: the first line is a whole object or list."""
    lines = data.lstrip().splitlines()[:2]
    try:
        return len(lines) == 2 and isinstance(json_in(lines[0]), dict | list)
    except DocumentError:
        return False
