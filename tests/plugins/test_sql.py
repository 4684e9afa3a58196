"""Tables of SQLite: shapes, values, names, and what is refused."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from ingestd.plugins.sql import SqlError, check
from ingestd.plugins.sql.dialects import DIALECTS
from ingestd.plugins.sql.postgresql import PostgreSQL
from tests.support.sqlreading import T0, Runs, TableFile

GOOD: Final = {"file": "/x.db", "table": "t", "time": "t", "series": "s", "value": "v"}
SECRET: Final = "hunter2hunter2"


@pytest.fixture
def log(tmp_path: Path) -> TableFile:
    """Give an empty table of ids, Unix seconds, names and values."""
    return TableFile(tmp_path / "log.db")


async def test_a_narrow_table_names_its_series_in_a_column(log: TableFile) -> None:
    """A name may be a number, as ids of points are; tags are made of the row as well."""
    log.add([(1, T0, 7, 1.5), (2, T0, "b", 2)])

    params = {**log.params, "series": "p{name}", "tags": {"point": "{name}"}}

    readings = await Runs(params).readings()

    assert readings == [(T0, "p7", 1.5, {"point": "7"}), (T0, "pb", 2, {"point": "b"})]


async def test_a_wide_table_has_a_column_for_each_value(tmp_path: Path) -> None:
    """Names with blanks, quotes and signs are quoted, in paths as well as in statements."""
    table = TableFile(tmp_path / "w.db", '"The ""Time"" %" , "Zone Temp", "Valve %", select_')
    odd = '"my ""log"" % ?"'
    table.execute(f"ALTER TABLE log RENAME TO {odd}")
    table.execute(f"INSERT INTO {odd} VALUES ({T0}, 21.5, NULL, 3)")
    params = {
        "file": str(table.path),
        "time": "t",
        "values": {"temp": '"Zone Temp"', "valve": '"Valve %"', "select": "select_"},
        "hold": "0s",
    }
    query = f'SELECT "The ""Time"" %" AS t, * FROM {odd} -- {{braces}} stay'
    expected = [(T0, "temp", 21.5), (T0, "valve", None), (T0, "select", 3)]

    assert await Runs({**params, "query": query}).readings() == expected
    table.execute(f'ALTER TABLE {odd} RENAME COLUMN "The ""Time"" %" TO "t"')
    assert await Runs({**params, "table": ['my "log" % ?']}).readings() == expected


async def test_many_rows_are_read_as_few_are(log: TableFile) -> None:
    """They are read by columns, with names that are texts or numbers."""
    names = [7, "s", 8, "s7"] * 25
    log.add((n, T0 - 100 + n, name, n / 8) for n, name in enumerate(names))

    readings = await Runs(log.params).readings()

    assert readings == [(T0 - 100 + n, f"{name}", n / 8) for n, name in enumerate(names)]


async def test_values_are_read_by_the_common_options(log: TableFile) -> None:
    """Words, units, a decimal comma, and what says that there is none."""
    values = ["open", "21,5 °C", "---", -999, True, "1.234,5", b"\x01", "x"]
    log.add((n, T0 + n, "a", value) for n, value in enumerate(values))
    params = {"words": {"open": 1}, "decimal": ",", "units": "°C", "nothing": ["---", -999]}

    found = await Runs({**log.params, **params}).values()

    assert found == [1, 21.5, None, None, 1, 1234.5, b"\x01", "x"]


async def test_a_text_that_is_none_does_not_hide_the_rows_behind_it(log: TableFile) -> None:
    """Loggers write what they get in any encoding."""
    log.execute(f"INSERT INTO log VALUES (1, {T0}, CAST(x'c4ff' AS TEXT), 1), (2, {T0}, 'b', 2)")

    assert await Runs(log.params).values() == [1, 2]


async def test_a_join_is_read_by_a_query(log: TableFile) -> None:
    """It may end in a semicolon or a comment, and begin with WITH."""
    log.add([(1, T0, 1, 5)])
    log.execute("CREATE TABLE names (id, label)")
    log.execute("INSERT INTO names VALUES (1, 'boiler')")
    joined = "SELECT t, label, v FROM log JOIN n ON n.id = log.name"
    query = f"WITH n AS (SELECT * FROM names) {joined} ; "
    params = {**log.params, "table": None, "series": "{label}"}

    assert await Runs({**params, "query": query}).readings() == [(T0, "boiler", 5)]
    assert await Runs({**params, "query": query.strip("; ") + " -- all"}).values() == [5]


async def test_the_ends_can_stand_in_a_query(log: TableFile) -> None:
    """As arguments, in a notation of their own; what the query leaves out is not read."""
    log.add([(1, T0 - 7200, "a", 1), (2, T0 - 1800, "a", 2), (3, T0 + 60, "a", 3)])
    inside = "t >= {since} AND t < {until:unix}"
    query = f"SELECT t, name, max(v) AS v FROM log WHERE {inside} GROUP BY t, name"
    params = {**log.params, "table": None, "query": query, "since_format": "unix", "lookback": "1h"}
    runs = Runs(params)

    assert await runs.values() == [2]
    assert await runs.values() == [2]


async def test_nothing_can_be_written(log: TableFile) -> None:
    """The file is opened for reading: what a query tries is refused."""
    log.add([(1, T0, "a", 1)])
    delete = "DELETE FROM log"
    for text in (delete, f"SELECT 1; {delete}", f"SELECT 1) q; {delete}; --"):
        with pytest.raises((SqlError, ValueError)):
            await Runs({**log.params, "table": None, "query": text}).results()

    assert await Runs(log.params).values() == [1]


async def test_a_column_that_is_missing_fails_the_run(log: TableFile) -> None:
    """A schema that changed is told with the columns that there are, and nothing moves."""
    log.log((T0, 1))
    runs = Runs(log.params)
    await runs.values()
    before = dict(runs.state)
    log.execute("ALTER TABLE log RENAME COLUMN v TO V2")

    with pytest.raises(SqlError, match=r"table log: expected a column 'v'.*, got id, t, name, V2"):
        await runs.results()
    log.execute("ALTER TABLE log RENAME COLUMN V2 TO V")
    with pytest.raises(SqlError, match="did you mean 'V'"):
        await runs.results()

    assert runs.state == before


async def test_what_no_row_has_is_told(log: TableFile) -> None:
    """A template that fits no row degrades the run."""
    log.add([(1, T0, None, 1)])

    (result,) = await Runs(log.params).results()

    assert result["script_error"].startswith("table log: series: missing in all of 1 records")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Have another program hold a database."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("BEGIN EXCLUSIVE")
        yield


async def test_a_locked_file_is_told(log: TableFile) -> None:
    """The run fails when it has waited long enough, and nothing is lost."""
    log.log((T0, 1))
    runs = Runs({**log.params, "request_timeout": "20ms"})

    with locked(log.path), pytest.raises(SqlError, match=r"log.db: database is locked by another"):
        await runs.results()

    assert await runs.values() == [1]


async def test_a_statement_that_takes_too_long_is_ended(log: TableFile) -> None:
    """It would keep the thread, and the file."""
    query = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1e9) "
        "SELECT max(i) AS v, 1 AS t, 'a' AS name FROM n"
    )

    with pytest.raises(SqlError, match="longer than request_timeout"):
        await Runs(
            {**log.params, "table": None, "query": query, "request_timeout": "20ms"}
        ).results()


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "No such file"), (b"", "no such table"), (b"not a database" * 99, "not a database")],
)
async def test_a_file_that_is_no_database_is_told(
    tmp_path: Path, content: bytes | None, words: str
) -> None:
    """Reading makes no file, and says what is wrong with one."""
    path = tmp_path / "x.db"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(SqlError, match=rf"x\.db: .*{words}"):
        await Runs({**GOOD, "file": str(path)}).results()

    assert path.exists() == (content is not None)


@pytest.mark.parametrize("kind", ["postgresql", "mysql", "mssql"])
async def test_a_server_that_is_not_there_is_told(kind: str) -> None:
    """The message has the address, and no secret."""
    params = {**GOOD, "file": None, "url": f"{kind}://me:{SECRET}@127.0.0.1:9/db"}

    with pytest.raises(SqlError) as caught:
        await Runs({**params, "request_timeout": "2s"}).results()

    assert str(caught.value).startswith(f"{kind}://127.0.0.1:9/db: ")
    assert SECRET not in str(caught.value)


def test_a_missing_driver_is_told_with_the_command() -> None:
    """What to type is in the message."""

    class Absent(PostgreSQL):
        driver = "no_such_driver"

    with pytest.raises(ImportError, match=r"pip install 'ingestd\[postgresql\]'"):
        Absent().require()
    for dialect in DIALECTS.values():
        dialect.require()


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({}, []),
        ({"file": None}, ["file, url: expected one of them, `file` for SQLite"]),
        ({"url": "mysql://h/d"}, ["file, url: expected one of them, `file` for SQLite"]),
        ({"file": None, "url": "oracle://h/d"}, ["url: expected postgresql://"]),
        ({"file": None, "url": "sqlite:///x"}, ["url: expected postgresql://"]),
        ({"file": None, "url": f"me:{SECRET}@h/d"}, ["url: expected postgresql://"]),
        ({"file": None, "url": f"mysql://me:{SECRET}@h:port/d"}, ["url: expected postgresql://"]),
        ({"file": None, "url": "mysql://h"}, ["url: expected the name of a database"]),
        ({"password": SECRET}, ["user, password: expected only beside `url`"]),
        ({"query": "SELECT 1"}, ["table, query: expected one of them"]),
        ({"table": None, "query": "DROP TABLE t"}, ["query: expected a statement that begins"]),
        ({"table": "a..b"}, ["table: expected a name"]),
        ({"time": "a.b"}, ["time: expected a column"]),
        ({"id": "{x}"}, ["id: expected a column"]),
        ({"time_format": "nonsense"}, ["time_format: expected"]),
        ({"timezone": "Mars"}, ["timezone: expected a time zone"]),
        ({"value": None}, ["value, values: expected one of them", "series: expected beside"]),
        ({"hold": "long"}, ["hold: "]),
        ({"request_timeout": "0s"}, ["request_timeout: expected more than nothing"]),
        ({"options": "sslmode"}, ["options: expected a mapping"]),
        (
            {"table": None, "query": "SELECT {since}"},
            ["since_format: expected, to know how {since} is written"],
        ),
        (
            {"table": None, "query": "SELECT {since:unix}"},
            ["lookback: expected, to know where the first run begins"],
        ),
        ({"overlap": "x", "lookback": "y"}, ["overlap: ", "lookback: "]),
    ],
)
def test_params_are_checked(params: dict[str, Any], words: list[str]) -> None:
    """All that is wrong is told at once, without a secret."""
    problems = check(**{**GOOD, **params})

    assert len(problems) == len(words)
    assert all(any(each.startswith(word) for each in problems) for word in words)
    assert not any(SECRET in each for each in problems)
