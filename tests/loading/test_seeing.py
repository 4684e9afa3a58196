"""What a configuration keeps from worker processes."""

from pathlib import Path

from ingestd.config import load
from ingestd.loading import protection_for


def test_plugins_are_kept_from_changes_wherever_they_are(tmp_path: Path) -> None:
    """Those in folders of plugins, those named by their paths, and the packages that they use."""
    path = tmp_path / "ingestd.yaml"
    path.write_text(
        """
        daemon: {state_dir: state, plugin_dirs: [plugins, more]}
        collectors:
          named: {plugin: cpu, every: 1m}
          beside: {plugin: ./meters.py, every: 1m}
          package: {plugin: lab/balance, every: 1m}
          other: {plugin: cpu, every: 1m, python: envs/lab/bin/python}
          system: {plugin: cpu, every: 1m, python: /usr/bin/python3}
        """
    )

    code = protection_for(load(path, {}), {}).code

    places = {"plugins", "more", "meters.py", "lab/balance", "envs/lab"}
    assert code == {tmp_path / place for place in places}
