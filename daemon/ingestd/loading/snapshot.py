"""A plugin's files, and what the interpreter that runs it has installed, as they are now."""

import errno
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from ingestd.calling import environment_fingerprint
from ingestd.errors import InterpreterUnfit, PluginLoadError
from ingestd.plugins import _files
from ingestd.worker import Fingerprint, Source, fingerprint_of, read_source

SHIPPED: Final = "ingestd.plugins"


def snapshot(path: Path, python: Path | None = None) -> Source:
    """Read a plugin's files.

    Args:
        path: Its file, or the ``__init__.py`` of a package.
        python: The interpreter that runs it, or None for ours.

    Raises:
        PluginLoadError: A file, or the interpreter, cannot be read.
    """
    look = _environment(python)  # before the reading, so that a change in between shows
    try:
        if path.is_relative_to(shipped_folder()):  # in our own installation
            source = Source(path, f"{SHIPPED}.{name_of(path)}", fingerprint=fingerprint_of(path))
        else:
            source = read_source(path)
    except OSError as exc:
        raise PluginLoadError(f"{path}: cannot be read: {exc.strerror}") from None
    return replace(source, fingerprint=source.fingerprint + look) if look else source


def _environment(python: Path | None) -> Fingerprint:
    """Look at what an interpreter has installed.

    Raises:
        InterpreterUnfit: It is not there.
    """
    if python is None:
        return ()
    try:
        return _files.within(python, partial(_look_at, python))
    except OSError as exc:
        raise InterpreterUnfit(f"{python}: {exc.strerror}") from None


def _look_at(python: Path) -> Fingerprint:
    if python.is_dir():
        text = f"expected an interpreter, such as {python / 'bin' / 'python'}, got a folder"
        raise IsADirectoryError(errno.EISDIR, text)
    if python.is_symlink() and not python.exists():
        text = "what it was made from has gone; expected an environment that is made anew"
        raise FileNotFoundError(errno.ENOENT, text)
    return environment_fingerprint(python)


def fingerprint(path: Path, python: Path | None) -> Fingerprint:
    """Look at the files of a plugin, and at what the interpreter that runs it has installed.

    Raises:
        OSError: They are gone, or cannot be read.
    """
    look = fingerprint_of(path)
    if python is None:
        return look
    return look + _files.within(python, partial(environment_fingerprint, python))


def shipped_folder() -> Path:
    """Return where the plugins are that come with ingestd."""
    return Path(__file__).parents[1] / "plugins"


def name_of(path: Path) -> str:
    """Return the name of a plugin."""
    return path.parent.name if path.name == "__init__.py" else path.stem
