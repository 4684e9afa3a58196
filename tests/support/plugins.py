"""Plugin files for tests, and a log that remembers."""

import re
import sys
import textwrap
from pathlib import Path
from typing import Any, Final

import pytest

from ingestd.calling.options import Finished
from ingestd.calling.plugin import Plugin
from ingestd.hosts import HOSTS
from ingestd.loading.loader import Loader

# The three shapes of a plugin, with nothing to say.
FUNCTION: Final = "def run(**_):\n    return {}\n"
COROUTINE: Final = "async def run(**_):\n    return {}\n"
GENERATOR: Final = "async def run(**_):\n    yield {}\n"


class PluginFolder:
    """A folder of plugins that a test writes as it goes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.loader = Loader([path], hosts=HOSTS.values())

    def write(self, name: str, text: str) -> Path:
        """Write ``<name>.py``, or any file if the name has an ending; return its path."""
        path = self.path / (name if "." in name else f"{name}.py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    def plugin(self, text: str, name: str = "probe") -> Plugin:
        """Write a plugin and load it."""
        self.write(name, text)
        return self.loader.load(name)


class LogLines:
    """A log that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, Any]]] = []

    def debug(self, event: str, **values: Any) -> None:
        """Keep a line."""
        self.lines.append(("debug", event, values))

    def info(self, event: str, **values: Any) -> None:
        """Keep a line."""
        self.lines.append(("info", event, values))

    def warning(self, event: str, **values: Any) -> None:
        """Keep a line."""
        self.lines.append(("warning", event, values))

    def error(self, event: str, **values: Any) -> None:
        """Keep a line."""
        self.lines.append(("error", event, values))


def imported(name: str) -> list[str]:
    """Return the modules that plugins of a name were imported as, in this process."""
    return [each for each in sys.modules if re.match(rf"ingestd_plugin_\d+_{name}\b", each)]


def state_of(finished: Finished) -> dict[str, Any]:
    """Return what a run gave besides readings."""
    return {name: value for name, value in finished.result.items() if name != "readings"}


@pytest.fixture
def plugin_folder(tmp_path: Path) -> PluginFolder:
    """Give an empty folder of plugins with a loader that looks there."""
    folder = tmp_path / "plugins"
    folder.mkdir()
    return PluginFolder(folder)
