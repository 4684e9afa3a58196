"""Where a run of sql goes on: by time, by id, and what is still to come."""

import asyncio
import sqlite3
from contextlib import aclosing, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from ingestd.plugins import sql
from ingestd.plugins.sql.dialects import DIALECTS
from ingestd.plugins.sql.sqlite import SQLite
from ingestd.testing import context
from tests.support.sqlreading import NOON, T0, Runs, TableFile

MINUTE: Final = 60.0
HOUR: Final = 3600.0
DAY: Final = 86_400.0


@pytest.fixture
def log(tmp_path: Path) -> TableFile:
    """Give an empty table of ids, Unix seconds, names and values."""
    return TableFile(tmp_path / "log.db")


async def test_a_run_reads_what_is_new(log: TableFile) -> None:
    """The first run reads everything, in the order of its times, and the next what came since."""
    log.log((T0 - 60, 2), (T0 - 120, 1))
    runs = Runs(log.params)

    assert await runs.values() == [1, 2]
    assert runs.state == {"newest": T0 - 60}

    log.log((T0 - 30, 3))

    assert await runs.values() == [2, 3]
    assert runs.state == {"newest": T0 - 30}


async def test_rows_with_the_time_of_the_latest_one_are_not_missed(log: TableFile) -> None:
    """They are written a moment later, with the same time."""
    log.log((T0 - 60, 1))
    runs = Runs(log.params)
    await runs.values()

    log.add([(7, T0 - 60, "b", 2)])

    assert ("b", 2) in [reading[1:] for reading in await runs.readings()]


