"""The examples in docs/stores.md work."""

import re
import shutil
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from ingestd.config.file import load
from ingestd.config.model import EmbeddedStore
from ingestd.model import Series
from ingestd.sinks.embedded import EmbeddedSink
from tests.support.deadline import WITHIN

PAGE: Final = (Path(__file__).parents[2] / "docs" / "stores.md").read_text()


def blocks(language: str) -> list[str]:
    """Return the page's examples in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
async def file(tmp_path: Path) -> Path:
    """Give a file with some readings from the last hours."""
    sink = EmbeddedSink(EmbeddedStore(name="s", path=tmp_path / "readings.db"))
    now_us = int(time.time()) * 1_000_000
    series = [
        Series(name, (("site", "library"),), unit="kWh") for name in ("library.kwh", "library.kw")
    ]
    points = [(each, now_us - at * 60_000_000, float(at)) for each in series for at in range(60)]
    encoded = sink.encode(points)
    assert encoded.body is not None
    await sink.write(encoded.body.data)
    await sink.close()
    return sink.config.path


@pytest.mark.parametrize("text", blocks("yaml"))
def test_configurations_load(text: str, tmp_path: Path) -> None:
    """Every example of a store is a configuration without an error."""
    path = tmp_path / "ingestd.yaml"
    path.write_text(text)
    for secret in ("influx-token", "influx-password"):
        (tmp_path / secret).write_text("secret")

    config = load(path, {"CREDENTIALS_DIRECTORY": str(tmp_path)})

    assert len(config.stores) == 1


@pytest.mark.parametrize("query", blocks("sql"))
def test_queries_find_something(query: str, file: Path) -> None:
    """Every example of SQL gives rows, with Grafana's variables put in."""
    now_ms = int(time.time()) * 1000
    query = query.replace("$__from", str(now_ms - 10_000_000)).replace("$__to", str(now_ms))

    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as db:
        assert db.execute(query).fetchall()


def test_shell_commands_work(file: Path, tmp_path: Path) -> None:
    """The examples for SQLite's own program read and copy the file."""
    if shutil.which("sqlite3") is None:
        pytest.skip("sqlite3 is not installed (apt-get install sqlite3)")
    (tmp_path / "b").mkdir()
    commands = [each for each in blocks("sh") if each.startswith("sqlite3")]
    for command in commands:
        here = command.replace("/srv/readings", str(file.parent))
        here = here.replace("/srv/backup", str(tmp_path / "b"))
        subprocess.run(here, shell=True, check=True, timeout=WITHIN)

    assert len(commands) == 2
    with closing(sqlite3.connect(tmp_path / "b" / "readings.db")) as db:
        assert db.execute("SELECT count(*) FROM readings").fetchone() == (120,)
