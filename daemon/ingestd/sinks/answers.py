"""What a store's answer to a write means: may this body work later, or never?"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
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
LONGEST_MESSAGE: Final = 300  # characters
STORED: Final = 204
TITLE: Final = re.compile(r"<title>([^<]*)", re.IGNORECASE)
# nginx, and Go's server, in which most stores are written.
WANTS_TLS: Final = ("HTTP request was sent to HTTPS port", "HTTP request to an HTTPS server")


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer.

    Attributes:
        status: The HTTP status.
        text: The body, or its beginning if it is very long.
        content_type: Without parameters, in lower case.
        retry_after: The header as it came, or an empty string.
        location: Where a redirect leads, or an empty string.
        headers: The headers that tell who answers, their names in lower case.
    """

    status: int
    text: str = ""
    content_type: str = ""
    retry_after: str = ""
    location: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_page(self) -> bool:
        """Whether it is a web page, which no store answers a write with."""
        start = self.text[:64].lstrip().lower()
        return self.content_type == "text/html" or start.startswith(("<!doctype", "<html"))


def in_json(reply: Reply) -> bool:
    """Say whether a refusal is in the words of InfluxDB: a JSON object with the reason."""
    return not said_in(reply.text).keys().isdisjoint({"error", "message"})


def error_of(
    reply: Reply,
    *,
    where: str,
    now: float,
    sent: Sequence[str] = (),
    is_refusal: Callable[[Reply], bool] = in_json,
) -> StoreError | None:
    """Return what an answer to a write means, or None if everything was stored.

    Every server that we write lines to says so with 204. Any other success is that of
    something else, such as the page of a proxy or of a portal, which stores nothing.

    Args:
        reply: The answer.
        where: The address, for the message; without secrets.
        now: The current time, in seconds since the Unix epoch.
        sent: The lines of the body, if the store may name some of them.
        is_refusal: Whether an answer is in the words in which this kind of store refuses
            readings; in other words the request is refused, which can be mended.
    """
    if reply.status == STORED:
        return None
    message = f"{where}: HTTP {reply.status}: {summary(reply)}"
    if reply.status == 413:
        return BodyTooLarge(message)
    # A web page comes from something in between, which has not seen the points.
    # InfluxDB 2.0 and 2.1 answered partial writes with 500.
    refused = reply.status in {400, 422} or (reply.status == 500 and "partial write" in reply.text)
    if refused and not reply.is_page and is_refusal(reply):
        return BodyRejected(message, bad=named(reply.text, sent))
    retry_after = retry_after_seconds(reply.retry_after, now=now)
    failed = reply.status >= 500 and reply.status != 503
    return StoreUnavailable(
        message,
        retry_after=retry_after,
        answered=True,
        perhaps_body=failed and retry_after is None and not reply.is_page,
    )


def summary(reply: Reply) -> str:
    """Return what an answer says, for people, in one short line."""
    if 300 <= reply.status < 400:
        return f"redirects to {reply.location.partition('?')[0]!r:.200}; is the url right?"
    if any(words in reply.text for words in WANTS_TLS):
        return "it speaks TLS; the url should begin with https://"
    if reply.is_page:
        return f"answered with a web page{titled(reply.text)}; is the url right?"
    if 200 <= reply.status < 300:
        return "answered a write like no store, which says 204; is the url right?"
    said = said_in(reply.text)
    return shortened(said.get("message") or said.get("error") or reply.text)


def titled(page: str) -> str:
    """Return the title of a web page in a form that follows a noun, or an empty string."""
    title = TITLE.search(page)
    return f" {shortened(title[1])[:80]!r}" if title and title[1].strip() else ""


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