async def test_equal_times_do_not_end_a_part(
    log: TableFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many rows have one time, none is left out where a part ends."""
    monkeypatch.setattr("ingestd.plugins.sql.walking.READINGS", 4)
    log.add((n, T0 - 60 + n // 10, f"s{n}", n) for n in range(30))
    runs = Runs(log.params)

    results = await runs.results()

    assert [len(each["readings"]) for each in results] == [4, 4, 4, 4, 4, 4, 4, 2]
    assert sorted(r[2] for each in results for r in each["readings"]) == [*range(30)]


async def test_each_part_is_a_checkpoint(log: TableFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that fails half-way goes on there: the position moves with each part."""
    monkeypatch.setattr("ingestd.plugins.sql.walking.READINGS", 2)
    log.log(*((T0 - 60 + n, n) for n in range(6)))

    results = await Runs(log.params).results()

    assert [each["newest"] - T0 for each in results] == [-59, -57, -55]


async def test_overlap_reads_again_what_may_be_late(log: TableFile) -> None:
    """A row that was committed behind a later one is found within it."""
    log.log((T0 - 60, 2))
    runs = Runs({**log.params, "overlap": "5m"})
    await runs.values()

    log.log((T0 - 4 * MINUTE, 1), (T0 - 10 * MINUTE, 0))

    assert await runs.values() == [1, 2]


async def test_lookback_is_where_the_first_run_begins(log: TableFile) -> None:
    """What is older is not asked for."""
    log.log((T0 - 2 * DAY, 1), (T0 - HOUR, 2))

    assert await Runs({**log.params, "lookback": "1d"}).values() == [2]


async def test_a_value_that_is_missing_holds_the_position(log: TableFile) -> None:
    """NULL may become a value; until then it is asked for again, and so is what is behind it."""
    log.log((T0 - 3 * HOUR, 1), (T0 - 2 * HOUR, None), (T0 - HOUR, 3))
    runs = Runs(log.params)

    assert await runs.values() == [1, None, 3]
    assert runs.state == {"newest": T0 - 2 * HOUR - 1}

    log.execute("UPDATE log SET v = 2 WHERE v IS NULL")

    assert await runs.values() == [2, 3]
    assert runs.state == {"newest": T0 - HOUR}


async def test_a_value_that_never_comes_is_given_up(log: TableFile) -> None:
    """Beyond hold, the position passes it, and the record of the run says so."""
    log.log((T0 - 3 * HOUR, None), (T0 - HOUR, 3))
    runs = Runs({**log.params, "hold": "2h"})

    await runs.values()

    assert runs.state == {"newest": T0 - HOUR}
    assert runs.notes == [
        "1 value missing at 2026-07-01T09:00:00Z, which is beyond hold: not waited for"
    ]


async def test_a_time_to_come_does_not_hide_what_is_written_until_then(log: TableFile) -> None:
    """One row with a wrong year must not."""
    log.log((T0 - 60, 1), (T0 + 1000 * DAY, 9))
    runs = Runs(log.params)

    assert await runs.values() == [1, 9]
    assert runs.state == {"newest": T0}

    log.log((T0 + 5, 2))
    runs.now = NOON + timedelta(seconds=10)

    assert await runs.values() == [2, 9]


async def test_revisit_reads_the_last_days_again(log: TableFile) -> None:
    """Values are corrected where they stand."""
    log.log((T0 - 3 * DAY, 1), (T0 - DAY, 2), (T0 - HOUR, 3))
    runs = Runs({**log.params, "revisit": timedelta(days=2)})
    await runs.values()

    log.execute("UPDATE log SET v = v + 10")

    assert await runs.values() == [12, 13]


async def test_an_id_finds_what_is_late_whatever_its_time(log: TableFile) -> None:
    """A logger that was offline for a week delivers with the times of that week."""
    log.log((T0 - 60, 1))
    runs = Runs({**log.params, "id": "id"})
    assert await runs.values() == [1]
    assert runs.state == {"newest": T0 - 60, "last_id": 1}

    log.log((T0 - 7 * DAY, 2), (T0 - 30, 3))

    assert await runs.values() == [1, 2, 3]
    assert runs.state == {"newest": T0 - 30, "last_id": 3}


async def test_overlap_finds_an_id_that_was_committed_late(log: TableFile) -> None:
    """Transactions take their ids when they begin, and commit in another order."""
    log.add([(1, T0 - 900, "a", 1), (3, T0 - 60, "a", 3)])
    runs = Runs({**log.params, "id": "id", "overlap": "1m"})
    await runs.values()

    log.add([(2, T0 - 75, "a", 2)])

    assert await runs.values() == [2, 3]
    assert runs.state["last_id"] == 3


async def test_ids_that_begin_anew_are_read_by_their_times(log: TableFile) -> None:
    """A table that was emptied counts from one again."""
    log.add([(1000, T0 - 60, "a", 1)])
    runs = Runs({**log.params, "id": "id"})
    await runs.values()

    log.execute("DELETE FROM log")
    log.log((T0 - 30, 2))

    assert await runs.values() == [2]


async def test_a_null_holds_the_position_by_id_as_well(log: TableFile) -> None:
    """Its id is passed, its time is not."""
    log.log((T0 - 2 * HOUR, None), (T0 - HOUR, 2))
    runs = Runs({**log.params, "id": "id"})
    await runs.values()

    log.execute("UPDATE log SET v = 1 WHERE v IS NULL")

    assert await runs.values() == [1, 2]


@pytest.mark.parametrize("extra", [{}, {"id": "id"}], ids=["time", "id"])
async def test_a_backfill_reads_its_window(log: TableFile, extra: dict[str, Any]) -> None:
    """It reads from its start to before its end, whatever the position, and moves none."""
    log.log(*((T0 - n * HOUR, n) for n in range(6)))
    runs = Runs({**log.params, **extra})
    await runs.values()
    start, end = (datetime.fromtimestamp(T0 - n * HOUR, UTC) for n in (4, 2))

    (result,) = await runs.results(start=start, end=end)

    assert sorted(r[2] for r in result["readings"]) == [3, 4]
    assert set(result) == {"readings"}


async def test_an_empty_table_is_read_without_a_word(log: TableFile) -> None:
    """There is nothing yet, and no position."""
    runs = Runs({**log.params, "lookback": "1d"})

    assert await runs.readings() == []
    assert runs.state == {}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have parts be small, and statements end as soon as a store is away."""
    monkeypatch.setattr("ingestd.plugins.sql.walking.READINGS", 3)
    monkeypatch.setattr("ingestd.plugins.sql.walking.HELD", 0.0)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("extra", [{}, {"id": "id"}], ids=["time", "id"])
async def test_a_store_that_is_away_keeps_no_lock(log: TableFile, extra: dict[str, Any]) -> None:
    """While a part waits for the store the table can be written, and then all of it is read."""
    log.add((n, T0 - 600 + n // 2, f"s{n}", n) for n in range(20))
    log.execute("PRAGMA journal_mode = DELETE")
    seen: list[int] = []
    async with (
        context(now=NOON) as ctx,
        aclosing(sql.run(ctx=ctx, **log.params, **extra)) as results,  # type: ignore[type-var]
    ):
        async for result in results:
            seen += [r[2] for r in result["readings"]]
            if result["newest"] < T0 - 590:
                # SQLite waits for some seconds until a lock is gone.
                late = [(100 + len(seen), T0 - 60, "late", 100 + len(seen))]
                await asyncio.to_thread(log.add, late)

    assert {*range(20)} <= set(seen)
    assert any(n >= 100 for n in seen)


async def test_a_run_by_id_does_not_read_the_whole_table(
    log: TableFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is new is found by the indexes of id and time, however many rows there are."""
    asked: list[tuple[str, list[Any]]] = []

    class Watched(SQLite):
        def execute(self, cursor: Any, text: str, arguments: list[Any]) -> None:
            asked.append((text, arguments))
            super().execute(cursor, text, arguments)

    monkeypatch.setitem(DIALECTS, "sqlite", Watched())
    log.execute("CREATE INDEX times ON log (t)")
    log.log((T0 - 60, 1))
    runs = Runs({**log.params, "id": "id"})
    await runs.values()
    await runs.values()

    with closing(sqlite3.connect(log.path)) as db:
        text, arguments = asked[-1]
        plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {text}", arguments)]
    assert [step for step in plan if step.startswith("SCAN")] == []
    assert [step for step in plan if "times (t>" in step] != []
