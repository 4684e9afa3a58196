"""InfluxDB: version 2 through ``/api/v2/write``, version 1 through ``/write``."""

from collections.abc import AsyncIterator, Mapping
from typing import Final

from ingestd.config import InfluxStore
from ingestd.errors import BodyRejected, StoreUnavailable
from ingestd.model import StoredPoint
from ingestd.sinks import influxql
from ingestd.sinks.answers import said_in
from ingestd.sinks.connection import basic
from ingestd.sinks.flux import FluxClient, pick
from ingestd.sinks.linebodies import NOTHING
from ingestd.sinks.lineprotocol import Dialect
from ingestd.sinks.lines import LineSink, in_time_order

# Version 1 takes "us" for nanoseconds, and says nothing.
PRECISIONS1: Final[Mapping[bytes, str]] = {b"s": "s", b"m": "ms", b"u": "u"}
PRECISIONS2: Final[Mapping[bytes, str]] = {b"s": "s", b"m": "ms", b"u": "us"}
# Times that fit nanoseconds in 64 bits, which is what the server keeps.
LOW_US: Final = -(2**63) // 1000 + 1
HIGH_US: Final = 2**63 // 1000 - 1


def sink(config: InfluxStore) -> "InfluxSink1 | InfluxSink2":
    """Return the sink for the version that is configured."""
    return InfluxSink1(config) if config.version == 1 else InfluxSink2(config)


class InfluxSink(LineSink):
    """What both versions share.

    Args:
        config: Where the server is.
        headers: Sent with every request.
        path: Of its write endpoint.
        target: The request's parameters besides the precision.
        precisions: What this version calls the units of time.
        place: Where the points go, for messages.
        missing: What the server's answer says if that is not there.
    """

    def __init__(
        self,
        config: InfluxStore,
        *,
        headers: Mapping[str, str],
        path: str,
        target: Mapping[str, str],
        precisions: Mapping[bytes, str],
        place: str,
        missing: str,
    ) -> None:
        super().__init__(
            config,
            headers=headers,
            dialect=Dialect(),
            path=path,
            target=target,
            precisions=precisions,
        )
        self.config = config
        self._place, self._missing = place, missing

    def window_us(self) -> tuple[int, int]:
        """Return the times that fit the server's numbers."""
        return LOW_US, HIGH_US

    @property
    def expected(self) -> str:
        """What should answer."""
        return f"InfluxDB {self.config.version}"

    async def check(self) -> list[str]:
        """Try to write nothing; return warnings.

        Raises:
            StoreUnavailable: It cannot be reached, or will not let us in.
        """
        try:
            await self.write(NOTHING)
        except BodyRejected as exc:
            # InfluxDB 2 wants points; that it says so means that it found the bucket.
            if self.config.version == 2:
                return []
            raise StoreUnavailable(str(exc), answered=True) from exc
        except StoreUnavailable as exc:
            if not (self.config.create and self._missing in str(exc)):
                raise
            return [f"{self._place} is not there yet and will be created"]
        return []


class InfluxSink1(InfluxSink):
    """Writes to a database of InfluxDB 1."""

    def __init__(self, config: InfluxStore) -> None:
        target = {"db": config.database or ""}
        if config.retention_policy:
            target["rp"] = config.retention_policy
        super().__init__(
            config,
            headers=basic(config.username, config.password),
            path="/write",
            target=target,
            precisions=PRECISIONS1,
            place=f"database {config.database!r}",
            missing="database not found",
        )

    async def open(self) -> None:
        """Create the database if the config says so.

        Raises:
            StoreUnavailable: The server would not.
        """
        if not self.config.create:
            return
        statement = f"CREATE DATABASE {influxql.name(self.config.database or '')}"
        reply = await self._connection.request("POST", "/query", params={"q": statement})
        errors = [result.get("error") for result in said_in(reply.text).get("results", [])]
        if reply.status != 200 or any(errors):
            where = self._connection.where("/query")
            raise StoreUnavailable(f"{where}: HTTP {reply.status}: {reply.text.strip():.200}")

    async def read(
        self, series: str, *, start_us: int, end_us: int, tags: dict[str, str]
    ) -> list[StoredPoint]:
        """Return the points of one series in time order."""
        query = influxql.select(
            self.config.retention_policy,
            start_us=start_us,
            end_us=end_us,
            tags={"series": series, **tags},
        )
        return await in_time_order(self._ask(query))

    async def latest(self, *, since_us: int) -> list[StoredPoint]:
        """Return the newest point of every series that has one since then."""
        policy = self.config.retention_policy
        query = influxql.select(policy, start_us=since_us, newest=True)
        return [point async for chunk in self._ask(query) for point in chunk]

    def scan(self, *, start_us: int, end_us: int) -> AsyncIterator[list[StoredPoint]]:
        """Yield everything from start to before end."""
        policy = self.config.retention_policy
        return self._ask(influxql.select(policy, start_us=start_us, end_us=end_us))

    def _ask(self, query: str) -> AsyncIterator[list[StoredPoint]]:
        return influxql.ask(self._connection, query, self.config.database or "")


class InfluxSink2(InfluxSink):
    """Writes to a bucket of InfluxDB 2, or of a server that speaks its API."""

    def __init__(self, config: InfluxStore) -> None:
        super().__init__(
            config,
            headers={"Authorization": f"Token {config.token}"} if config.token else {},
            path="/api/v2/write",
            target={"org": config.org or "", "bucket": config.bucket or ""},
            precisions=PRECISIONS2,
            place=f"bucket {config.bucket!r}",
            missing="HTTP 404",
        )
        self._client: FluxClient | None = None

    async def open(self) -> None:
        """Create the bucket if the config says so.

        Raises:
            StoreUnavailable: The server would not.
        """
        if self.config.create:
            await self._flux().make_bucket(self.config.bucket or "")

    async def close(self) -> None:
        """Close the connections."""
        await super().close()
        client, self._client = self._client, None
        if client is not None:
            client.close()

    async def read(
        self, series: str, *, start_us: int, end_us: int, tags: dict[str, str]
    ) -> list[StoredPoint]:
        """Return the points of one series in time order."""
        wanted = {"series": series, **tags}
        query = pick(self.config.bucket or "", start_us=start_us, end_us=end_us, tags=wanted)
        return await in_time_order(self._flux().ask(query))

    async def latest(self, *, since_us: int) -> list[StoredPoint]:
        """Return the newest point of every series that has one since then."""
        query = pick(self.config.bucket or "", start_us=since_us, newest=True)
        return [point async for chunk in self._flux().ask(query) for point in chunk]

    def scan(self, *, start_us: int, end_us: int) -> AsyncIterator[list[StoredPoint]]:
        """Yield everything from start to before end."""
        query = pick(self.config.bucket or "", start_us=start_us, end_us=end_us)
        return self._flux().ask(query)

    def _flux(self) -> FluxClient:
        if self._client is None:
            config = self.config
            self._client = FluxClient(
                config.url,
                token=config.token,
                org=config.org or "",
                timeout=config.timeout,
                ca_file=config.ca_file,
                redactor=self._connection.redactor,
            )
        return self._client
