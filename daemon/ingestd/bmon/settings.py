"""A stand-in for ``django.conf.settings``, which scripts written for BMON import.

Such a script runs inside a Django application there, and takes an API key or the
like from its settings. Here it finds an object with the same name, filled from
the ``settings:`` of its collector.

A script may keep a setting in a variable of its own, and so may the modules that
it imports. So it is imported anew for each run, as BMON does, and a worker process
serves one set of settings only (``BmonHost.mark``). In threads the settings belong to
the call, since many calls share the process.

A Django that is installed and configured is left alone.
"""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any, Final

DJANGO: Final = "django"
CONF: Final = "django.conf"


_of_call: ContextVar[Mapping[str, Any] | None] = ContextVar("settings", default=None)
_of_process: Mapping[str, Any] | None = None


def _in_force() -> Mapping[str, Any] | None:
    values = _of_call.get()
    return _of_process if values is None else values


class Settings:
    """Has as its attributes the settings of the collector whose script asks."""

    def __getattr__(self, name: str) -> Any:
        """Return a setting.

        Raises:
            AttributeError: The operator has not written it.
        """
        values = _in_force()
        if values is None:  # a thread of the script that outlives its run, or has no part in it
            values = {}
        try:
            return values[name]
        except KeyError:
            known = ", ".join(sorted(values)) or "none"
            text = f"no setting {name!r}: expected it under settings: of the collector, got {known}"
            raise AttributeError(text) from None


class EmptySettings(dict[str, Any]):
    """Settings that are all empty, so that a script can be described without its collector."""

    def __missing__(self, name: str) -> str:
        """Return what lets most scripts be imported."""
        if name.startswith("_"):
            raise KeyError(name)
        return ""


SETTINGS: Final = Settings()


class _StandIn(MetaPathFinder, Loader):
    """Gives Python's import system the two modules that scripts need."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002 (Python passes it)
        target: ModuleType | None = None,  # noqa: ARG002 (Python passes it)
    ) -> ModuleSpec | None:
        """Say where a module is, if it is one of ours and the script that asks has settings."""
        if _in_force() is None:
            return None
        if fullname == CONF or (fullname == DJANGO and not _installed()):
            return ModuleSpec(fullname, self, is_package=fullname == DJANGO)
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Fill a module."""
        if module.__name__ == CONF:
            module.__dict__["settings"] = SETTINGS


_STAND_IN: Final = _StandIn()


def provide(settings: Mapping[str, Any] | None) -> None:
    """Give settings to everything that this process runs from now on.

    Args:
        settings: Of the collector, or None for a look at a script without it: then all of
            them are empty, unless there is a Django that has its own.
    """
    global _of_process  # noqa: PLW0603 -- the import system is as global, and so are its modules
    if settings is None and _installed():
        return
    _of_process = EmptySettings() if settings is None else settings
    _install()


@contextmanager
def provided(settings: Mapping[str, Any]) -> Iterator[None]:
    """Give settings to what is called within, in this thread."""
    _install()
    token = _of_call.set(settings)
    try:
        yield
    finally:
        _of_call.reset(token)


def _install() -> None:
    if _STAND_IN not in sys.meta_path and not (_installed() and _configured()):
        sys.meta_path.insert(0, _STAND_IN)


def _installed() -> bool:
    return PathFinder.find_spec(DJANGO) is not None


def _configured() -> bool:
    conf = sys.modules.get(CONF)
    found = getattr(conf, "settings", None)
    return "DJANGO_SETTINGS_MODULE" in os.environ or bool(getattr(found, "configured", False))
