"""The same question, asked of a running daemon and of the files that it leaves."""

import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from typing import Any, Final

import pytest

from ingestd.cli.backend import Backend
from ingestd.cli.offline import Offline
from ingestd.cli.remote import Remote
from ingestd.config import load
from ingestd.hosts import HOSTS
from tests.support.daemon import DaemonFolder

pytestmark = pytest.mark.slow  # a daemon is started twice

Question = Callable[[Backend], Awaitable[Any]]

CONFIG: Final = """
series: {level: {unit: m}}
stores: {here: {type: embedded, batch: {linger: 10ms}}}
collectors:
  good: {plugin: meter, every: 365d, tags: {site: home}}
  bad: {plugin: bad, cron: 0 0 1 1 *, timezone: UTC, params: {password: geheimnis}}
  worse: {plugin: bad, every: 365d}
  off: {plugin: meter, every: 1h, enabled: false}
  unused: {plugin: meter, every: 365d}
"""
METER: Final = '''
"""Reads a meter."""

def run(*, start=None, end=None, count=0, **_):
    reading = (1_700_000_000, "level", 4.25)
    return {"readings": [reading], "count": count + 1, "hidden": {"token": "geheimnis"}}
'''
QUESTIONS: Final[dict[str, Question]] = {
    "status": lambda backend: backend.status(),
    "collectors": lambda backend: backend.collectors(),
    "runs": lambda backend: backend.runs(collector=None, limit=100),
    "runs of one": lambda backend: backend.runs(collector="bad", limit=1),
    "run": lambda backend: backend.run(1),
    "state": lambda backend: backend.state("good"),
    "state of one that never ran": lambda backend: backend.state("unused"),
    "spool": lambda backend: backend.spool(),
    "dead letters": lambda backend: backend.dead_letters(store=None, after=0, limit=100),
    "latest": lambda backend: backend.latest(within=1e9, series="lev*", store=None),
    "series": lambda backend: backend.series("good"),
    "backfills": lambda backend: backend.backfills(),
    "plugins": lambda backend: backend.plugins(),
}
# Only a running daemon knows these; the keys are there without one, too.
MOVING: Final = frozenset(
    {
        *("pid", "started", "uptime", "loaded_at", "warnings"),
        *("next_run", "running", "failures", "backing_off_for"),
        *("health", "since", "retry_in", "accepted", "inherited", "stored", "dropped"),
        *("in_memory", "suspect", "identity", "silent"),
    }
)


async def test_they_give_the_same_answers(daemon_folder: DaemonFolder) -> None:
    """Every key is in both, and every value but those that only a running daemon knows."""
    daemon_folder.plugin("meter", METER)
    daemon_folder.plugin("bad", "def run(**_):\n    raise OSError('no route')\n")
    daemon_folder.plugin("broken", "import nothing_of_that_name\n\nasync def run(**_): return {}\n")
    async with daemon_folder.daemon(CONFIG):
        pass
    leave_dead_letters_of_a_former_store(daemon_folder)
    async with daemon_folder.daemon() as it:
        for name in ("good", "bad", "worse"):
            await it.post(f"collectors/{name}/run")
        past = {"collector": "good", "spans": [[1_600_000_000, 1_600_003_600]]}
        backfill = await it.post("backfills", past)
        await it.daemon.backfills.ended(backfill["id"])
        await it.until(lambda: it.daemon.deliveries.by_store["here"].account.stored == 2)
        async with Remote.connect(it.address, None) as remote:
            online = {name: await ask(remote) for name, ask in QUESTIONS.items()}
    offline = Offline(load(daemon_folder.config_path, {}, hosts=HOSTS), None)

    for name, ask in QUESTIONS.items():
        answer = await ask(offline)
        assert answer, name
        assert shape(answer) == shape(online[name]), name
        assert settled(answer) == settled(online[name]), name
        assert "geheimnis" not in str(answer), name


def shape(value: Any) -> Any:
    """Return the keys of a JSON value, as deep as they go; what may be null counts as null."""
    match value:
        case dict():
            return {
                key: None if key in MOVING and not isinstance(each, str) else shape(each)
                for key, each in value.items()
            }
        case list():
            return [shape(each) for each in value]
    return None


def settled(value: Any) -> Any:
    """Return a JSON value without what moves."""
    match value:
        case dict():
            return {key: settled(each) for key, each in value.items() if key not in MOVING}
        case list():
            return [settled(each) for each in value]
    return value


def leave_dead_letters_of_a_former_store(folder: DaemonFolder) -> None:
    """Add them to the files of a daemon that does not run."""
    row = ("former", 1.7e9, "geheimnis is no login", b"series=level value=1")
    with closing(sqlite3.connect(folder.state_dir / "state.db")) as db, db:
        db.execute("INSERT INTO dead_letters (store, at, reason, payload) VALUES (?, ?, ?, ?)", row)
