"""Plugin name or path -> what its ``run`` is, without trusting the file more than needed.

An asynchronous plugin shares the event loop, so it is imported here. An ordinary
function is imported in worker processes only: its module may block, print, exit
or pull in pandas. What the daemon must know of it is read from its syntax
tree; where that is not clear (``run`` is decorated or assigned, a module seems to
be missing), a process of its own imports the plugin and tells.

Everything here blocks: call it off the event loop.
"""

import difflib
import re
import threading
from asyncio import Future
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from math import inf
from pathlib import Path
from typing import Any, Final

from ingestd.calling import (
    Access,
    Plugin,
    PluginInfo,
    Protection,
)
from ingestd.contract import Host, problems_of
from ingestd.errors import PluginLoadError
from ingestd.loading.importprocess import NO_PROTECTION, ImportProcess
from ingestd.loading.learning import learn
from ingestd.loading.snapshot import fingerprint, name_of, shipped_folder, snapshot
from ingestd.loading.syntax import read_description
from ingestd.plugins import _files
from ingestd.worker import (
    Fingerprint,
)

CHECK_PATIENCE: Final = 10.0  # seconds, for all collectors of a plugin
NAME: Final = "check"
LOOKS_APART: Final = 1.0  # seconds: thousands of collectors may share a file

_NAME: Final = re.compile(r"[A-Za-z][\w-]*")

# A plugin's file, and the interpreter that runs it, or None for ours.
Place = tuple[Path, Path | None]


@dataclass(frozen=True, slots=True)
class LoadedPlugins:
    """What loaders share.

    Attributes:
        plugins: The last good version of each.
        broken: Those whose files do not import as they are now, and why.
        locks: One for each, because a plugin may take long to import.
        looks: When the files of each were found unchanged last, in monotonic seconds.
        looking: The looks under way, for all who ask meanwhile: whether there is a change.
    """

    plugins: dict[Place, Plugin] = field(default_factory=dict)
    broken: dict[Place, tuple[Fingerprint, PluginLoadError]] = field(default_factory=dict)
    locks: defaultdict[Place, threading.Lock] = field(
        default_factory=partial(defaultdict, threading.Lock)
    )
    looks: dict[Place, float] = field(default_factory=dict)
    looking: dict[tuple[Path, Fingerprint], Future[bool]] = field(default_factory=dict)


