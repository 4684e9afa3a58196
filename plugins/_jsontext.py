"""JSON as devices write it, where only some of it may be what JSON allows.

NUL and byte order marks between values are not looked at, nor is what C programs leave behind the
NUL that ends their text. What printf makes of a number that is none (``nan``, ``-inf``,
``1.#QNAN``) becomes such a number; one with a plus, with a decimal comma or with nothing before
its point, a bare word and a missing value become texts. So each costs no more than the value that
it stands for. A comma behind the last value means nothing, and what Python prints is read, too:
texts in single quotes, ``None``, ``True`` and ``False``.

Imported by its full name, so that a copy of a plugin works in any folder.
"""

import codecs
import json
import re
from typing import Any, Final

import orjson

from ingestd.plugins._limits import LONGEST_NUMBER

_WORD: Final = re.compile(r'[^\s,:\[\]{}"\0\ufeff]+')
_TOKEN: Final = re.compile(
    r'"(?:[^"\\]|\\.)*"'  # a text, which is left alone
    r"|(?P<quoted>'(?:[^'\\]|\\.)*')"
    r"|(?P<blank>[^\S \t\r\n]|[\0\ufeff])"
    r"|(?P<last>,(?=\s*[}\]]))"
    r"|(?P<missing>:(?=\s*[,}])|[,\[](?=\s*,))"
    r"|:\s*(?P<comma>[-+]?\d+,\d+)(?=\s*[,}])"  # no name follows a comma, so it is a decimal one
    rf"|{_WORD.pattern}",
    re.DOTALL,
)
_ESCAPED: Final = re.compile(r"\\x([0-9A-Fa-f]{2})|\\.|\"", re.DOTALL)
# What programs write for what JSON has in small letters, or has no word for.
_NAMES: Final = {
    "none": "null",
    "null": "null",
    "undefined": "null",
    "true": "true",
    "false": "false",
}
# RFC 8259, sections 3 and 6.
_VALUE: Final = re.compile(r"true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?")
_NO_NUMBER: Final = re.compile(r"[-+]?(?:nan(?:\(\w*\))?|1\.#(?:[qs]nan|ind)\d*)", re.IGNORECASE)
_ENDLESS: Final = re.compile(r"([-+]?)(?:inf(?:inity)?|1\.#inf\d*)", re.IGNORECASE)
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# What may stand around a document and says nothing.
_NOTHING: Final = "\ufeff\0\x1e \t\r\n"


def read_json(data: bytes | str) -> Any:
    """Return the document in a text.

    Args:
        data: The text; bytes are UTF-8, unless a byte order mark says UTF-16.

    Raises:
        ValueError: There is none, whatever single values are taken for.
    """
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        pass
    text = (_decode(data) if isinstance(data, bytes) else data).strip(_NOTHING)
    try:
        return _mended(text)
    except json.JSONDecodeError:
        before, nul, _ = text.partition("\0")
        if not nul:
            raise
        return _mended(before.strip(_NOTHING))


def _mended(text: str) -> Any:
    """Return the document in a text in which single values may be none of JSON.

    Raises:
        ValueError: There is none.
    """
    if _WORD.fullmatch(text.strip()) and not _VALUE.fullmatch(text):
        raise ValueError(f"expected JSON, got {text!r:.80}")
    try:
        return json.loads(_TOKEN.sub(_quote, text), strict=False, parse_int=_whole)
    except RecursionError:
        raise ValueError("expected JSON, got too many levels of nesting") from None


def _decode(data: bytes) -> str:
    """Return bytes as text; a letter that is none makes one text unusable, not all of them."""
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    encoding = encoding or _without_mark(data)
    strict = encoding.startswith("utf-8")
    return data.decode(encoding, errors="surrogateescape" if strict else "replace")


def _without_mark(data: bytes) -> str:
    """Return how bytes are encoded that begin with two letters of ASCII, as JSON does."""
    if data[1:2] == data[3:4] == b"\0":
        return "utf-16-le"
    return "utf-16-be" if data[:1] == data[2:3] == b"\0" else "utf-8"


def _quote(token: re.Match[str]) -> str:
    found = token[0]
    if found[0] == '"':
        return found
    if (kind := token.lastgroup) is not None:
        return _odd(token, kind)
    if _VALUE.fullmatch(found):
        return found
    if _NO_NUMBER.fullmatch(found):
        return "NaN"
    if endless := _ENDLESS.fullmatch(found):
        return endless[1].strip("+") + "Infinity"
    return _NAMES.get(found.lower()) or json.dumps(found)


def _odd(token: re.Match[str], kind: str) -> str:
    """Return in JSON what is none there, of the kind that the pattern says."""
    if kind == "quoted":
        return f'"{_ESCAPED.sub(_escape, token[0][1:-1])}"'
    if kind == "missing":
        return f'{token[0]}""'
    if kind == "comma":
        return f':"{token["comma"]}"'
    return " " if kind == "blank" else ""


def _escape(found: re.Match[str]) -> str:
    """Return as JSON escapes it what stands in a text in single quotes."""
    if found[1]:
        return f"\\u00{found[1]}"
    return {'"': '\\"', "\\'": "'"}.get(found[0], found[0])


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) <= LONGEST_NUMBER else float(digits)
