"""Blues' Notecards, as a route of their Notehub tells of them."""

import base64
import binascii
import bz2
import re
from ast import literal_eval
from collections.abc import Iterator
from typing import Any, Final

from ingestd.plugins._limits import LONGEST_NUMBER

from .message import (
    FormatError,
    Found,
    Message,
    TooLargeError,
    as_bmon_would,
    finite,
    mapping,
    text_in,
    within,
)

NUMBER: Final = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?"
TEXT: Final = r"'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\""
WORD: Final = r"None|True|False|nan|-?inf"
# One reading of a Python list, as ``str`` writes it.
READING: Final = re.compile(
    rf"\s*[(\[]\s*({NUMBER}|None)\s*,\s*({TEXT}|{NUMBER})\s*,\s*({NUMBER}|{WORD}|{TEXT})\s*[)\]]"
)
FOLLOWS: Final = re.compile(r"\s*(,\s*\]|,|\])\s*")


def notehub(message: Message) -> Found:
    """Find the readings of a message, of whichever of the three kinds it is.

    Raises:
        FormatError: It is of none.
    """
    kind = kind_of(message.document)
    if kind == "fields_in_body":
        raw = fields_in_body(message.document)
    elif kind == "standalone":
        raw = standalone(message.document)
    elif kind == "ts_id_val_bz2":
        raw = packed(message)
    else:
        known = "fields_in_body, standalone or ts_id_val_bz2"
        raise FormatError(f"reading_type: expected {known}, got {kind!r:.80}")
    return as_bmon_would(raw, message, note="" if raw else "No Data Found")


def kind_of(document: dict[str, Any]) -> Any:
    """Return the kind of message that it says it is, or else that its product sends."""
    for said in (document.get("reading_type"), within(document, "body", "reading_type")):
        if said is not None:
            return said
    product = str(document.get("product"))
    if "pv_monitoring" in product:
        return "fields_in_body"
    return "standalone" if "tempmonitor" in product else None


def fields_in_body(document: dict[str, Any]) -> list[Any]:
    """Return a reading for each field of the body."""
    device = text_in(document, "device").rpartition(":")[2]
    when = moment(document)
    body = mapping(document.get("body"), "body")
    return [
        (when, f"{device}_{name}", value) for name, value in body.items() if name != "reading_type"
    ]


def standalone(document: dict[str, Any]) -> list[Any]:
    """Return what a card without a processor beside it measures itself."""
    device, when = text_in(document, "best_id"), moment(document)
    readings: list[Any] = []
    if "temp" in document:
        told = document["temp"]
        celsius = finite(told)
        value = told if celsius is None else celsius * 1.8 + 32.0
        readings.append((when, f"{device}_temperature", value))
    if "voltage" in document:
        readings.append((when, f"{device}_vdd", document["voltage"]))
    return readings


def moment(document: dict[str, Any]) -> Any:
    """Return when it was measured.

    Raises:
        FormatError: It does not say.
    """
    when = document.get("when")
    if isinstance(when, bool | str) or finite(when) is None:
        raise FormatError(f"when: expected Unix seconds, got {when!r:.80}")
    return when


def packed(message: Message) -> list[Any]:
    """Return the readings of a Python list that was compressed and written as base64.

    Raises:
        FormatError: It is none.
        TooLargeError: It becomes larger than we take.
    """
    text = message.document.get("readings") or within(message.document, "body", "readings")
    try:
        inflated = bz2.BZ2Decompressor().decompress(
            base64.b64decode(text, validate=True), max_length=message.most_bytes + 1
        )
    except (TypeError, ValueError, OSError, EOFError, binascii.Error) as error:
        raise FormatError(f"readings: expected base64 of bz2: {error}") from None
    if len(inflated) > message.most_bytes:
        raise TooLargeError(f"readings: expected at most {message.most_bytes} bytes when unpacked")
    return list(listed(inflated.decode(errors="replace")))


def listed(text: str) -> Iterator[Any]:
    """Yield the readings of a list as Python writes it, looking at one after the other.

    Not ``literal_eval`` for all of it: that needs a hundred times the memory, and
    too many brackets end the process.

    Raises:
        FormatError: It is no such list.
    """
    text = text.strip()
    if text == "[]":
        return
    at, end = 1, ""
    while end != "]":
        found = READING.match(text, at) if text.startswith("[") else None
        follows = FOLLOWS.match(text, found.end()) if found else None
        if found is None or follows is None:
            raise FormatError(
                f"readings: expected [(time, 'id', value), …], got {text[at : at + 80]!r}"
            )
        yield tuple(map(scalar, found.groups()))
        at, end = follows.end(), follows[1][-1]
    if at != len(text):
        raise FormatError(f"readings: expected the end of the list, got {text[at : at + 80]!r}")


def scalar(text: str) -> Any:
    """Return the value of a number, a text or a word.

    Raises:
        FormatError: Python would not write it like this.
    """
    if text in {"nan", "inf", "-inf"}:
        return float(text)
    try:
        if text[0] in "'\"" or len(text) <= LONGEST_NUMBER:
            return literal_eval(text)
    except (SyntaxError, ValueError):
        pass
    raise FormatError(f"readings: expected texts and numbers of Python, got {text!r:.80}")
