"""What a store's answer to a write means: may this body work later, or never?"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from ingestd.errors import BodyRejected, BodyTooLarge, StoreError, StoreUnavailable
from ingestd.plugins._retryafter import retry_after_seconds

UNPARSED: Final = re.compile(r"unable to parse '(.*)': (.*)", re.DOTALL)
NUMBERED: Final = re.compile(r"\bline (\d+)\b[^\n]*")
CONFLICT: Final = re.compile(
    r'field type conflict: input field "(?P<field>.*?)" on measurement "(?P<measurement>.*?)" is '
)
DROPPED: Final = re.compile(r"dropped=(\d+)")
LONGEST_MESSAGE: Final = 300


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer.

    Attributes:
        status: The HTTP status.
        text: The body, or its beginning if it is very long.
        content_type: Without parameters, in lower case.
        retry_after: The header as it came, or an empty string.
        location: Where a redirect leads, or an empty string.
    """

    status: int
    text: str = ""
    content_type: str = ""
    retry_after: str = ""
    location: str = ""


def error_of(
    reply: Reply, *, where: str, now: float, sent: Sequence[str] = ()
) -> StoreError | None:
    """Return what an answer to a write means, or None if everything was stored.

    Args:
        reply: The answer.
        where: The address, for the message; without secrets.
        now: The current time, in seconds since the Unix epoch.
        sent: The lines of the body, if the store may name some of them.
    """
    web_page = reply.content_type == "text/html"
    if 200 <= reply.status < 300 and not web_page:
        return None
    message = f"{where}: HTTP {reply.status}: {summary(reply)}"
    if reply.status == 413:
        return BodyTooLarge(message)
    # A web page comes from something in between, which has not seen the points.
    # InfluxDB 2.0 and 2.1 answered partial writes with 500.
    refused = reply.status in {400, 422} or (reply.status == 500 and "partial write" in reply.text)
    if refused and not web_page:
        return BodyRejected(message, bad=named(reply.text, sent))
    return StoreUnavailable(message, retry_after=retry_after_seconds(reply.retry_after, now=now))


def summary(reply: Reply) -> str:
    """Return what an answer says, for people, in one short line."""
    if 300 <= reply.status < 400:
        return f"redirects to {reply.location.partition('?')[0]!r:.200}; is the url right?"
    if reply.content_type == "text/html":
        return "answered with a web page; is the url right?"
    said = said_in(reply.text)
    return shortened(said.get("message") or said.get("error") or reply.text)


def said_in(text: str) -> dict[str, Any]:
    """Return the members of a JSON object, or nothing if it is not one."""
    try:
        said = orjson.loads(text.lstrip("\ufeff"))
    except orjson.JSONDecodeError:
        return {}
    if not isinstance(said, dict):
        return {}
    return {
        key: value
        for key, value in said.items()
        if key not in {"message", "error"} or isinstance(value, str)
    }


def named(text: str, sent: Sequence[str]) -> dict[int, str]:
    """Return which lines a store says it refused, and why; there may be more of them.

    The answers are those of InfluxDB 1 and 2 (``unable to parse '<line>': why``,
    ``partial write: why dropped=<n>``), of InfluxDB Cloud (``error parsing line
    2 (1-based): why``) and of InfluxDB 3 (a list with ``line_number``).
    """
    said = said_in(text)
    message = said.get("message") or said.get("error") or text
    if data := said.get("data"):
        return by_entry(data if isinstance(data, list) else [data], sent)
    return (
        by_text(message, sent)
        or by_number(message, said.get("line"), sent)
        or by_count(message, sent)
    )


def by_entry(entries: Sequence[Any], sent: Sequence[str]) -> dict[int, str]:
    """Return the lines that InfluxDB 3 lists."""
    bad = {}
    for entry in entries:
        if isinstance(entry, dict) and type(number := entry.get("line_number")) is int:
            bad[number - 1] = shortened(str(entry.get("error_message", "refused")))
    return {at: why for at, why in bad.items() if 0 <= at < len(sent)}


def by_text(message: str, sent: Sequence[str]) -> dict[int, str]:
    """Return the lines that are quoted as not understood."""
    why = {}
    for part in re.split(r"\n(?=unable to parse ')", message):
        if match := UNPARSED.search(part):
            why[match[1]] = shortened(match[2])
    return {at: why[line] for at, line in enumerate(sent) if line in why} if why else {}


def by_number(message: str, first: Any, sent: Sequence[str]) -> dict[int, str]:
    """Return the lines whose numbers, counted from 1, are told."""
    bad = {int(match[1]) - 1: shortened(match[0]) for match in NUMBERED.finditer(message)}
    if not bad and type(first) is int:
        bad = {first - 1: shortened(message)}
    return {at: why for at, why in bad.items() if 0 <= at < len(sent)}


def by_count(message: str, sent: Sequence[str]) -> dict[int, str]:
    """Return the lines that a partial write must have dropped, if the number leaves no doubt.

    Points beyond the retention are the oldest of the batch; a field of another
    type concerns all the points of its measurement and field, or it stays unsaid.
    """
    dropped = DROPPED.search(message)
    if dropped is None or not 0 < int(dropped[1]) <= len(sent):
        return {}
    count, why = int(dropped[1]), shortened(message)
    too_old = "beyond retention policy" in message or "Retention Policy Lower Bound" in message
    if too_old and "Upper Bound" not in message:
        oldest = sorted(range(len(sent)), key=lambda at: int(sent[at].rpartition(" ")[2]))
        return dict.fromkeys(sorted(oldest[:count]), why)
    if conflict := CONFLICT.search(message):
        same = [at for at, line in enumerate(sent) if belongs(line, **conflict.groupdict())]
        return dict.fromkeys(same, why) if len(same) == count else {}
    return {}


def belongs(line: str, *, measurement: str, field: str) -> bool:
    """Whether a line is of that measurement and field, both unescaped."""
    plain = line.replace("\\", "")
    return plain.startswith(f"{measurement},") and f" {field}=" in plain


def shortened(text: str) -> str:
    """Return the beginning of a text, in one line."""
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_MESSAGE else f"{text[:LONGEST_MESSAGE]}..."
