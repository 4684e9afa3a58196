"""Databases with servers: PostgreSQL and MariaDB, as they are installed."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from math import isnan
from typing import Any, Final

import pytest

from ingestd.plugins import sql
from ingestd.plugins.sql import SqlError
from ingestd.testing import context
from tests.support.daemonprocess import eventually
from tests.support.databases import PASSWORD, USER, Database
from tests.support.sqlreading import NOON, T0, Runs

Databased = tuple[Database, Any]
pytestmark = pytest.mark.xdist_group("databases")  # one server of each for all of them
BOTH: Final = pytest.mark.parametrize("kind", ["postgres", "maria"])
TEN: Final = NOON - timedelta(hours=4)  # by the clock in Vienna
MIDNIGHT: Final = datetime(2026, 6, 30, 22, tzinfo=UTC).timestamp()


@pytest.fixture
def database(kind: str, request: pytest.FixtureRequest) -> Databased:
    """Give a database of the kind, and what executes statements in it."""
    found: Databased = request.getfixturevalue(kind)
    return found


def params_for(database: Database, **more: Any) -> dict[str, Any]:
    """Return params for a table of ids, times, names and values."""
    shape = {"table": "log", "time": "t", "series": "{name}", "value": "v"}
    return {**database.params, **shape, **more}


def make_log(connection: Any, time: str, *rows: tuple[Any, ...]) -> None:
    """Make the table, with rows."""
    connection.execute(f"CREATE TABLE log (id bigint, t {time}, name varchar(20), v float)")
    for row in rows:
        connection.execute("INSERT INTO log VALUES (%s, %s, %s, %s)", row)


def make_long(connection: Any, kind: str, count: int) -> None:
    """Make the table, with so many rows, the last one at noon."""
    make_log(connection, "bigint")
    numbers = f"seq_1_to_{count}" if kind == "maria" else f"generate_series(1, {count}) AS g(seq)"
    connection.execute(
        f"INSERT INTO log SELECT seq, {int(T0)} - {count} + seq, 'a', seq FROM {numbers}"
    )


TIMES: Final = [
    ("postgres", "timestamptz", "2026-07-01 10:00:00.25+02", TEN.timestamp() + 0.25),
    ("postgres", "timestamp", "2026-07-01 10:00:00.25", TEN.timestamp() + 0.25),
    ("postgres", "date", "2026-07-01", MIDNIGHT),
    ("postgres", "numeric(16, 3)", "1782892800.125", 1_782_892_800.125),
    ("postgres", "bigint", "1782892800", 1_782_892_800.0),
    ("postgres", "text", "2026-07-01T08:00:00Z", TEN.timestamp()),
    ("maria", "timestamp(3) NULL", "2026-07-01 08:00:00.250", TEN.timestamp() + 0.25),
    ("maria", "datetime(3)", "2026-07-01 10:00:00.250", TEN.timestamp() + 0.25),
    ("maria", "date", "2026-07-01", MIDNIGHT),
    ("maria", "decimal(16, 3)", "1782892800.125", 1_782_892_800.125),
    ("maria", "int unsigned", "1782892800", 1_782_892_800.0),
    ("maria", "varchar(30)", "2026-07-01 10:00:00", TEN.timestamp()),
]


@pytest.mark.parametrize(("kind", "column", "written", "time"), TIMES)
@pytest.mark.parametrize("extra", [{}, {"id": "id"}], ids=["time", "id"])
async def test_times_of_all_kinds_are_read_and_compared(
    database: Databased, kind: str, column: str, written: str, time: float, extra: dict[str, str]
) -> None:
    """A TIMESTAMP of MariaDB is an instant, whatever its zone; a DATETIME is what was shown."""
    where, connection = database
    if kind == "maria":
        connection.execute("SET time_zone = '+00:00'")
    make_log(connection, column, (1, written, "a", 1), (None, None, "b", 2))
    runs = Runs(params_for(where, lookback="1d", **extra), zone="Europe/Vienna")

    assert await runs.readings() == [(time, "a", 1)]
    assert runs.state["newest"] == time
    assert await runs.values() == [1]
    assert await runs.values(start=TEN - timedelta(hours=11), end=NOON) == [1]
    assert await runs.values(start=TEN + timedelta(days=1), end=TEN + timedelta(days=2)) == []


async def test_postgresql_has_values_that_python_has_not(postgres: Databased) -> None:
    """What cannot be stored is unusable, and hides nothing beside it."""
    database, connection = postgres
    connection.execute("CREATE TABLE log (t timestamptz, n numeric, j jsonb, b boolean, u uuid)")
    unit = "6c84fb90-12c4-11e1-840d-7b25c5ee775a"
    connection.execute(
        'INSERT INTO log VALUES (now(), 1.5, \'{"in": {"c": 21.5}}\', true, %s),'
        " ('infinity', 'NaN', NULL, false, NULL), ('-infinity', 2, '[]', NULL, NULL),"
        " ('0044-03-15 BC', 3, '1', NULL, NULL)",
        [unit],
    )
    values = {"n": "n", "in": "j.in.c", "{u}": "b"}
    params = {**database.params, "table": "log", "time": "t", "values": values}

    readings = await Runs(params).readings()

    at_once = [(r[1], r[2]) for r in readings if abs(r[0] - T0) < 1e9]
    assert at_once == [("n", 1.5), ("in", 21.5), (unit, True)]
    others = [r for r in readings if abs(r[0] - T0) >= 1e9]
    assert [r[2] for r in others if r[1] == "n" and not isnan(r[2])] == [2, 3]


async def test_mariadb_has_dates_that_are_none(maria: Databased) -> None:
    """Zeros are unusable; bits are numbers; texts come in any character set."""
    database, cursor = maria
    cursor.execute("SET sql_mode = ''")
    cursor.execute("CREATE TABLE log (t datetime, b bit(3), name varchar(9)) CHARSET latin1")
    cursor.execute("INSERT INTO log VALUES (0, 1, 'a'), ('2026-07-01 08:00:00', 5, 'Zähler')")
    shape = {"table": "log", "time": "t", "series": "{name}", "value": "b", "timezone": "UTC"}

    readings = await Runs({**database.params, **shape}).readings()

    assert isinstance(readings[0][0], str)
    assert readings[1] == (TEN.timestamp(), "Zähler", 5)


@BOTH
async def test_the_hour_that_comes_twice(kind: str, database: Databased) -> None:
    """With an id, the order of the rows tells its two passes apart."""
    where, connection = database
    rows = [(n, f"2026-10-25 02:{n % 4 * 15:02}:00", "a", n) for n in range(8)]
    make_log(connection, "timestamp" if kind == "postgres" else "datetime", *rows[::-1])
    begin = datetime(2026, 10, 25, tzinfo=UTC)
    runs = Runs(params_for(where, id="id"), zone="Europe/Berlin", now=begin + timedelta(days=1))

    assert await runs.readings() == [(begin.timestamp() + 900 * n, "a", n) for n in range(8)]


@BOTH
async def test_a_server_is_only_read(kind: str, database: Databased) -> None:
    """Also a query that would write by what it calls is refused."""
    where, connection = database
    connection.execute("CREATE SEQUENCE numbers")
    query = "SELECT nextval('numbers') AS v, 1 AS t, 'a' AS name"
    if kind == "maria":
        query = "SELECT nextval(numbers) AS v, 1 AS t, 'a' AS name"

    with pytest.raises(SqlError, match=r"(?i)read.only"):
        await Runs(params_for(where, table=None, query=query)).results()


@BOTH
async def test_a_statement_that_takes_too_long_is_ended(kind: str, database: Databased) -> None:
    """By the server itself, which says so."""
    where, connection = database
    make_log(connection, "bigint", (1, T0, "a", 1))
    wait = "(SELECT 2.5 FROM pg_sleep(9))" if kind == "postgres" else "sleep(9)"
    query = f"SELECT t, name, {wait} AS v FROM log"

    with pytest.raises(SqlError, match=r"timeout|max_statement_time"):
        await Runs(params_for(where, table=None, query=query, request_timeout="500ms")).results()


@BOTH
async def test_a_wrong_password_is_told_without_it(database: Databased) -> None:
    """The message has what the server says, and who was refused."""
    where, _ = database
    for secret in (f"{PASSWORD}x", "hunter2hunter2"):
        with pytest.raises(
            SqlError, match=rf"(?i)(denied|authentication failed).*{USER}"
        ) as caught:
            await Runs(params_for(where, password=secret)).results()

        assert secret not in str(caught.value)


@BOTH
async def test_a_missing_table_is_told(database: Databased) -> None:
    """With its name, as the server says it."""
    where, _ = database

    with pytest.raises(SqlError, match=rf"{where.name}: .*nowhere.*exist"):
        await Runs(params_for(where, table="nowhere")).results()


async def test_two_columns_of_one_name_are_refused(postgres: Databased) -> None:
    """Which of them is meant, no one can say."""
    database, _ = postgres
    query = "SELECT 1 AS t, 'a' AS name, 2 AS v, 3 AS v"

    with pytest.raises(SqlError, match="another name for each column"):
        await Runs(params_for(database, table=None, query=query)).results()


@asynccontextmanager
async def begun(params: dict[str, Any]) -> AsyncGenerator[AsyncGenerator[dict[str, Any], None]]:
    """Begin a run; more of it comes when it is asked for."""
    async with context(now=NOON) as ctx:
        run: Any = sql.run(ctx=ctx, **params)
        async with aclosing(run) as results:
            yield results


def end_others(connection: Any, kind: str, name: str) -> None:
    """Cut the connections of others to a database."""
    if kind == "postgres":
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = %s AND pid <> pg_backend_pid()",
            [name],
        )
        return
    for number in others(connection, kind, name):
        connection.execute(f"KILL {number}")


def others(connection: Any, kind: str, name: str) -> list[int]:
    """Return the numbers of the other connections to a database."""
    if kind == "postgres":
        found = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
            [name],
        )
        return [row[0] for row in found.fetchall()]
    connection.execute(
        "SELECT id FROM information_schema.processlist WHERE db = %s AND id <> connection_id()",
        [name],
    )
    return [row[0] for row in connection.fetchall()]


async def alone(connection: Any, kind: str, name: str) -> None:
    """Wait until there is no other connection to a database."""
    await asyncio.to_thread(
        eventually, lambda: not others(connection, kind, name), what="no other connection"
    )


async def rest_of(results: AsyncGenerator[dict[str, Any], None], seen: list[Any]) -> None:
    """Read what is left, and keep it."""
    async for result in results:
        seen.append(result)  # noqa: PERF401 -- what came before an error is kept


@pytest.mark.slow  # twenty megabytes come
@BOTH
async def test_a_connection_that_is_cut_fails_the_run(kind: str, database: Databased) -> None:
    """What came before it counts, and the next run goes on there."""
    where, connection = database
    make_long(connection, kind, 20_000)
    # Too much to be under way when the connection is cut.
    query = "SELECT t, name, v, repeat('x', 1000) AS filling FROM log"
    params = params_for(where, table=None, query=query, tags={"filling": "{filling}"})
    runs, seen = Runs(params), []
    async with begun(params) as results:
        seen.append(await anext(results))
        end_others(connection, kind, where.name)
        with pytest.raises(SqlError, match=where.name):
            await rest_of(results, seen)

    runs.state = {"newest": seen[-1]["newest"]}
    values = await runs.values()

    assert values[0] == seen[-1]["readings"][-1][2] < 20_000
    assert values[-1] == 20_000


@pytest.mark.slow  # a server closes a connection
@BOTH
async def test_rows_are_streamed(kind: str, database: Databased) -> None:
    """A part comes before the last rows do, and a run that is left keeps no connection."""
    where, connection = database
    make_long(connection, kind, 20_000)
    async with begun(params_for(where)) as results:
        assert len((await anext(results))["readings"]) == 5000
        assert len(others(connection, kind, where.name)) == 1

    await alone(connection, kind, where.name)


@pytest.mark.slow  # a server closes connections
@BOTH
async def test_a_store_that_is_away_keeps_no_transaction(
    kind: str, database: Databased, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection is closed while a part waits, and opened again where it was."""
    monkeypatch.setattr("ingestd.plugins.sql.walking.HELD", 0.0)
    where, connection = database
    make_long(connection, kind, 12_000)
    seen: list[Any] = []
    async with begun(params_for(where)) as results:
        async for result in results:
            seen += [reading[2] for reading in result["readings"]]
            await alone(connection, kind, where.name)

    assert sorted(set(seen)) == [*range(1, 12_001)]


@pytest.mark.slow  # a server ends a statement
async def test_a_run_that_is_cancelled_ends_its_statement(postgres: Databased) -> None:
    """The server works no further on what no one waits for."""
    database, connection = postgres
    query = "SELECT pg_sleep(99) AS v, 1 AS t, 'a' AS name"
    params = params_for(database, table=None, query=query, lookback="1d")
    asked = "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE %s"
    asleep = partial(connection.execute, asked, ["SELECT%pg_sleep(99)%q%LIMIT%"])

    async with begun(params) as results:
        task = asyncio.ensure_future(anext(results))
        await asyncio.to_thread(eventually, lambda: asleep().fetchone(), what="a statement")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    await alone(connection, "postgres", database.name)
