"""What records of runs look like in the database."""

import json
from pathlib import Path

from ingestd.disk import Database
from ingestd.records.runs import RunRecord, find_run, insert_runs

TOLD = {"bmon": {"script_execution_time": 1.5}}


async def test_what_a_host_tells_is_kept_under_its_name(tmp_path: Path) -> None:
    """The rows of earlier versions have it there, and so have the answers of the HTTP API."""
    record = RunRecord(collector="lab", tick=0.0, started=0.0, id=1, told=TOLD)
    async with await Database.open(tmp_path / "state.db") as database:
        await database.write(lambda db: insert_runs(db, [record]))
        (text,) = await database.read(lambda db: db.execute("SELECT record FROM runs").fetchone())
        ((found,), _) = await database.read(lambda db: find_run(db, 1))

    assert json.loads(text)["bmon"] == TOLD["bmon"]
    assert found == record
    assert found.as_dict()["bmon"] == TOLD["bmon"]
