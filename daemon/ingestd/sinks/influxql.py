"""InfluxQL: the questions an InfluxDB 1.x is asked, and its answers as points."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any, Final

import orjson

from ingestd.errors import QueryError
from ingestd.model import StoredPoint
from ingestd.sinks.connection import Connection

ROWS_AT_ONCE: Final = 10_000  # points of an answer in memory


def name(text: str) -> str:
    """Return a name in double quotes."""
    return '"{}"'.format(text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n"))


def string(text: str) -> str:
    """Return a string in single quotes."""
    return "'{}'".format(text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n"))


def select(
    retention_policy: str | None,
    *,
    start_us: int,
    end_us: int | None = None,
    tags: Mapping[str, str] | None = None,
    newest: bool = False,
) -> str:
    """Return a query for points, grouped by their tags, in time order.

    Args:
        retention_policy: Where to look, or None for the default.
        start_us: The first time wanted, in microseconds since the Unix epoch.
        end_us: The first time not wanted.
        tags: What the points must carry; without any, those that a series has.
        newest: Whether only the newest point of each is wanted.
    """
    source = f"{name(retention_policy)}./.*/" if retention_policy else "/.*/"
    wanted = [f"{name(key)} = {string(value)}" for key, value in (tags or {}).items()]
    times = [f"time >= {start_us}u"] + ([] if end_us is None else [f"time < {end_us}u"])
    where = " AND ".join([*(wanted or [f"{name('series')} != ''"]), *times])
    last = " ORDER BY time DESC LIMIT 1" if newest else ""
    return f"SELECT * FROM {source} WHERE {where} GROUP BY *{last}"  # noqa: S608 -- all quoted


async def ask(
    connection: Connection, query: str, database: str
) -> AsyncIterator[list[StoredPoint]]:
    """Ask a question and yield the points as they come.

    Raises:
        QueryError: The server could not answer.
    """
    params = {
        "q": query,
        "db": database,
        "epoch": "u",
        "chunked": "true",
        "chunk_size": str(ROWS_AT_ONCE),
    }
    async for line in connection.lines("/query", params):
        try:
            answer = orjson.loads(line)
            results: Sequence[Any] = answer.get("results", [])
        except (orjson.JSONDecodeError, AttributeError) as exc:
            raise QueryError(
                f"{connection.where('/query')}: expected JSON, got {line!r:.80}"
            ) from exc
        for part in [answer, *results]:
            if "error" in part:
                raise QueryError(f"{connection.where('/query')}: {part['error']:.300}")
            for series in part.get("series", []):
                if found := list(points(series)):
                    yield found


def points(series: Mapping[str, Any]) -> Iterator[StoredPoint]:
    """Yield the points of one series of an answer; what is not a number is not ours."""
    # An absent tag is grouped as an empty one.
    tags = {key: value for key, value in series.get("tags", {}).items() if value}
    identity = tags.pop("series", "")
    fields = series["columns"][1:]
    for time_us, *values in series["values"]:
        for field, value in zip(fields, values, strict=True):
            if type(value) in {float, int} and identity:
                yield StoredPoint(identity, tags, series["name"], field, time_us, float(value))
