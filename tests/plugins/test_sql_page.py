"""The page of sql: its queries read what the programs that they are for have written."""

import re
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from ingestd.plugins.sql import check
from ingestd.plugins.sql.dialects import DIALECTS
from ingestd.plugins.sql.statements import Select, Statement, source_of
from tests.support.databases import Database
from tests.support.sqlreading import NOON, T0, Runs

REACHING: Final = frozenset({"file", "url", "user", "password"})
PAGE: Final = Path(__file__).parents[2] / "docs" / "plugins" / "sql.md"
READY: Final = PAGE.read_text().partition("## Ready queries")[2].partition("\n## ")[0]
TEN: Final = datetime(2026, 7, 1, 8, tzinfo=UTC).timestamp()  # by the clock in Vienna


def collectors() -> dict[str, Any]:
    """Return all the collectors that stand under the ready queries, and the one at the top."""
    blocks = re.findall(r"```yaml\n(collectors:.*?)```", PAGE.read_text(), re.DOTALL)
    return {
        name: each for text in blocks for name, each in yaml.safe_load(text)["collectors"].items()
    }


COLLECTORS: Final = collectors()
HOME: Final = """
CREATE TABLE states_meta (metadata_id INTEGER PRIMARY KEY, entity_id VARCHAR(255));
CREATE TABLE states (state_id INTEGER PRIMARY KEY, entity_id CHAR(0), state VARCHAR(255),
  last_updated DATETIME, last_updated_ts FLOAT, metadata_id INTEGER);
CREATE TABLE statistics_meta (id INTEGER PRIMARY KEY, statistic_id VARCHAR(255));
CREATE TABLE statistics (id INTEGER PRIMARY KEY, start DATETIME, start_ts FLOAT, mean FLOAT,
  min FLOAT, max FLOAT, sum FLOAT, metadata_id INTEGER);
INSERT INTO states_meta VALUES (1, 'sensor.temp'), (2, 'binary_sensor.door'), (3, 'sun.sun');
INSERT INTO states VALUES (1, NULL, '21.5', NULL, 1782900000.25, 1),
  (2, NULL, 'on', NULL, 1782900001, 2), (3, NULL, 'above_horizon', NULL, 1782900002, 3),
  (4, NULL, 'unavailable', NULL, 1782900003, 1);
INSERT INTO statistics_meta VALUES (7, 'sensor.energy'), (8, 'sensor.temp');
INSERT INTO statistics VALUES (1, NULL, 1782900000, NULL, NULL, NULL, 12.5, 7),
  (2, NULL, 1782900000, 21, 20, 22, NULL, 8);
"""
SCHEMAS: Final[Mapping[str, tuple[str, list[tuple[Any, ...]]]]] = {
    "plant": (
        """CREATE TABLE measurements (id INTEGER PRIMARY KEY, ts TEXT, unit TEXT, boiler REAL,
        "Valve %" REAL);
        INSERT INTO measurements VALUES (1, '2026-07-01 10:00:00', 'v1', 71.5, 33);""",
        [(TEN, "boiler_celsius", 71.5), (TEN, "v1_percent", 33)],
    ),
    "home-states": (
        HOME,
        [
            (1_782_900_000.25, "sensor.temp", 21.5),
            (1_782_900_001, "binary_sensor.door", 1),
            (1_782_900_003, "sensor.temp", None),
        ],
    ),
    "home-statistics": (
        HOME,
        [
            (1_782_900_000, "sensor.energy_mean", None),
            (1_782_900_000, "sensor.energy_sum", 12.5),
            (1_782_900_000, "sensor.temp_mean", 21),
            (1_782_900_000, "sensor.temp_sum", None),
        ],
    ),
    "fhem": (
        """CREATE TABLE history (TIMESTAMP TIMESTAMP, DEVICE varchar(32), TYPE varchar(32),
        EVENT varchar(512), READING varchar(32), VALUE varchar(32), UNIT varchar(32));
        INSERT INTO history VALUES ('2026-07-01 10:00:00', 'oven', '', '', 'temperature',
        '71.5', ''),
        ('2026-07-01 10:00:00', 'oven', '', '', 'battery', 'ok', '');""",
        [(TEN, "oven_temperature", 71.5)],
    ),
}  # fmt: skip
SERVED: Final[Mapping[str, tuple[list[str], list[tuple[Any, ...]]]]] = {
    "niagara": (
        [
            """CREATE TABLE HISTORY_NUMERIC_TREND_RECORD (ID int, HISTORY_ID varchar(500),
            TIMESTAMP datetime, TRENDFLAGS int, STATUS int, VALUE double)""",
            """INSERT INTO HISTORY_NUMERIC_TREND_RECORD VALUES
            (1, '/jace1/AHU1_SAT', '2026-07-01 00:00:00', 0, 0, 18.5)""",
        ],
        [(TEN, "/jace1/AHU1_SAT", 18.5)],
    ),
    "emoncms-feed-17": (
        [
            "CREATE TABLE feed_17 (time INT UNSIGNED NOT NULL, data FLOAT, UNIQUE (time))",
            f"INSERT INTO feed_17 VALUES ({int(T0)}, 250.5)",
        ],
        [(T0, "house_watts", 250.5)],
    ),
}


