"""Foreign code: read a plugin, import it, say what its ``run`` is, call it.

The same few functions serve the daemon and its worker processes.

A plugin is imported from a snapshot of its files rather than from the files, so
that the last good version can be started again after a broken edit, and so that
no stale bytecode is ever met.
"""

import functools
import importlib
import importlib.util
import inspect
import itertools
import sys
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from ingestd.errors import PluginError, PluginLoadError
from ingestd.worker.failures import load_failure

# A fingerprint: the files below a plugin, with their times and sizes.
Fingerprint = tuple[tuple[str, int, int], ...]


class Kind(Enum):
    """The three kinds of ``run``."""

    FUNCTION = "function"
    COROUTINE = "coroutine"
    GENERATOR = "async generator"


@dataclass(frozen=True, slots=True, weakref_slot=True)
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


@dataclass(frozen=True, slots=True)
class Parameters:
    """What ``run`` declares.

    Attributes:
        names: Everything that can be passed by name.
        required: Those without a default.
        accepts_any: Whether there is a ``**kwargs`` for all others.
    """

    names: tuple[str, ...]
    required: tuple[str, ...]
    accepts_any: bool


@dataclass(frozen=True, slots=True)
class Description:
    """What a plugin says about itself."""

    kind: Kind
    parameters: Parameters
    doc: str


def fingerprint_of(path: Path) -> Fingerprint:
    """Look at a plugin's files without reading them.

    Raises:
        OSError: They are gone, or cannot be read.
    """
    looks = ((str(each), each.stat()) for each in _files(path))
    return tuple((name, look.st_mtime_ns, look.st_size) for name, look in looks)


def read_source(path: Path) -> Source:
    """Take a snapshot of the plugin at a path.

    Raises:
        OSError: A file is gone, or cannot be read.
    """
    fingerprint = fingerprint_of(path)  # before the reading, so that an edit in between shows
    files = {_below(path, each): (str(each), each.read_bytes()) for each in _files(path)}
    return Source(path, None, files, fingerprint)


def _files(path: Path) -> list[Path]:
    if path.name != "__init__.py":
        return [path]
    return sorted(each for each in path.parent.rglob("*.py") if each.is_file())


def _below(path: Path, file: Path) -> str:
    if file == path:
        return ""
    parts = file.relative_to(path.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


class _Snapshots(MetaPathFinder, Loader):
    """Gives Python's import system the modules that were read before."""

    def __init__(self) -> None:
        self.files: dict[str, tuple[str, bytes]] = {}

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002 (Python passes it)
        target: ModuleType | None = None,  # noqa: ARG002 (Python passes it)
    ) -> ModuleSpec | None:
        """Say where a module is, if it is one of ours."""
        if fullname not in self.files:
            return None
        file = Path(self.files[fullname][0])
        folders = [str(file.parent)] if file.name == "__init__.py" else None
        return importlib.util.spec_from_file_location(
            fullname, file, loader=self, submodule_search_locations=folders
        )

    def exec_module(self, module: ModuleType) -> None:
        """Run a module's code."""
        file, content = self.files[module.__name__]
        code = compile(content, file, "exec", dont_inherit=True)
        exec(code, module.__dict__)  # noqa: S102 (running plugins is what we are for)

    def forget(self, name: str) -> None:
        """Drop a module and everything below it."""
        for known in (self.files, sys.modules):
            # A copy, because this may happen in any thread while another imports something.
            for each in [each for each in list(known) if f"{each}.".startswith(f"{name}.")]:
                known.pop(each, None)


_SNAPSHOTS: Final = _Snapshots()
_NUMBERS: Final = itertools.count(1)


def import_run(
    source: Source, unavailable: Mapping[str, str] | None = None
) -> tuple[Callable[..., Any], str]:
    """Import a plugin under a name of its own; return its ``run`` and its docstring.

    Args:
        source: The plugin's code.
        unavailable: Modules that no installation can provide, and what to say of each.

    Raises:
        PluginLoadError: It does not import, or has no ``run``.
    """
    name = source.module or f"ingestd_plugin_{next(_NUMBERS)}_{source.root.stem}"
    if source.module is None:
        if _SNAPSHOTS not in sys.meta_path:
            sys.meta_path.insert(0, _SNAPSHOTS)
        for below, file in source.files.items():
            _SNAPSHOTS.files[f"{name}.{below}" if below else name] = file
        # Not before: a run under way may import more of its modules.
        weakref.finalize(source, _SNAPSHOTS.forget, name).atexit = False
    try:
        module = importlib.import_module(name)
    except BaseException as exc:  # noqa: BLE001 (the border to foreign code: sys.exit() too)
        if source.module is None:
            _SNAPSHOTS.forget(name)
        raise load_failure(
            exc, path=source.path, root=source.root, unavailable=unavailable
        ) from None
    run = getattr(module, "run", None)
    if not callable(run):
        raise PluginLoadError(f"{source.path}: needs a function named run, got {run!r:.80}")
    return run, module.__doc__ or ""


def describe(run: Callable[..., Any], doc: str, source: Source) -> Description:
    """Say what an imported ``run`` is.

    Raises:
        PluginLoadError: It is something that cannot be a ``run``.
    """
    target: Any = inspect.unwrap(run)
    while isinstance(target, functools.partial):
        target = inspect.unwrap(target.func)
    if not inspect.isroutine(target):
        target = type(target).__call__
    if inspect.isgeneratorfunction(target):
        raise PluginLoadError(plain_generator(source.path))
    kind = Kind.FUNCTION
    if inspect.isasyncgenfunction(target):
        kind = Kind.GENERATOR
    elif inspect.iscoroutinefunction(target):
        kind = Kind.COROUTINE
    return Description(kind, _parameters(run, source.path), doc)


def plain_generator(where: object) -> str:
    """Say why a generator that is not asynchronous cannot be a ``run``."""
    return (
        f"{where}: run must be a function that returns a dict, or `async def` in order to yield, "
        "got a plain generator"
    )


def _parameters(run: Callable[..., Any], path: Path) -> Parameters:
    try:
        declared = inspect.signature(run).parameters.values()
    except (TypeError, ValueError):  # written in C: Python cannot tell
        return Parameters((), (), accepts_any=True)
    unnamed = [each.name for each in declared if each.kind is each.POSITIONAL_ONLY]
    if unnamed:
        raise PluginLoadError(positional_only(path, unnamed[0]))
    named = [
        each for each in declared if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)
    ]
    return Parameters(
        tuple(each.name for each in named),
        tuple(each.name for each in named if each.default is each.empty),
        accepts_any=any(each.kind is each.VAR_KEYWORD for each in declared),
    )


def positional_only(where: object, name: str) -> str:
    """Say why a parameter cannot be passed."""
    return f"{where}: run must take its parameters by name, got the positional-only {name!r}"


def call_ordinary(run: Callable[..., Any], kwargs: Mapping[str, Any]) -> object:
    """Call an ordinary ``run`` to its end.

    A wrapper can hide a coroutine function so well that only its result shows
    it; away from the daemon's event loop it gets a loop of its own.
    """
    result = run(**kwargs)
    if inspect.isawaitable(result):
        return _await(result)
    if inspect.isasyncgen(result) or inspect.isgenerator(result):
        raise PluginError(
            "run must return a dict, or be written as `async def` in order to yield, "
            f"got {result!r:.80}"
        )
    return result


def _await(result: Any) -> object:
    import asyncio  # noqa: PLC0415 (a third of a worker's memory, and rarely needed)

    async def finish() -> object:
        return await result

    return asyncio.run(finish())
