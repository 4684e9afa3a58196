"""A daemon runs collectors in other interpreters beside those in its own."""

from pathlib import Path

import pytest

from tests.support.daemon import DaemonFolder
from tests.support.pythons import Environment

METER = """
import meters
def run(*, count=0, **_):
    print(meters.NAME)
    return {"readings": [(None, meters.NAME, meters.LEVEL)], "count": count + 1}
"""


@pytest.mark.slow  # starts some processes
async def test_each_collector_has_its_own_packages(
    daemon_folder: DaemonFolder, environment: Environment, tmp_path: Path
) -> None:
    """An upgrade of them counts from the next run on; an interpreter that is missing harms none."""
    daemon_folder.plugin("meter", METER)
    daemon_folder.plugin("plain", "def run(**_):\n    return {'readings': [(None, 'level', 1)]}\n")
    environment.install("meters", "NAME, LEVEL = 'old', 1.5\n")
    config = f"""
    collectors:
      own: {{plugin: meter, every: 1h, python: {environment.python}}}
      lost: {{plugin: plain, every: 1h, python: {tmp_path / "gone"}}}
      plain: {{plugin: plain, every: 1h}}
    """
    async with daemon_folder.daemon(config) as it:
        records = {
            name: await it.post(f"collectors/{name}/run") for name in ("own", "lost", "plain")
        }
        (environment.packages / "meters.py").unlink()
        environment.install("meters", "NAME, LEVEL = 'newer', 2.5\n")
        again = await it.post("collectors/own/run")
        state = await it.get("state/own")

    outcomes = {name: each["outcome"] for name, each in records.items()}
    assert outcomes == {"own": "ok", "lost": "failed", "plain": "ok"}
    assert records["lost"]["error"] == f"{tmp_path / 'gone'}: No such file or directory"
    assert [records["own"]["output"], again["output"]] == ["old\n", "newer\n"]
    assert again["points"] == 1
    assert state["state"] == {"count": 2}
