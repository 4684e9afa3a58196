"""Any damaged row anywhere is set aside and told, and the daemon's stores begin.

Every column of every table is damaged in every way that SQLite can hold: it keeps
anything anywhere, and only a text that was meant to be a number is told by itself.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
import structlog

from ingestd.backfilling import absent
from ingestd.backfilling.absent import Absence
from ingestd.backfilling.records import BackfillRecord
from ingestd.backfilling.store import BackfillStore
from ingestd.clock import SystemClock
from ingestd.config import EmbeddedStore
from ingestd.contract import Memory
from ingestd.delivery import former
from ingestd.delivery.deadletters import DeadLetters
from ingestd.delivery.spool import Spool
from ingestd.disk import Database
from ingestd.errors import NotFound
from ingestd.health import PaceKept, SeriesKey
from ingestd.model import Body, Series
from ingestd.records import RunRecord, StateStore
from ingestd.redaction import Redactor
from ingestd.requesting import RequestedRun, Selection, as_json
from ingestd.requesting.store import RequestedRunStore
from ingestd.sinks.embedded import EmbeddedSink

DAMAGE: Final[dict[str, Any]] = {
    "nothing": None,
    "a number": 7,
    "a huge number": 2**63 - 1,
    "a negative number": -(2**62),
    "a huge fraction": 1e300,
    "infinity": float("inf"),
    "a text": "x",
    "an empty text": "",
    "JSON of another kind": '{"unknown": {"key": [1]}}',
    "JSON that nests without end": "[" * 100_000,
    "a blob": b"\xff\x00\xfe",
    "an empty blob": b"",
}
CUT: Final = "cut in half"
NO_UTF8: Final = "text that is no UTF-8"
T0: Final = 1_700_000_000


async def fill(path: Path) -> None:
    """Make a state database with a row or two in each table."""
    clock = SystemClock()
    async with await Database.open(path) as database:
        states = await StateStore.open(database, clock)
        for name in ("a", "b"):
            await states.commit(name, Memory(state={"n": 1}, hidden={"t": "x"}, masks={"p": "q"}))
            for _ in range(2):
                states.add_run(RunRecord(collector=name, tick=T0, started=T0, points=3))
            states.note_series(name, Series("s", (("k", "v"),)))
            key = SeriesKey("s", (("k", "v"),))
            states.keep_paces(name, {key: PaceKept(T0 * 10**6, T0, 1.0, 2.0)})
        await states.close()
        backfills = BackfillStore(database, clock=clock, log=structlog.get_logger())
        for _ in range(2):
            await backfills.add(
                BackfillRecord(
                    collector="a", spans=((T0, T0 + 9.0),), chunk=1.0, rate=None, asked=T0,
                    position=T0,
                )
            )  # fmt: skip
        gaps = [Absence("s", (("k", "v"),), number, 9, T0) for number in range(2)]
        await backfills.add_absences("a", gaps)
        missing = [Absence("s", (("k", "v"),), T0 + n, T0 + n + 1, T0) for n in range(2)]
        await database.write(lambda db: absent.insert(db, "a", missing))
        requests = RequestedRunStore(database, clock=clock, log=structlog.get_logger())
        asked = RequestedRun(
            collector="a", project="1", trace="2", key="k", added=T0, updated=T0, has_input=True
        )
        for each in await requests.add([asked, asked], ["1", '{"x": 2}']):
            await requests.save(each, "[3]")
        spool = Spool(database, "influx", limit_bytes=10**6, clock=clock)
        dead = DeadLetters(database, "influx", clock=clock)
        for _ in range(2):
            await spool.append(Body(b"m v=1 1", 1, 1, 1), droppable=True)
            await dead.add([(b"m v=x 1", "refused")])
        for configured in ({"influx": None}, {}):  # it goes, and leaves what waits
            await database.write(partial(former.remembered, configured=configured))
        await database.write(
            lambda db: former.save(
                db, "influx", former.FormerStore(beside=frozenset({"b"}), mark_us=1)
            )
        )
        await database.write(
            lambda db: db.execute(
                "INSERT INTO damaged (at, table_name, key, payload, error)"
                " VALUES (1, 'runs', '1', x'00', 'it')"
            )
        )


async def use(path: Path) -> list[str]:
    """Do with the database what a daemon does, and its API; return what was told of damage."""
    clock = SystemClock()
    told: list[str] = []
    with structlog.testing.capture_logs() as logs:
        async with await Database.open(path) as database:
            states = await StateStore.open(database, clock, tell=told.append)
            kept = await states.load_all()
            seen: list[Any] = [
                await states.paces(),
                [each.as_dict() for each in states.last_runs().values()],
            ]
            seen += [each.as_dict() for each in await states.runs(limit=100)]
            for name in ("a", "b"):
                seen += [await states.series(name), (await states.load(name)).memory]
                states.add_run(RunRecord(collector=name, tick=T0, started=T0))
            assert states.fingerprint("x")
            await states.flush()
            backfills = BackfillStore(database, clock=clock, log=structlog.get_logger())
            await backfills.unfinished()
            await database.read(lambda db: absent.listed(db, "a"))
            await database.write(lambda db: absent.insert(db, "a", [Absence("t", (), 1, 2, T0)]))
            seen += [each.as_dict() for each in await backfills.newest(None, limit=100)]
            await backfills.add(
                BackfillRecord(
                    collector="a",
                    spans=((1.0, 2.0),),
                    chunk=1.0,
                    rate=None,
                    asked=1.0,
                    position=1.0,
                )
            )
            seen += [absent.as_json(await backfills.absences("a"))]
            await backfills.add_absences("a", [Absence("s", (), 1, 2, T0)])
            seen += await use_requests(database)
            spool = Spool(database, "influx", limit_bytes=10**6, clock=clock)
            await spool.open()
            await database.write(partial(former.remembered, configured={"other": None}))
            await spool.append(Body(b"m v=2 2", 1, 2, 2), droppable=True)
            await spool.expire(0.0)
            bodies, _ = await spool.oldest(1000)
            await spool.replace(bodies, None)
            await spool.drop_oldest(10**9)
            dead = DeadLetters(database, "influx", clock=clock)
            await dead.open()
            seen += [each.as_dict() for each in await dead.listed()]
            await dead.add([(b"m v=y 1", "refused")])
            await database.write(lambda db: former.adopt(db, "other", ["influx"]))
            aside = await database.read(
                lambda db: db.execute("SELECT error FROM damaged").fetchall()
            )
            await states.close()
    json.dumps(seen[1], allow_nan=False)
    told += [str(each.get("problem", "")) for each in logs]
    told += [database.damage, *(each.damage for each in kept.values())]
    told += ["aside"] * (len(aside) - 1)
    return [each for each in told if each]


async def use_requests(database: Database) -> list[Any]:
    """Do with requested runs what a daemon does, and its API; return what is told of them."""
    requests = RequestedRunStore(database, clock=SystemClock(), log=structlog.get_logger())
    found = [*await requests.unfinished(), *await requests.with_key("k")]
    found += await requests.listed(Selection())
    seen: list[Any] = [as_json(each, Redactor()) for each in found]
    for each in found:
        with suppress(NotFound):
            seen += [await requests.document(each.id, "input")]
        with suppress(NotFound):
            seen += [await requests.document(each.id, "result")]
    assert await requests.input_bytes() >= 0
    await requests.add([RequestedRun(collector="a", added=T0, updated=T0)], ["5"])
    return seen


def columns(path: Path) -> Iterator[tuple[str, str]]:
    """Yield every column of every table."""
    with closing(sqlite3.connect(path)) as db:
        for (table,) in db.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table'"
        ).fetchall():
            for row in db.execute(f"PRAGMA table_info({table})").fetchall():
                yield table, row[1]


def damage(path: Path, table: str, column: str, how: str, *, which: str = "") -> bool:
    """Damage the newest row, or another; return whether that was possible."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        # Without constraints, which a flipped bit does not know either.
        db.execute("PRAGMA writable_schema = ON")
        db.execute("UPDATE sqlite_schema SET sql = replace(sql, ' NOT NULL', '')")
        db.execute("PRAGMA writable_schema = RESET")
        value: Any = DAMAGE.get(how)
        order = {"meta": "key", "series": "collector", "stores": "name"}.get(table, "rowid")
        newest = which or f"{order} = (SELECT max({order}) FROM {table})"
        expression = "?"
        if how == CUT:
            (whole,) = db.execute(f"SELECT {column} FROM {table} WHERE {newest}").fetchone()
            if not isinstance(whole, str | bytes):
                return False
            value = whole[: len(whole) // 2]
        elif how == NO_UTF8:
            value, expression = b"\xff\xfe\xfd", "CAST(? AS TEXT)"
        try:
            db.execute(f"UPDATE {table} SET {column} = {expression} WHERE {newest}", (value,))
        except (sqlite3.IntegrityError, sqlite3.DataError):
            return False  # a number of a row is one, whatever happens
    return True


@pytest.mark.slow
@pytest.mark.parametrize("how", [*DAMAGE, CUT, NO_UTF8])
async def test_every_column_of_every_table(tmp_path: Path, how: str) -> None:
    """The stores begin and go on, whatever stands where."""
    original = tmp_path / "original.db"
    await fill(original)
    assert await use(copy(original, tmp_path / "sound.db")) == []
    for number, (table, column) in enumerate(columns(original)):
        path = copy(original, tmp_path / f"{number}.db")
        if damage(path, table, column, how):
            try:
                await use(path)
            except Exception as exc:
                exc.add_note(f"{table}.{column} is {how}")
                raise


@pytest.mark.parametrize(
    ("table", "column", "how"),
    [
        ("runs", "record", CUT),
        ("runs", "record", "JSON of another kind"),
        ("runs", "record", "JSON that nests without end"),
        ("runs", "collector", "a number"),
        ("runs", "id", "a huge number"),
        ("spool", "id", "a huge number"),
        ("spool", "store", "nothing"),
        ("spool", "points", "a text"),
        ("dead_letters", "id", "a huge number"),
        ("dead_letters", "store", NO_UTF8),
        ("backfills", "record", "a number"),
        ("backfills", "status", "a text"),
        ("backfills", "collector", "nothing"),
        ("requested_runs", "id", "a huge number"),
        ("requested_runs", "record", CUT),
        ("requested_runs", "status", "a text"),
        ("series", "tags", "a text"),
        ("series", "series", "a blob"),
        ("series", "newest_us", "a huge fraction"),
        ("state", "state", CUT),
        ("state", "crc", "a text"),
    ],
)
async def test_what_is_set_aside_is_told(tmp_path: Path, table: str, column: str, how: str) -> None:
    """What cannot be right is kept apart, and the log says so."""
    path = tmp_path / "state.db"
    await fill(path)
    damage(path, table, column, how)

    told = await use(path)

    assert "aside" in told


async def test_a_key_of_another_type_is_made_anew(tmp_path: Path) -> None:
    """Marks of params differ from those before, which brings back what plugins have deleted."""
    path = tmp_path / "state.db"
    await fill(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("UPDATE meta SET value = 7 WHERE key = 'fingerprint_key'")

    assert any("fingerprint_key" in each for each in await use(path))
    with closing(sqlite3.connect(path)) as db:
        select = "SELECT length(value) FROM meta WHERE key = 'fingerprint_key'"
        assert db.execute(select).fetchone() == (32,)


async def test_the_run_before_a_damaged_one_is_the_last(tmp_path: Path) -> None:
    """A collector has the record of its newest run that can be read."""
    path = tmp_path / "state.db"
    await fill(path)
    damage(path, "runs", "record", CUT)

    async with await Database.open(path) as database:
        states = await StateStore.open(database, SystemClock())

        last = {name: each.id for name, each in states.last_runs().items()}
        await states.close()

    assert last == {"a": 2, "b": 3}


@pytest.mark.slow
@pytest.mark.parametrize("how", [*DAMAGE, CUT, NO_UTF8])
async def test_every_column_of_the_embedded_store(tmp_path: Path, how: str) -> None:
    """What is damaged is left out of answers, and the rest is there."""
    original = tmp_path / "original.db"
    sink = EmbeddedSink(EmbeddedStore(name="e", path=original))
    body = {
        "series": [[name, {"k": "v"}, "m", "f", "u"] for name in ("s", "t")],
        "index": [0, 1, 1],
        "time": [T0 * 10**6] * 2 + [T0 * 10**6 + 1],
        "value": [1.0, 2.0, 3.0],
    }
    await sink.write(json.dumps(body).encode())
    await sink.close()
    for number, (table, column) in enumerate(columns(original)):
        path = copy(original, tmp_path / f"{number}.db")
        newest = "name = 't'" if table == "series" else f"series_id = 2 AND time > {T0 * 10**6}"
        if not damage(path, table, column, how, which=newest):
            continue
        sink = EmbeddedSink(EmbeddedStore(name="e", path=path))
        found = [point async for points in sink.scan(start_us=0, end_us=2**62) for point in points]
        await sink.write(json.dumps(body).encode())
        await sink.latest(since_us=0)
        again = await sink.read("s", start_us=0, end_us=2**62, tags={})
        await sink.close()

        assert "s" in {point.series for point in found}, f"{table}.{column} is {how}"
        assert [point.value for point in again] == [1.0]


def copy(path: Path, to: Path) -> Path:
    """Copy a database."""
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(to)) as target:
        source.backup(target)
    return to
