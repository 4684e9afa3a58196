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

from ingestd.calling import Access, Plugin, PluginInfo, Protection
from ingestd.contract import Host, authorize_of, check_of, problems_of, unavailable_modules
from ingestd.errors import PluginLoadError
from ingestd.loading.importprocess import NO_PROTECTION, ImportProcess
from ingestd.loading.syntax import defines_check, read_description
from ingestd.plugins import _files
from ingestd.worker import (
    Description,
    Fingerprint,
    Kind,
    Source,
    describe,
    fingerprint_of,
    import_plugin,
    read_source,
)

SHIPPED: Final = "ingestd.plugins"
CHECK_PATIENCE: Final = 10.0  # seconds, for all collectors of a plugin
NAME: Final = "check"
LOOKS_APART: Final = 1.0  # seconds: thousands of collectors may share a file

_NAME: Final = re.compile(r"[A-Za-z][\w-]*")


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

    plugins: dict[Path, Plugin] = field(default_factory=dict)
    broken: dict[Path, tuple[Fingerprint, PluginLoadError]] = field(default_factory=dict)
    locks: defaultdict[Path, threading.Lock] = field(
        default_factory=partial(defaultdict, threading.Lock)
    )
    looks: dict[Path, float] = field(default_factory=dict)
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

    def load(self, name_or_path: str, *, base: Path | None = None) -> Plugin:
        """Load a plugin by name or path.

        Args:
            name_or_path: A path has a slash in it or ends in ``.py``.
            base: The folder that a relative path starts from.

        Raises:
            PluginLoadError: It cannot be found, or does not import.
        """
        return self._load(self._find(name_or_path, base), sure=False)

    def is_fresh(self, plugin: Plugin, *, now: float) -> bool:
        """Whether a plugin is known to be as its files are, without looking at these.

        They were looked at a moment before ``now``, in monotonic seconds. A look waits for a
        thread, which costs as much as a short run. A shipped plugin is fresh until a restart.
        """
        if plugin.source.module is not None:
            return True
        newest = self._loaded.plugins.get(plugin.path) is plugin
        return newest and now - self._loaded.looks.get(plugin.path, -inf) < LOOKS_APART

    def note_unchanged(self, plugin: Plugin, *, at: float) -> None:
        """Note when a plugin's files were looked at, in monotonic seconds, and had not changed."""
        self._loaded.looks[plugin.path] = at

    @property
    def looking(self) -> dict[tuple[Path, Fingerprint], Future[bool]]:
        """The looks under way at the files of a version of a plugin: whether they have changed."""
        return self._loaded.looking

    def changed(self, plugin: Plugin) -> bool:
        """Whether the plugin's files look different from when it was loaded."""
        if plugin.source.module is not None:  # an upgrade needs a restart anyway
            return False
        try:
            return fingerprint_of(plugin.path) != plugin.fingerprint
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
        return self._load(plugin.path, sure=True)

    def verify(self, plugin: Plugin) -> None:
        """Import the plugin in a process of its own, to see whether it can be.

        Raises:
            PluginLoadError: It cannot.
        """
        self._process.describe(plugin.source)

    def problems(self, plugin: Plugin, params: Sequence[Mapping[str, Any]]) -> list[list[str]]:
        """Return what the plugin itself says is wrong with the params of each of some collectors.

        Raises:
            PluginLoadError: It could not be asked.
        """
        check = plugin.check
        if plugin.may_check:
            return self._process.check(plugin.source, params)
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

    def _load(self, path: Path, *, sure: bool) -> Plugin:
        with self._loaded.locks[path]:
            return self._load_alone(path, sure=sure)

    def _load_alone(self, path: Path, *, sure: bool) -> Plugin:
        source = _snapshot(path)
        known = self._loaded.plugins.get(path)
        if known is not None and known.fingerprint == source.fingerprint:
            return known
        if sure and self._loaded.broken.get(path, (None,))[0] == source.fingerprint:
            error = self._loaded.broken[path][1]
            raise PluginLoadError(str(error), details=error.details)
        try:
            plugin = _plugin(source, self._process, sure=sure)
        except PluginLoadError as exc:
            self._loaded.broken[path] = (source.fingerprint, exc)
            raise
        self._loaded.plugins[path] = plugin
        self._loaded.broken.pop(path, None)
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
        for folder in (*self._dirs, _shipped_folder()):
            for path in _plugins_in(folder):
                found.setdefault(_name_of(path), path)
        return found


def _plugin(source: Source, process: ImportProcess, *, sure: bool) -> Plugin:
    """Learn what a plugin is; with ``sure``, by importing it in any case."""
    description = read_description(source)
    if description is None or (sure and description.kind is Kind.FUNCTION):
        description = process.describe(source)
    run = check = authorize = None
    polls, programs = True, False
    if description.kind is not Kind.FUNCTION:
        module = import_plugin(source, unavailable_modules(process.hosts))
        run, doc = module.run, module.__doc__ or ""
        check, authorize = check_of(module), authorize_of(module)
        polls = description.kind is not Kind.GENERATOR or getattr(module, "POLLS", False) is True
        programs = getattr(module, "PROGRAMS", False) is True
        seen = describe(run, doc, source)
        # A wrapper that is no coroutine function itself may still return what the
        # `async def` below it gives; ``calling.results`` looks at the result.
        kind = seen.kind if seen.kind is not Kind.FUNCTION else description.kind
        description = Description(kind, seen.parameters, doc)
    return Plugin(
        name=_name_of(source.path),
        kind=description.kind,
        parameters=description.parameters,
        doc=description.doc,
        source=source,
        run=run,
        check=check,
        authorize=authorize,
        may_check=description.kind is Kind.FUNCTION and defines_check(source),
        polls=polls,
        programs=programs,
    )


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


def _snapshot(path: Path) -> Source:
    try:
        if path.is_relative_to(_shipped_folder()):  # in our own installation
            return Source(path, f"{SHIPPED}.{_name_of(path)}", fingerprint=fingerprint_of(path))
        return read_source(path)
    except OSError as exc:
        raise PluginLoadError(f"{path}: cannot be read: {exc.strerror}") from None


def _info(name: str, path: Path, process: ImportProcess) -> PluginInfo:
    try:
        source = _snapshot(path)
        told = read_description(source) or process.describe(source)
    except PluginLoadError as exc:
        return PluginInfo(name, path, "", None, str(exc))
    return PluginInfo(name, path, next(iter(told.doc.strip().splitlines()), ""), told.kind)


def _shipped_folder() -> Path:
    return Path(__file__).parents[1] / "plugins"


def _plugins_in(folder: Path) -> Iterable[Path]:
    """Return modules, then packages, whose names are fit for a config."""

    def look() -> list[Path]:
        modules = (each for each in folder.glob("*.py") if each.name != "__init__.py")
        return [*modules, *folder.glob("*/__init__.py")]

    with suppress(OSError):  # the check of the configuration tells of folders
        return [each for each in _files.within(folder / "*", look) if _is_named(each)]
    return []


def _is_named(path: Path) -> bool:
    return _NAME.fullmatch(_name_of(path)) is not None


def _name_of(path: Path) -> str:
    return path.parent.name if path.name == "__init__.py" else path.stem
