"""Flux: what an InfluxDB 2 is asked, through influxdb-client in threads of our own.

The client is imported when it is first needed: that takes 15 MB and a tenth of
a second, which a daemon that only writes never spends.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeVar

import orjson

from ingestd.errors import QueryError, StoreUnavailable
from ingestd.model import StoredPoint
from ingestd.plugins import _files
from ingestd.redaction import Redactor

T = TypeVar("T")
ROWS_AT_ONCE: Final = 10_000  # points of an answer in memory


def string(text: str) -> str:
    """Return a Flux string literal; JSON's differs only in that Flux interpolates ``${``."""
    return orjson.dumps(text).decode().replace("${", "\\${")


def pick(
    bucket: str,
    *,
    start_us: int,
    end_us: int | None = None,
    tags: Mapping[str, str] | None = None,
    newest: bool = False,
) -> str:
    """Return a query for points.

    Args:
        bucket: Where to look.
        start_us: The first time wanted, in microseconds since the Unix epoch.
        end_us: The first time not wanted, or None for no end.
        tags: What the points must carry; without any, those that a series has.
        newest: Whether only the newest point of each is wanted.
    """
    wanted = [f"r[{string(key)}] == {string(value)}" for key, value in (tags or {}).items()]
    stop = "" if end_us is None else f", stop: time(v: {end_us * 1000})"
    steps = [
        f"from(bucket: {string(bucket)})",
        f"range(start: time(v: {start_us * 1000}){stop})",
        f"filter(fn: (r) => {' and '.join(wanted or ['exists r.series'])})",
        *(["last()"] if newest else []),
    ]
    return " |> ".join(steps)


class FluxClient:
    """Asks one server; the questions wait in a thread, never in the event loop."""

    def __init__(
        self,
        url: str,
        *,
        token: str | None,
        org: str,
        timeout: float,
        ca_file: Path | None,
        redactor: Redactor,
    ) -> None:
        self._redactor = redactor
        self._url, self._org = url.rstrip("/"), org
        self._options: dict[str, Any] = {
            "token": token or "",
            "timeout": round(timeout * 1000),
            "ssl_ca_cert": str(ca_file) if ca_file else None,
        }
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="ingestd-flux")

    def close(self) -> None:
        """End the threads; a question that is under way ends at its timeout."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def make_bucket(self, bucket: str) -> None:
        """Create a bucket unless it is there.

        Raises:
            StoreUnavailable: The server would not.
        """
        await self._run(lambda: self._make_bucket(bucket), StoreUnavailable)

    async def ask(self, query: str) -> AsyncIterator[list[StoredPoint]]:
        """Ask a question and yield the points in chunks.

        Raises:
            QueryError: The server could not answer.
        """
        found = self._points(query)
        try:
            while chunk := await self._run(lambda: list(islice(found, ROWS_AT_ONCE)), QueryError):
                yield chunk
        finally:
            # While a thread still waits for an answer it cannot be closed; it is when that ends.
            with suppress(QueryError):
                await self._run(found.close, QueryError)

    @contextmanager
    def _client(self) -> Iterator[Any]:
        from influxdb_client.client.influxdb_client import InfluxDBClient  # noqa: PLC0415 -- above

        if self._options["ssl_ca_cert"]:
            _files.check(self._options["ssl_ca_cert"])  # OpenSSL would wait for a pipe
        with InfluxDBClient(self._url, org=self._org, **self._options) as client:
            yield client

    def _make_bucket(self, bucket: str) -> None:
        with self._client() as client:
            buckets = client.buckets_api()
            if buckets.find_bucket_by_name(bucket) is None:
                buckets.create_bucket(bucket_name=bucket, org=self._org)

    def _points(self, query: str) -> Any:
        with self._client() as client:
            for record in client.query_api().query_stream(query):
                if (point := point_of(record.values)) is not None:
                    yield point

    async def _run(self, action: Callable[[], T], error: type[Exception]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, action)
        except Exception as exc:  # border: the client raises what its libraries raise
            raise error(self._redactor.text(f"{self._url}: {problem(exc)}")) from exc


def problem(exc: BaseException) -> str:
    """Return what went wrong in a few words; never the client's own, which show headers."""
    status, body = getattr(exc, "status", None), getattr(exc, "body", None)
    if status:
        return f"HTTP {status}: {' '.join(str(body or '').split())[:200]}"
    return f"{type(exc).__name__}: {' '.join(str(exc).split())[:200]}"


def point_of(values: Mapping[str, Any]) -> StoredPoint | None:
    """Return one record of an answer as a point, or None if it is not one of ours."""
    value = values.get("_value")
    if isinstance(value, bool) or not isinstance(value, float | int) or not values.get("series"):
        return None
    ours = {"result", "table", "series"}
    tags = {k: v for k, v in values.items() if k not in ours and not k.startswith("_") and v}
    time = values["_time"]
    micros = int(time.timestamp()) * 1_000_000 + time.microsecond
    return StoredPoint(
        values["series"], tags, values["_measurement"], values["_field"], micros, float(value)
    )
