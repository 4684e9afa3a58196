"""VictoriaMetrics: line protocol in, export out.

It answers 204 to almost anything, so whatever it would drop or garble in
silence is refused here, with a reason. What it would only blur is let through:
times keep their milliseconds, values about twelve digits.
"""

import re
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import orjson

from ingestd import lineprotocol
from ingestd.config import VictoriaStore
from ingestd.errors import QueryError, StoreUnavailable
from ingestd.lineprotocol import Dialect, Prefixes
from ingestd.model import MICROSECONDS, Point, StoredPoint
from ingestd.sinks import lines
from ingestd.sinks.connection import Connection, basic
from ingestd.sinks.protocol import Encoded

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
ROWS: Final = 10_000
FLAG: Final = re.compile(r'^-(\S+?)="(.*)"$', re.MULTILINE)
# It writes infinity as no JSON parser reads it.
INFINITE: Final = re.compile(rb"[+-]?Inf\b")


class VictoriaSink:
    """Writes to VictoriaMetrics, or to an agent or cluster that has its ``/write``.

    Args:
        config: Where it is.
        now: Returns the current time, in seconds since the Unix epoch.
    """

    def __init__(self, config: VictoriaStore, *, now: Callable[[], float] = time.time) -> None:
        self.config = config
        self._now = now
        self._prefixes = Prefixes(DIALECT)
        self._retention_us: int | None = None
        headers = (
            {"Authorization": f"Bearer {config.token}"}
            if config.token
            else basic(config.username, config.password)
        )
        self._connection = Connection(
            config.url,
            timeout=config.timeout,
            headers=headers,
            secrets=[config.token, config.password],
            ca_file=config.ca_file,
        )

    async def open(self) -> None:
        """Learn how long the server keeps points; older ones would be lost in silence.

        Raises:
            StoreUnavailable: It cannot be reached.
        """
        flags = await self._flags()
        if flags is not None:
            self._retention_us = retention_us(flags.get("retentionPeriod", "1"))

    async def close(self) -> None:
        """Close the connections."""
        await self._connection.close()

    async def check(self) -> list[str]:
        """Try to write nothing, and look at the server's flags; return warnings.

        Raises:
            StoreUnavailable: It cannot be reached, or will not let us in.
        """
        await self.write(b"s")
        flags = await self._flags()
        if flags is None:
            return ["its flags cannot be read: make sure that -dedup.minScrapeInterval is set"]
        warnings = []
        if flags.get("dedup.minScrapeInterval", "0s") in {"0", "0s", "0ms"}:
            warnings.append(
                "deduplication is off, so a reading that is sent twice is stored twice:"
                " start it with -dedup.minScrapeInterval=1ms"
            )
        if "retentionPeriod" not in flags:
            warnings.append(
                "it keeps readings for one month only: start it with -retentionPeriod=100y,"
                " or as long as you need"
            )
        return warnings

    def encode(self, points: Sequence[Point]) -> Encoded:
        """Turn points into a body, setting aside what the server would drop."""
        now_us = int(self._now() * MICROSECONDS)
        low_us = FIRST_US
        if self._retention_us is not None:
            low_us = max(low_us, now_us - self._retention_us)
        made = lineprotocol.encode(points, self._prefixes, low_us=low_us, high_us=now_us + AHEAD_US)
        return lines.encoded(made, compress=self.config.gzip)

    def split(self, data: bytes) -> list[bytes]:
        """Take a body apart into lines."""
        return lineprotocol.split(data)

    def join(self, payloads: Sequence[bytes]) -> bytes:
        """Make a body of lines."""
        return lineprotocol.join(payloads, compress=self.config.gzip)

    async def write(self, data: bytes) -> None:
        """Store a body.

        Raises:
            StoreUnavailable: It may work later.
            BodyTooLarge: Its halves may work.
            BodyRejected: It will never work as it is.
        """
        # Without db=, which would become a label.
        await lines.write(self._connection, "/write", data, params={}, precisions=PRECISIONS)

    async def read(
        self, series: str, *, start_us: int, end_us: int, tags: dict[str, str]
    ) -> list[StoredPoint]:
        """Return the points of one series in time order."""
        wanted = tags.items()
        export = self._export(f"{{series={literal(series)}}}", start_us=start_us, end_us=end_us)
        found = [point async for chunk in export for point in chunk if wanted <= point.tags.items()]
        return sorted(found, key=lambda point: point.time_us)

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
            "max_rows_per_line": str(ROWS),
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

    async def _flags(self) -> dict[str, str] | None:
        """Return the flags that the server was started with, or None if it hides them."""
        reply = await self._connection.request("GET", "/flags")
        return dict(FLAG.findall(reply.text)) if reply.status == 200 else None


def retention_us(period: str) -> int | None:
    """Return a ``-retentionPeriod``, months without a unit, in microseconds; None if unknown."""
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
