"""JSON as devices write it, where only some of it may be what JSON allows.

A NUL at the end is not looked at. What printf makes of a number that is none (``nan``, ``-inf``,
``1.#QNAN``) becomes such a number; one with a plus or with nothing before its point, a bare word
and a missing value become texts. So each costs no more than the value that it stands for.

Imported by its full name, so that a copy of a plugin works in any folder.
"""

import codecs
import json
import re
from typing import Any, Final

import orjson

from ingestd.plugins._limits import LONGEST_NUMBER

# A text, which is left alone; a colon with nothing behind it; anything else that is no mark.
_WORD: Final = re.compile(r'[^\s,:\[\]{}"]+')
_TOKEN: Final = re.compile(rf'"(?:[^"\\]|\\.)*"|:(?=\s*[,}}])|{_WORD.pattern}', re.DOTALL)
# RFC 8259, sections 3 and 6.
_VALUE: Final = re.compile(r"true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?")
_NO_NUMBER: Final = re.compile(r"[-+]?(?:nan(?:\(\w*\))?|1\.#(?:[qs]nan|ind)\d*)", re.IGNORECASE)
_ENDLESS: Final = re.compile(r"([-+]?)(?:inf(?:inity)?|1\.#inf\d*)", re.IGNORECASE)
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


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
    text = _decode(data) if isinstance(data, bytes) else data
    text = text.strip("\ufeff\0 \t\r\n")
    if _WORD.fullmatch(text) and not _VALUE.fullmatch(text):
        raise ValueError(f"expected JSON, got {text!r:.80}")
    try:
        return json.loads(_TOKEN.sub(_quote, text), strict=False, parse_int=_whole)
    except RecursionError:
        raise ValueError("expected JSON, got too many levels of nesting") from None


def _decode(data: bytes) -> str:
    """Return bytes as text; a letter that is none makes one text unusable, not all of them."""
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    return data.decode(encoding, errors="replace" if encoding == "utf-16" else "surrogateescape")


def _quote(token: re.Match[str]) -> str:
    found = token[0]
    if found == ":":
        return ':""'
    if found[0] == '"' or _VALUE.fullmatch(found):
        return found
    if _NO_NUMBER.fullmatch(found):
        return "NaN"
    if endless := _ENDLESS.fullmatch(found):
        return endless[1].strip("+") + "Infinity"
    return json.dumps(found)


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) <= LONGEST_NUMBER else float(digits)
