"""What is particular to the embedded store: a file that others read, on a disk that fills."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import orjson
import pytest

from ingestd.config.model import EmbeddedStore
from ingestd.errors import BodyRejected, StoreUnavailable
from ingestd.model import Point, Series
from ingestd.sinks import embedded
from ingestd.sinks.embedded import EmbeddedSink

T = 1_700_000_000_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give the path of a file that is not there yet."""
    return tmp_path / "new folder" / "readings.db"


@pytest.fixture
async def to(path: Path) -> AsyncIterator[EmbeddedSink]:
    """Give an opened sink."""
    sink = EmbeddedSink(EmbeddedStore(name="s", path=path))
    await sink.open()
    yield sink
    await sink.close()


async def keep(to: EmbeddedSink, *points: Point) -> None:
    """Write points."""
    encoded = to.encode(points)
    assert encoded.body is not None
    await to.write(encoded.body.data)


@contextmanager
def reader(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the file as any other program would."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        yield connection


async def test_a_repeat_overwrites(to: EmbeddedSink) -> None:
    """A later value for the same time takes the place of the earlier one."""
    series = Series("a")
    await keep(to, (series, T, 1.0), (series, T, 2.0))
    await keep(to, (series, T, 3.0))

    assert [p.value for p in await to.read("a", start_us=0, end_us=T + 1, tags={})] == [3.0]


async def test_others_read_while_the_daemon_writes(to: EmbeddedSink, path: Path) -> None:
    """Another connection sees every commit, through the tables and the view."""
    series = Series("R733", (("site", "library"),), "electricity", "kwh", "kWh")
    with reader(path) as db:
        for at in range(5):
            await keep(to, (series, T + at * 500_000, float(at)))
            assert db.execute("SELECT count(*) FROM readings").fetchone() == (at + 1,)

        rows = db.execute("SELECT * FROM points WHERE series = 'R733' ORDER BY time").fetchall()
        plan = db.execute(
            "EXPLAIN QUERY PLAN SELECT time, value FROM points"
            " WHERE series = 'R733' AND time_us >= 1700000001000000"
        ).fetchall()

    assert rows[1] == (
        "R733",
        "electricity",
        "kwh",
        "kWh",
        '{"site":"library"}',
        1_700_000_000.5,
        T + 500_000,
        1.0,
    )
    assert "series_id=? AND time>?" in str(plan)


async def test_questions_use_the_key(to: EmbeddedSink, path: Path) -> None:
    """No question reads every row of a file that grows for years."""
    newest = f"{embedded.SELECT} WHERE {embedded.NEWEST} AND time >= 1"
    some = f"{embedded.SELECT} WHERE name = 'a' AND time >= 1 AND time < 2 ORDER BY time"
    with reader(path) as db:
        plans = [db.execute(f"EXPLAIN QUERY PLAN {query}").fetchall() for query in (newest, some)]

    assert all("SCAN readings" not in str(plan) for plan in plans), plans


async def test_unit_may_change(to: EmbeddedSink, path: Path) -> None:
    """A unit is for people; a series stays the same when it is put right."""
    await keep(to, (Series("a", unit="kW"), T, 1.0))
    await to.close()
    await to.open()
    await keep(to, (Series("a", unit="kWh"), T + 1, 2.0))

    with reader(path) as db:
        assert db.execute("SELECT unit FROM series").fetchall() == [("kWh",)]
        assert db.execute("SELECT count(*) FROM points").fetchone() == (2,)


async def test_locked_file_is_unavailable(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another writer that does not let go makes the store unavailable, and nothing is lost."""
    patient = embedded.PRAGMAS
    monkeypatch.setattr(embedded, "PRAGMAS", (*patient, "busy_timeout=50"))
    sink = EmbeddedSink(EmbeddedStore(name="s", path=path))
    await sink.open()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        writing = asyncio.create_task(keep(sink, (Series("a"), T, 1.0)))
        with pytest.raises(StoreUnavailable, match="locked"):
            await writing
        other.execute("ROLLBACK")

    await keep(sink, (Series("a"), T, 1.0))
    assert len(await sink.latest(since_us=0)) == 1
    await sink.close()


async def test_damaged_file_is_unavailable_until_it_is_replaced(path: Path) -> None:
    """History that cannot be read is left alone for a person to look at."""
    path.parent.mkdir()
    path.write_bytes(b"not a database at all, " * 1000)
    sink = EmbeddedSink(EmbeddedStore(name="s", path=path))

    with pytest.raises(StoreUnavailable, match="damaged"):
        await sink.open()
    with pytest.raises(StoreUnavailable, match="damaged"):
        await keep(sink, (Series("a"), T, 1.0))
    assert path.read_bytes().startswith(b"not a database")

    path.unlink()
    await keep(sink, (Series("a"), T, 1.0))
    await sink.close()


async def test_replaced_file_gets_its_series_again(to: EmbeddedSink, path: Path) -> None:
    """What a file was known to hold is forgotten with it."""
    await keep(to, (Series("a"), T, 1.0), (Series("b"), T, 2.0))
    await to.close()
    path.unlink()
    await keep(to, (Series("b"), T, 3.0))

    assert [(p.series, p.value) for p in await to.latest(since_us=0)] == [("b", 3.0)]


async def test_folder_that_is_deleted_is_not_made_again(to: EmbeddedSink, path: Path) -> None:
    """It may be the state directory, private and gone for good, or a disk that comes back."""
    await keep(to, (Series("a"), T, 1.0))
    gone = path.parent.rename(path.parent.with_name("elsewhere"))

    for _ in range(2):  # the file is opened anew after the first failure
        with pytest.raises(StoreUnavailable):
            await keep(to, (Series("a"), T + 1, 2.0))
    assert not path.parent.exists()

    gone.rename(path.parent)
    await keep(to, (Series("a"), T + 1, 2.0))
    assert [p.value for p in await to.latest(since_us=0)] == [2.0]


async def test_commits_wait_for_the_disk(to: EmbeddedSink) -> None:
    """Positions in sources move on because of what is stored, so a power cut must not undo it."""
    database = to._database
    assert database is not None

    full = await database.write(lambda db: db.execute("PRAGMA synchronous").fetchone())

    assert full == (2,)


async def test_scan_misses_none_between_chunks(
    to: EmbeddedSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chunk begins with the very next microsecond."""
    monkeypatch.setattr(embedded, "ROWS_AT_ONCE", 3)
    await keep(to, *((Series("a"), T + at, float(at)) for at in range(8)))

    chunks = [chunk async for chunk in to.scan(start_us=T, end_us=T + 9)]

    assert [[point.value for point in chunk] for chunk in chunks] == [[0, 1, 2], [3, 4, 5], [6, 7]]


async def test_full_disk_is_unavailable_until_there_is_room(to: EmbeddedSink, path: Path) -> None:
    """What finds no room is kept by the daemon; it fits later, and what was there stays."""
    await keep(to, (Series("first"), T, 1.0))
    database = to._database
    assert database is not None
    # SQLite answers to this limit exactly as to a full disk.
    pages = await database.write(lambda db: db.execute("PRAGMA page_count").fetchone()[0])
    await database.write(lambda db: db.execute(f"PRAGMA max_page_count={pages}").fetchall())
    many = [(Series(f"{at}"), T, 1.0) for at in range(5000)]

    with pytest.raises(StoreUnavailable, match="no room"):
        await keep(to, *many)
    await keep(to, *many)

    with reader(path) as db:
        assert db.execute("SELECT count(*) FROM readings").fetchone() == (5001,)
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_failed_write_leaves_no_half_known_series(to: EmbeddedSink) -> None:
    """An id that was given in a transaction that failed is not used afterwards."""
    database = to._database
    assert database is not None
    await database.write(
        lambda db: db.execute(
            "CREATE TEMP TRIGGER refuse BEFORE INSERT ON readings WHEN NEW.value = 13"
            " BEGIN SELECT RAISE(ABORT, 'unlucky'); END"
        ).fetchall()
    )

    with pytest.raises(StoreUnavailable):
        await keep(to, (Series("a"), T, 13.0))
    await keep(to, (Series("b"), T, 1.0))
    await keep(to, (Series("a"), T, 2.0))

    assert {(p.series, p.value) for p in await to.latest(since_us=0)} == {("a", 2.0), ("b", 1.0)}


@pytest.mark.parametrize("data", [b"", b"sm v=1 1", b"[]", b'{"series": [["a"]]}'])
async def test_damaged_body_is_rejected(to: EmbeddedSink, data: bytes) -> None:
    """Bytes that are not a body are refused."""
    with pytest.raises(BodyRejected, match="damaged"):
        await to.write(data)


async def test_later_schema_is_left_alone(path: Path) -> None:
    """A file of a later version is not written to."""
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version=99")
    sink = EmbeddedSink(EmbeddedStore(name="s", path=path))

    with pytest.raises(StoreUnavailable, match="later ingestd"):
        await sink.open()
    await sink.close()


async def test_payload_is_an_object(to: EmbeddedSink) -> None:
    """Dead letters show names rather than positions."""
    encoded = to.encode([(Series("a", (("t", "v"),), "m", "f", "kW"), T, 1.5)])
    assert encoded.body is not None

    (payload,) = to.split(encoded.body.data)

    assert orjson.loads(payload) == {
        "series": "a",
        "tags": {"t": "v"},
        "measurement": "m",
        "field": "f",
        "unit": "kW",
        "time": T,
        "value": 1.5,
    }


WRITER = """
import asyncio, sys
from pathlib import Path
from ingestd.config.model import EmbeddedStore
from ingestd.model import Series
from ingestd.sinks.embedded import EmbeddedSink

async def main():
    sink = EmbeddedSink(EmbeddedStore(name="s", path=Path(sys.argv[1])))
    await sink.open()
    series = [Series(f"{at}") for at in range(50)]
    for batch in range(10**9):
        body = sink.encode([(each, batch * 1000, float(batch)) for each in series]).body
        await sink.write(body.data)
        print(batch, flush=True)

asyncio.run(main())
"""


@pytest.mark.slow  # a Python process starts
@pytest.mark.parametrize("batches", [1, 7, 60])
async def test_kill_loses_nothing_that_was_stored(path: Path, batches: int) -> None:
    """Every batch that was reported as stored is in the file after a kill, whole."""
    argv = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        last = [int(process.stdout.readline()) for _ in range(batches)][-1]
        os.kill(process.pid, signal.SIGKILL)

    with closing(sqlite3.connect(path)) as db:
        found = db.execute("SELECT time / 1000, count(*) FROM readings GROUP BY time").fetchall()
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert [batch for batch, _ in found][: last + 1] == list(range(last + 1))
    assert {count for _, count in found} == {50}
