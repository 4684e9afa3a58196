"""Foreign code: import a plugin, and call its ``run``.

The same few functions serve the daemon and its worker processes.

A plugin is imported from a snapshot of its files rather than from the files, so
that the last good version can be started again after a broken edit, and so that
no stale bytecode is ever met.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import itertools
import sys
import weakref
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from ingestd.errors import PluginError, PluginLoadError
from ingestd.worker.failures import load_failure
from ingestd.worker.source import Source


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

    Raises:
        PluginLoadError: It does not import, or has no ``run``.
    """
    module = import_plugin(source, unavailable)
    return module.run, module.__doc__ or ""


def import_plugin(source: Source, unavailable: Mapping[str, str] | None = None) -> ModuleType:
    """Import a plugin under a name of its own; return its module, which has a ``run``.

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
    return module


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