@pytest.mark.parametrize("name", COLLECTORS)
def test_a_query_on_the_page_passes_the_check(name: str) -> None:
    """Nothing is wrong with its params."""
    assert check(**COLLECTORS[name]["params"]) == []


def test_all_queries_are_tried() -> None:
    """Those of MS SQL have no server here, and the one at the top is generic."""
    untried = set(COLLECTORS) - set(SCHEMAS) - set(SERVED)

    assert untried == {"building", "ahu1"}


async def read(name: str, where: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Return what a collector of the page reads in a database."""
    entry = COLLECTORS[name]
    kept = {
        n: p for n, p in entry["params"].items() if n not in {"file", "url", "user", "password"}
    }
    return await Runs({**kept, **where}, zone=entry.get("timezone")).readings()


@pytest.mark.parametrize("name", SCHEMAS)
async def test_a_query_reads_a_file(name: str, tmp_path: Path) -> None:
    """The table is as the program makes it, as far as it is read."""
    schema, expected = SCHEMAS[name]
    with closing(sqlite3.connect(tmp_path / "x.db")) as db:
        db.executescript(schema)

    assert await read(name, {"file": str(tmp_path / "x.db")}) == expected


@pytest.mark.xdist_group("databases")
@pytest.mark.parametrize("name", SERVED)
async def test_a_query_reads_a_server(name: str, maria: tuple[Database, Any]) -> None:
    """Likewise, in MariaDB."""
    database, cursor = maria
    schema, expected = SERVED[name]
    for statement in schema:
        cursor.execute(statement)

    assert await read(name, database.params) == expected


@pytest.mark.xdist_group("databases")
async def test_the_first_query_reads_a_trend_log(postgres: tuple[Database, Any]) -> None:
    """It emits what the page says."""
    database, connection = postgres
    connection.execute(
        "CREATE TABLE trend_log (logged_at timestamptz, point_name text, value numeric)"
    )
    text = PAGE.read_text().partition("## Example output")[2]
    row = yaml.safe_load(text.partition("```json\n")[2].partition("```")[0])
    connection.execute("INSERT INTO trend_log VALUES (%s, %s, %s)", [*row.values()])

    ((time, series, value),) = await read("building", database.params)

    when = f"{datetime.fromtimestamp(time, UTC):%Y-%m-%dT%H:%M:%SZ}"
    assert f"\n{when}  {series}  {value}\n" in text


def fragments() -> list[dict[str, Any]]:
    """Return the params that the page shows without a collector around them."""
    blocks = re.findall(r"```yaml\n( +query:.*?)```", PAGE.read_text(), re.DOTALL)
    return [yaml.safe_load(block) for block in blocks]


@pytest.mark.xdist_group("databases")
async def test_texts_that_do_not_sort_are_made_times(postgres: tuple[Database, Any]) -> None:
    """The page's query has the local time, and `timezone` says where that is."""
    database, connection = postgres
    params, _ = fragments()
    connection.execute("CREATE TABLE log (name text, day text, value float)")
    connection.execute("INSERT INTO log VALUES ('a', '01.07.2026 10:00', 1)")
    runs = Runs({**database.params, **params, "series": "{name}", "value": "value"})

    assert await runs.readings(lookback="1d") == [(TEN, "a", 1)]


@pytest.mark.xdist_group("databases")
async def test_ends_stand_in_a_query_that_groups(postgres: tuple[Database, Any]) -> None:
    """The means of the page are of what lies between the ends."""
    database, connection = postgres
    _, params = fragments()
    connection.execute("CREATE TABLE trend (point text, ts timestamptz, value float)")
    connection.execute(
        "INSERT INTO trend VALUES ('a', '2026-07-01 08:10Z', 1), ('a', '2026-07-01 08:20Z', 2),"
        " ('a', '2026-05-01 08:20Z', 3), ('b', '2026-07-01 08:30Z', 4)"
    )
    runs = Runs({**database.params, **params})

    assert sorted(await runs.readings()) == [(TEN, "a", 1.5), (TEN, "b", 4)]


def test_ms_sql_is_sent_what_it_understands() -> None:
    """There is no server here: names in brackets, TOP in the place of LIMIT, % doubled."""
    dialect = DIALECTS["mssql"]
    source = source_of(["dbo", "a]b%"], None).part(dialect, lambda _: None)
    select = Select(dialect, source, "Time", "ID")
    rows = select.rows(["Time"], [select.at_or_after(NOON), select.behind(7)])

    assert source == Statement("[dbo].[a]]b%]")
    assert select.example(latest=False).text == (
        "SELECT TOP 1 [Time] FROM [dbo].[a]]b%] WHERE [Time] IS NOT NULL"
    )
    assert dialect.finished(rows.text) == (
        "SELECT [Time] FROM [dbo].[a]]b%%] WHERE [Time] >= %s AND [ID] > %s ORDER BY [ID]"
    )
    assert rows.arguments == (NOON, 7)
