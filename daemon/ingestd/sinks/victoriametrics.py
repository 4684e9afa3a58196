"""VictoriaMetrics: line protocol in, export out.

It answers 204 to almost anything, so the points that it would drop or garble in
silence are refused here, with a reason. What it would only blur is let through:
times keep their milliseconds, values about twelve digits.
"""

import asyncio
import math
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any, Final

import orjson

from ingestd.config import VictoriaStore
from ingestd.errors import BodyRejected, QueryError, StoreUnavailable
from ingestd.model import MICROSECONDS, StoredPoint
from ingestd.sinks.answers import Reply
from ingestd.sinks.connection import basic
from ingestd.sinks.identity import VICTORIAMETRICS
from ingestd.sinks.linebodies import NOTHING, Packed
from ingestd.sinks.lineprotocol import Dialect, too_old
from ingestd.sinks.lines import LineSink, in_time_order

DIALECT: Final = Dialect(
    doubles_backslashes=True,
    unit_us=1000,
    max_tags=30,
    max_key_bytes=256,
    max_value_bytes=16 * 1024,
    max_line_bytes=256 * 1024 - 64,  # the number and the time come on top
    reserved=frozenset({"series", "__name__"}),
)
PRECISIONS: Final[Mapping[bytes, str]] = {b"s": "s", b"m": "ms", b"u": "us"}
AHEAD_US: Final = 2 * 86_400 * MICROSECONDS
# Before its first millisecond it takes a time for none, and puts its own.
FIRST_US: Final = 1000
DAYS: Final[Mapping[str, float]] = {"h": 1 / 24, "d": 1, "w": 7, "": 31, "y": 365}
ASK_AGAIN: Final = 60.0  # seconds; a server that is started anew may have other flags
ROWS_AT_ONCE: Final = 10_000  # points of an answer in memory
NO_SUCH_PATH: Final = re.compile("unsupported path|missing route")
FLAG: Final = re.compile(r'^-(\S+?)="(.*)"$', re.MULTILINE)
# An agent has the first, part of a cluster the other: neither knows what is kept.
PASSING_ON: Final = frozenset({"remoteWrite.url", "storageNode"})
# It writes infinity as no JSON parser reads it.
INFINITE: Final = re.compile(rb"[+-]?Inf\b")


class VictoriaSink(LineSink):
    """Writes to VictoriaMetrics, or to an agent or cluster that has its ``/write``.

    Args:
        config: Where it is.
        now: Returns the current time, in seconds since the Unix epoch.
    """

    def __init__(self, config: VictoriaStore, *, now: Callable[[], float] = time.time) -> None:
        headers = (
            {"Authorization": f"Bearer {config.token}"}
            if config.token
            else basic(config.username, config.password)
        )
        # Without db=, which would become a label. The server takes no notice of the dialect; an
        # ingestd in its place could not tell by the lines that backslashes are doubled.
        super().__init__(
            config,
            headers=headers,
            dialect=DIALECT,
            path="/write",
            target={"dialect": "victoriametrics"},
            precisions=PRECISIONS,
        )
        self._now = now
        self._flags: Mapping[str, str] | None = None  # None: the server does not tell
        self._asked_at = -math.inf

    async def open(self) -> None:
        """Learn how long the server keeps points; older ones would be lost in silence.

        Raises:
            StoreUnavailable: It cannot be reached.
        """
        await self._learn()

    async def check(self) -> list[str]:
        """Try to write nothing, and look at the server's flags; return warnings.

        Raises:
            StoreUnavailable: It cannot be reached, or will not let us in.
        """
        try:
            await self.write(NOTHING)
        except BodyRejected as exc:
            raise StoreUnavailable(str(exc), answered=True) from exc
        await self._learn()
        return list(warnings(self._flags))

    @property
    def expected(self) -> str:
        """What should answer."""
        return VICTORIAMETRICS

    def is_refusal(self, reply: Reply) -> bool:
        """Say whether it could not read a body: its words begin with the request they answer."""
        return "requestURI:" in reply.text and not NO_SUCH_PATH.search(reply.text)

    def window_us(self) -> tuple[int, int]:
        """Return the first time the server keeps, if that is known, and the first too late."""
        kept_us = None if self._is_stale() else self._kept_us()
        low_us = FIRST_US if kept_us is None else max(FIRST_US, kept_us)
        return low_us, int(self._now() * MICROSECONDS) + AHEAD_US

    async def send(self, body: Packed) -> None:
        """Send a body, unless the server would drop some of it in silence.

        What was encoded before the first contact, or has waited in the spool or
        with the dead letters, may have been within the window then and not now.
        """
        if self._is_stale():
            await self._learn()
        if await self._too_old(body):
            await self._learn()  # it may have been told to keep more, just now
            if bad := await self._too_old(body):
                where, why = self._connection.where(self._path), next(iter(bad.values()))
                raise BodyRejected(f"{where}: {why}", bad=bad, sure=True)
        await super().send(body)

    async def _too_old(self, body: Packed) -> dict[int, str]:
        """Return the places of the lines that it keeps no more, each with the reason."""
        kept_us = self._kept_us()
        if kept_us is None or not body.may_begin_before(kept_us):
            return {}
        try:
            places = await asyncio.to_thread(body.before, kept_us)
        except ValueError as exc:
            raise BodyRejected(f"the body is damaged: {exc}", sure=True) from exc
        return dict.fromkeys(places, too_old(kept_us))

    def _kept_us(self) -> int | None:
        """Return the first time that the server keeps now, or None if it does not tell."""
        kept_us = None if self._flags is None else retention_us(self._flags)
        return None if kept_us is None else int(self._now() * MICROSECONDS) - kept_us

    def _is_stale(self) -> bool:
        """Whether the server may have been started with other flags since we asked."""
        return not 0 <= self._now() - self._asked_at < ASK_AGAIN

    async def _learn(self) -> None:
        """Ask for the flags that the server was started with."""
        reply = await self._connection.request("GET", "/flags")
        if reply.status >= 500:
            return  # it is not itself: ask again with the next write
        self._asked_at = self._now()
        readable = reply.status == 200 and not reply.is_page
        flags = dict(FLAG.findall(reply.text))
        self._flags = flags if readable and not PASSING_ON & flags.keys() else None

    async def read(
        self, series: str, *, start_us: int, end_us: int, tags: dict[str, str]
    ) -> list[StoredPoint]:
        """Return the points of one series in time order."""
        export = self._export(f"{{series={literal(series)}}}", start_us=start_us, end_us=end_us)
        found = await in_time_order(export)
        return [point for point in found if tags.items() <= point.tags.items()]

    async def latest(self, *, since_us: int) -> list[StoredPoint]:
        """Return the newest point of every series that has one since then."""
        # As late as a point can be, and past the seconds that it holds back from queries.
        until = int(self._now()) + AHEAD_US // MICROSECONDS
        window = until - since_us // MICROSECONDS + 60
        values = await self._instant(f'last_over_time({{series!=""}}[{window}s])', until)
        times = await self._instant(
            f'tlast_over_time({{series!=""}}[{window}s]) keep_metric_names', until
        )
        newest = [
            stored(dict(metric), round(float(times[metric]) * MICROSECONDS), float(value))
            for metric, value in values.items()
            if metric in times
        ]
        return [point for point in newest if point.time_us >= since_us]

    def scan(self, *, start_us: int, end_us: int) -> AsyncIterator[list[StoredPoint]]:
        """Yield everything from start to before end."""
        return self._export('{series!=""}', start_us=start_us, end_us=end_us)

    async def _export(
        self, selector: str, *, start_us: int, end_us: int
    ) -> AsyncIterator[list[StoredPoint]]:
        params = {
            "match[]": selector,
            "start": f"{start_us / MICROSECONDS:.3f}",
            "end": f"{end_us / MICROSECONDS:.3f}",
            "max_rows_per_line": str(ROWS_AT_ONCE),
        }
        async for line in self._connection.lines("/api/v1/export", params):
            found = [p for p in exported(line) if start_us <= p.time_us < end_us]
            if found:
                yield found

    async def _instant(self, query: str, at: int) -> dict[frozenset[tuple[str, str]], str]:
        """Return what a query gives at one moment, by metric."""
        path = "/api/v1/query"
        params = {"query": query, "time": str(at), "nocache": "1"}
        try:
            reply = await self._connection.request("GET", path, params=params)
            answer = orjson.loads(reply.text)
            results = answer["data"]["result"]
        except (StoreUnavailable, orjson.JSONDecodeError, KeyError, TypeError) as exc:
            problem = exc if isinstance(exc, StoreUnavailable) else f"unexpected {reply.text:.200}"
            raise QueryError(f"{self._connection.where(path)}: {problem}") from exc
        return {frozenset(each["metric"].items()): each["value"][1] for each in results}


