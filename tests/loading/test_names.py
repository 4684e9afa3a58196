"""Names that a configured store would not read back the same are refused at their line."""

from pathlib import Path

import pytest

from ingestd.loading import check_plugins
from tests.support.config import ConfigFolder
from tests.support.plugins import FUNCTION, PluginFolder


@pytest.mark.parametrize(
    ("kind", "option", "name", "refused"),
    [
        ("victoriametrics", "field", 'a"b', True),
        ("victoriametrics", "measurement", 'a"b', False),
        ("victoriametrics", "field", "a\\ b", False),
        ("influxdb", "field", 'a\\"b', True),
        ("influxdb", "measurement", 'a\\"b', True),
        ("influxdb", "measurement", "a\\ b", True),
        ("influxdb", "measurement", "ends\\", True),
        ("influxdb", "measurement", "#a", True),
        ("influxdb", "field", 'a"b', False),
        ("embedded", "field", 'a"b', False),
    ],
)
def test_only_names_that_the_store_would_misread_are_refused(
    tmp_path: Path, folder: ConfigFolder, kind: str, option: str, name: str, *, refused: bool
) -> None:
    """The options of a collector and of a series alike."""
    plugins = PluginFolder(tmp_path)
    plugins.write("probe", FUNCTION)
    url = "" if kind == "embedded" else ", url: 'http://localhost:1'"
    more = ", version: 1, database: d" if kind == "influxdb" else ""
    config = folder.load(
        f"""
        stores:
          main: {{type: {kind}{url}{more}}}
        collectors:
          c:
            plugin: probe
            every: 1m
            {option}: '{name}'
        series:
          level: {{{option}: '{name}'}}
        """
    )

    wrong = check_plugins(config, plugins.loader).wrong

    told = [(each.where.rpartition(":")[2], each.key) for each in wrong]
    expected = [("8", f"collectors.c.{option}"), ("10", f"series.level.{option}")]
    assert told == (expected if refused else [])
    assert all("store main: " in each.message for each in wrong)
