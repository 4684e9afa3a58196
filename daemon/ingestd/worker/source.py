"""A plugin's code as it was read from its files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ingestd.plugins import _files

# A fingerprint: the files below a plugin, with their times and sizes.
Fingerprint = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True)
class Source:
    """A plugin's code as it was when it was read.

    The modules that were imported from it stay for as long as there is a reference to it.

    Attributes:
        path: The file, or the ``__init__.py`` of a package.
        module: The dotted name of a shipped plugin, which is imported as it
            stands; None for a snapshot.
        files: Name below the plugin's own (empty for itself) -> path and content.
        fingerprint: What the files looked like from outside.
    """

    path: Path
    module: str | None = None
    files: Mapping[str, tuple[str, bytes]] = field(default_factory=dict, repr=False)
    fingerprint: Fingerprint = ()

    @property
    def root(self) -> Path:
        """The file or folder that holds all of the plugin's code."""
        return self.path.parent if self.path.name == "__init__.py" else self.path


def fingerprint_of(path: Path) -> Fingerprint:
    """Look at a plugin's files without reading them.

    Raises:
        OSError: They are gone, or cannot be read.
    """
    looks = _files.within(path, lambda: [(str(each), each.stat()) for each in _code(path)])
    return tuple((name, look.st_mtime_ns, look.st_size) for name, look in looks)


def read_source(path: Path) -> Source:
    """Take a snapshot of the plugin at a path.

    Raises:
        OSError: A file is gone, or cannot be read.
    """
    fingerprint = fingerprint_of(path)  # before the reading, so that an edit in between shows
    code = _files.within(path, lambda: _code(path))
    files = {_below(path, each): (str(each), _files.read(each)) for each in code}
    return Source(path, None, files, fingerprint)


def _code(path: Path) -> list[Path]:
    if path.name != "__init__.py":
        return [path]
    return sorted(each for each in path.parent.rglob("*.py") if each.is_file())


def _below(path: Path, file: Path) -> str:
    if file == path:
        return ""
    parts = file.relative_to(path.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