def warnings(flags: Mapping[str, str] | None) -> Iterator[str]:
    """Yield what an operator should know of a server with these flags."""
    if flags is None:
        yield (
            "its flags do not tell how it keeps readings: make sure that"
            " -dedup.minScrapeInterval is set, and -retentionPeriod as long as you need"
        )
        return
    if flags.get("dedup.minScrapeInterval", "0s") in {"0", "0s", "0ms"}:
        yield (
            "deduplication is off, so a reading that is sent twice is stored twice:"
            " start it with -dedup.minScrapeInterval=1ms"
        )
    if "retentionPeriod" not in flags:
        yield (
            "it keeps readings for one month only: start it with -retentionPeriod=100y,"
            " or as long as you need"
        )


def retention_us(flags: Mapping[str, str]) -> int | None:
    """Return how long a server with these flags keeps points, in microseconds.

    None if that is unknown. Without a unit the flag is in months.
    """
    period = flags.get("retentionPeriod", "1")
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([a-z]*)", period)
    if match is None or match[2] not in DAYS:
        return None
    return int(float(match[1]) * DAYS[match[2]] * 86_400 * MICROSECONDS)


def literal(text: str) -> str:
    """Return a string literal for a selector."""
    return orjson.dumps(text).decode()


def exported(line: bytes) -> Iterator[StoredPoint]:
    """Yield the points of one line of an export, a repeated time once."""
    try:
        series: dict[str, Any] = orjson.loads(line)
    except orjson.JSONDecodeError:
        try:
            metric, values, numbers = line.partition(b'"values":[')
            series = orjson.loads(metric + values + INFINITE.sub(b"null", numbers))
        except orjson.JSONDecodeError as exc:
            raise QueryError(f"expected a line of JSON, got {line!r:.80}") from exc
    for time_ms, value in dict(zip(series["timestamps"], series["values"], strict=True)).items():
        if type(value) in {float, int}:
            yield stored(series["metric"], time_ms * 1000, float(value))


def stored(metric: Mapping[str, str], time_us: int, value: float) -> StoredPoint:
    """Return a sample as a point.

    The metric's name is measurement and field with an underscore between, and
    nothing tells which underscore: the last one is taken, which is right for
    every field without one, and puts any together again as they were.
    """
    tags = {key: text for key, text in metric.items() if key not in {"__name__", "series"}}
    measurement, _, field = metric.get("__name__", "").rpartition("_")
    return StoredPoint(metric.get("series", ""), tags, measurement, field, time_us, value)
