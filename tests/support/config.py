"""Configurations for tests: real files, read as the daemon reads them."""

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from ingestd.config import file as configfile
from ingestd.config.model import Config
from ingestd.errors import ConfigError
from ingestd.hosts import HOSTS


class ConfigFolder:
    """A folder with an ``ingestd.yaml`` and the files beside it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.main = path / "ingestd.yaml"

    def write(self, text: str, name: str = "ingestd.yaml") -> Path:
        """Write a file, without the indentation that the text has in the test."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
        return path

    def load(self, text: str | None = None, environ: Mapping[str, str] | None = None) -> Config:
        """Load the main file, after writing it if there is a text."""
        if text is not None:
            self.write(text)
        return configfile.load(self.main, environ or {}, hosts=HOSTS)

    def problems(
        self, text: str | None = None, environ: Mapping[str, str] | None = None
    ) -> list[str]:
        """Return what is wrong with the main file, without the name of the folder."""
        with pytest.raises(ConfigError) as caught:
            self.load(text, environ)
        return [str(each).replace(f"{self.path}/", "") for each in caught.value.problems]


@pytest.fixture
def folder(tmp_path: Path) -> ConfigFolder:
    """An empty folder for a configuration."""
    return ConfigFolder(tmp_path)
