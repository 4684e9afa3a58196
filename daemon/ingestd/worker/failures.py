"""What a plugin raised, told in our own errors.

Nothing foreign gets past here: exceptions become text where they were caught,
because they may refuse to be copied, sent or even printed, and their traceback
starts at the plugin's first frame, because ours do not help its author.

In every function ``root`` is the file or folder that holds the plugin's code.
"""

from __future__ import annotations

import builtins
import contextlib
import linecache
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from ingestd.contract import safe_repr
from ingestd.errors import PluginError, PluginLoadError, WorkerDied

DETAILS_LIMIT: Final = 64 * 1024  # characters of a traceback
# Characters; it is made shorter when secrets have been masked in it, since one that was cut
# would not be recognised.
MESSAGE_LIMIT: Final = 8000
# Python 3.9 has no such option, and before 3.11 there are no groups.
COMPACT: Final[Mapping[str, Any]] = {"compact": True} if sys.version_info >= (3, 10) else {}
GROUP: Final[Any] = getattr(builtins, "BaseExceptionGroup", ())


def run_failure(exc: BaseException, root: Path) -> PluginError:
    """Turn what ``run`` raised into an error of ours; no foreign object stays in it."""
    details = plugin_traceback(exc, root) if _where(exc, root) else ""
    if isinstance(exc, PluginError):  # our own: about the result, from ctx, or from loading
        return type(exc)(str(exc), details=exc.details or details)
    if isinstance(exc, SystemExit):
        return WorkerDied(f"run called sys.exit({safe_repr(exc.code)})", details=details)
    return PluginError(one_line(exc), details=details)


def load_failure(
    exc: BaseException, *, path: Path, root: Path, unavailable: Mapping[str, str] | None = None
) -> PluginLoadError:
    """Turn what importing a plugin raised into an error of ours.

    Args:
        exc: What was raised.
        path: The plugin, which the error names where the exception has no place in it.
        root: The file or folder that holds the plugin's code.
        unavailable: Modules that no installation can provide, and what to say of each.
    """
    where, what = _where(exc, root) or str(path), one_line(exc)
    if isinstance(exc, SyntaxError):
        where, what = f"{exc.filename}:{exc.lineno}", exc.msg
    elif isinstance(exc, ModuleNotFoundError) and exc.name:
        what = f"needs the module {exc.name!r}, which is not installed"
        package = exc.name.partition(".")[0]
        what = (unavailable or {}).get(package, what)
    elif isinstance(exc, SystemExit):
        what = "must not call sys.exit() while it is imported"
    return PluginLoadError(f"{where}: {what}", details=plugin_traceback(exc, root))


def _where(exc: BaseException, root: Path) -> str:
    """Return ``file:line`` of the plugin's innermost frame, if it has one."""
    lines = [
        f"{frame.f_code.co_filename}:{line}"
        for frame, line in traceback.walk_tb(exc.__traceback__)
        if is_inside(frame.f_code.co_filename, root)
    ]
    return lines[-1] if lines else ""


def is_inside(filename: str, root: Path) -> bool:
    """Whether a file is part of a plugin."""
    return Path(filename).is_relative_to(root)


def one_line(exc: BaseException) -> str:
    """Return ``TypeName: text``, even if the exception's own methods fail."""
    text = "its text cannot be shown"
    with contextlib.suppress(BaseException):  # the border to foreign code: __str__ may do anything
        text = str(exc)[:MESSAGE_LIMIT]
    if isinstance(exc, GROUP):  # its own text says only how many there are
        text = f"{text}: {one_line(exc.exceptions[0])}"[:MESSAGE_LIMIT]
    return f"{type(exc).__name__}: {text}" if text else type(exc).__name__


def plugin_traceback(exc: BaseException, root: Path) -> str:
    """Return the traceback from the plugin's first frame on, bounded in length."""
    linecache.checkcache()
    text = "its traceback cannot be shown\n"
    with contextlib.suppress(BaseException):  # the border to foreign code, and groups may be deep
        report = traceback.TracebackException(
            type(exc), exc, _from_plugin(exc.__traceback__, root), **COMPACT
        )
        _trim_chain(report, root)
        text = "".join(report.format())
    if len(text) > DETAILS_LIMIT:
        half = DETAILS_LIMIT // 2
        text = f"{text[:half]}\n... {len(text) - 2 * half} characters left out ...\n{text[-half:]}"
    return text


def _from_plugin(tb: TracebackType | None, root: Path) -> TracebackType | None:
    while tb is not None and not is_inside(tb.tb_frame.f_code.co_filename, root):
        tb = tb.tb_next
    return tb


def _trim_chain(report: traceback.TracebackException, root: Path) -> None:
    """Start the tracebacks of causes at the plugin too, where they pass through it."""
    earlier = report.__cause__ or report.__context__
    while earlier is not None:
        stack = earlier.stack
        inside = [i for i, frame in enumerate(stack) if is_inside(frame.filename, root)]
        if inside:
            del stack[: inside[0]]
        earlier = earlier.__cause__ or earlier.__context__
