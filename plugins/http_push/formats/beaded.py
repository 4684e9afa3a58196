"""The Ethernet activator of beadedStream: XML between lines that are none."""

from typing import Any, Final
from xml.parsers import expat

from .message import FormatError, Found, Message, as_bmon_would, finite

THERMOMETER: Final = "owd_DS18"
DEEPEST: Final = 20


def beaded(message: Message) -> Found:
    """Find the temperature of each thermometer, in Fahrenheit as BMON keeps it."""
    raw = [reading(each) for each in thermometers(document_in(message.document))]
    return as_bmon_would(raw, message, note="" if raw else "No Data Found")


def document_in(body: bytes) -> bytes:
    """Return what lies between the first and the last line that look like XML.

    Raises:
        FormatError: No line does.
    """
    lines = body.splitlines(keepends=True)
    marked = [at for at, line in enumerate(lines) if line.lstrip().startswith(b"<")]
    if not marked:
        raise FormatError(f"expected lines of XML, got {body[:80]!r}")
    return b"".join(lines[marked[0] : marked[-1] + 1])


def thermometers(document: bytes) -> list[dict[str, str]]:
    """Return what the document says of each thermometer: the texts of its elements, by name.

    Raises:
        FormatError: It is no XML, or has definitions of its own, which might be bombs.
    """
    found: list[dict[str, str]] = []
    path: list[str] = []

    def start(name: str, _: Any) -> None:
        path.append(name)
        if len(path) > DEEPEST:
            raise FormatError(f"expected at most {DEEPEST} levels of XML")
        if len(path) == 2 and THERMOMETER in name:
            found.append({})

    def end(_: str) -> None:
        path.pop()

    def text(data: str) -> None:
        if len(path) == 3 and THERMOMETER in path[1]:
            found[-1][path[2]] = found[-1].get(path[2], "") + data

    def refuse(*_: Any) -> None:
        raise FormatError("expected XML without definitions of its own, got a DOCTYPE")

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = text, refuse
    try:
        parser.Parse(document, True)
    except FormatError:
        raise
    except (expat.ExpatError, LookupError, ValueError) as error:  # encodings, too
        raise FormatError(f"expected XML: {error}") from None
    return found


def reading(told: dict[str, str]) -> Any:
    """Return the reading of a thermometer, or what it has said instead."""
    name = next((text for tag, text in told.items() if "SensorID" in tag), "").strip()
    text = next((text for tag, text in told.items() if "TemperatureCalibrated" in tag), "")
    celsius = finite(text)
    if celsius is None:
        return None, f"bs_{name}", f"no temperature: {text!r:.40}"
    return None, f"bs_{name}" if name else "", celsius * 1.8 + 32.0