class Loader:
    """Finds plugins and keeps what it has loaded, one version for all who use it.

    Args:
        plugin_dirs: Searched before the shipped plugins.
        protection: What is kept from a process that imports a plugin.
        hosts: The systems that plugins may have been written for.
        loaded: What another loader has loaded, to be shared.
        access: What the collectors of a plugin may see, by the name that they have for it.
    """

    def __init__(
        self,
        plugin_dirs: Sequence[Path],
        *,
        protection: Protection | None = None,
        hosts: Collection[Host] = (),
        loaded: LoadedPlugins | None = None,
        access: Mapping[str, Access] | None = None,
    ) -> None:
        self._dirs = tuple(plugin_dirs)
        by_file: dict[Path, Access] = {}
        for name, each in (access or {}).items():
            with suppress(PluginLoadError):  # which is told when it is loaded
                by_file[self._find(name, None)] = each
        self._process = ImportProcess(protection or NO_PROTECTION, hosts, by_file)
        self._loaded = loaded or LoadedPlugins()

    def with_dirs(
        self, plugin_dirs: Sequence[Path], *, protection: Protection, access: Mapping[str, Access]
    ) -> "Loader":
        """Return a loader for another config, which shares what this one has loaded."""
        return Loader(
            plugin_dirs,
            protection=protection,
            hosts=self._process.hosts,
            loaded=self._loaded,
            access=access,
        )

    def load(
        self, name_or_path: str, python: Path | None = None, *, base: Path | None = None
    ) -> Plugin:
        """Load a plugin by name or path.

        Args:
            name_or_path: A path has a slash in it or ends in ``.py``.
            python: The interpreter that is to run it, or None for ours.
            base: The folder that a relative path starts from.

        Raises:
            PluginLoadError: It cannot be found, or does not import.
        """
        return self._load((self._find(name_or_path, base), python), sure=False)

    def is_fresh(self, plugin: Plugin, *, now: float) -> bool:
        """Whether a plugin is known to be as its files are, without looking at these.

        They were looked at a moment before ``now``, in monotonic seconds. A look waits for a
        thread, which costs as much as a short run. A shipped plugin is fresh until a restart.
        """
        if plugin.source.module is not None and plugin.python is None:
            return True
        place = plugin.path, plugin.python
        newest = self._loaded.plugins.get(place) is plugin
        return newest and now - self._loaded.looks.get(place, -inf) < LOOKS_APART

    def note_unchanged(self, plugin: Plugin, *, at: float) -> None:
        """Note when a plugin's files were looked at, in monotonic seconds, and had not changed."""
        self._loaded.looks[plugin.path, plugin.python] = at

    @property
    def looking(self) -> dict[tuple[Path, Fingerprint], Future[bool]]:
        """The looks under way at the files of a version of a plugin: whether they have changed."""
        return self._loaded.looking

    def changed(self, plugin: Plugin) -> bool:
        """Whether the plugin's files look different from when it was loaded."""
        if plugin.source.module is not None and plugin.python is None:
            return False  # an upgrade needs a restart anyway
        try:
            return fingerprint(plugin.path, plugin.python) != plugin.fingerprint
        except OSError:
            return True

    def refresh(self, plugin: Plugin) -> Plugin:
        """Return the plugin as its files are now; the same one if they have not changed.

        Raises:
            PluginLoadError: The new version does not import; the old one goes on
                working. Asking again about the same files costs nothing.
        """
        if not self.changed(plugin):
            return plugin
        return self._load((plugin.path, plugin.python), sure=True)

    def verify(self, plugin: Plugin) -> None:
        """Import the plugin in a process of its own, to see whether it can be.

        Raises:
            PluginLoadError: It cannot.
        """
        self._process.describe(plugin.source, plugin.python)

    def problems(self, plugin: Plugin, params: Sequence[Mapping[str, Any]]) -> list[list[str]]:
        """Return what the plugin itself says is wrong with the params of each of some collectors.

        Raises:
            PluginLoadError: It could not be asked.
        """
        check = plugin.check
        if plugin.may_check:
            return self._process.check(plugin.source, params, plugin.python)
        if check is None:
            return [[] for _ in params]

        def ask() -> list[list[str]]:
            return [problems_of(check, each) for each in params]

        try:
            # Foreign code, which may hang: in a thread that no exit waits for.
            return _files.within(plugin.path / NAME, ask, patience=CHECK_PATIENCE)
        except OSError:
            text = f"{plugin.path}: check must end within {CHECK_PATIENCE:g} s"
            raise PluginLoadError(text) from None

    def available(self) -> list[PluginInfo]:
        """List every plugin that has a name, without importing any in this process."""
        named = sorted(self._named().items())
        return [_info(name, path, self._process) for name, path in named]

    def _load(self, place: Place, *, sure: bool) -> Plugin:
        with self._loaded.locks[place]:
            return self._load_alone(place, sure=sure)

    def _load_alone(self, place: Place, *, sure: bool) -> Plugin:
        source = snapshot(*place)
        known = self._loaded.plugins.get(place)
        if known is not None and known.fingerprint == source.fingerprint:
            return known
        if sure and self._loaded.broken.get(place, (None,))[0] == source.fingerprint:
            error = self._loaded.broken[place][1]
            raise PluginLoadError(str(error), details=error.details)
        try:
            plugin = learn(source, self._process, sure=sure, python=place[1])
        except PluginLoadError as exc:
            self._loaded.broken[place] = (source.fingerprint, exc)
            raise
        self._loaded.plugins[place] = plugin
        self._loaded.broken.pop(place, None)
        return plugin

    def _find(self, name_or_path: str, base: Path | None) -> Path:
        if "/" in name_or_path or name_or_path.endswith(".py"):
            path = (base or Path.cwd()) / Path(name_or_path).expanduser()
            try:
                return _files.within(path, partial(_code_at, path))
            except OSError as exc:
                raise PluginLoadError(f"{path}: cannot be read: {exc.strerror}") from None
        named = self._named()
        if name_or_path in named:
            return named[name_or_path]
        meant = difflib.get_close_matches(name_or_path, named, n=1)
        hint = f"; did you mean {meant[0]!r}?" if meant else ""
        places = ", ".join([*map(str, self._dirs), "the shipped plugins"])
        raise PluginLoadError(f"no plugin {name_or_path!r} in {places}{hint}")

    def _named(self) -> dict[str, Path]:
        """Return name -> path; earlier folders win, and the shipped ones come last."""
        found: dict[str, Path] = {}
        for folder in (*self._dirs, shipped_folder()):
            for path in _plugins_in(folder):
                found.setdefault(name_of(path), path)
        return found


def _code_at(path: Path) -> Path:
    """Return where the code of a plugin begins.

    Raises:
        PluginLoadError: It is a folder that holds none.
    """
    path = path.resolve()
    if not path.is_dir():
        return path
    if not (path / "__init__.py").is_file():
        raise PluginLoadError(
            f"{path}: expected a file, or a folder with an __init__.py, got a folder without one"
        )
    return path / "__init__.py"


def _info(name: str, path: Path, process: ImportProcess) -> PluginInfo:
    try:
        source = snapshot(path)
        told = read_description(source) or process.describe(source)
    except PluginLoadError as exc:
        return PluginInfo(name, path, "", None, str(exc))
    return PluginInfo(name, path, next(iter(told.doc.strip().splitlines()), ""), told.kind)


def _plugins_in(folder: Path) -> Iterable[Path]:
    """Return modules, then packages, whose names are fit for a config."""

    def look() -> list[Path]:
        modules = (each for each in folder.glob("*.py") if each.name != "__init__.py")
        return [*modules, *folder.glob("*/__init__.py")]

    with suppress(OSError):  # the check of the configuration tells of folders
        return [each for each in _files.within(folder / "*", look) if _is_named(each)]
    return []


def _is_named(path: Path) -> bool:
    return _NAME.fullmatch(name_of(path)) is not None
