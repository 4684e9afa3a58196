"""``isolation: thread``: ordinary functions in threads, for collectors that opt out of processes.

A thread cannot be stopped. At its deadline a run is reported as timed out and
left behind, and its collector starts no other until it has come to its end.
Threads are daemonic, so that a stuck one does not keep the daemon from leaving.
What a plugin prints goes where the daemon's own output goes.
"""

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ingestd.calling.options import CallOptions, Finished, tell_strays
from ingestd.calling.plugin import Plugin
from ingestd.contract import FunctionContext, result_as_builtins, safe_repr
from ingestd.errors import PluginError, RunTimeout
from ingestd.processes import kill_started, note_processes
from ingestd.worker import Source, call_ordinary, import_run, run_failure


class Threads:
    """Runs each call in a thread of its own; has the interface of ``Workers``."""

    def __init__(self) -> None:
        self._left_behind: dict[str, threading.Thread] = {}
        self._imports = _Imports()

    @property
    def stuck(self) -> frozenset[str]:
        """The collectors whose last run was left behind and has not ended yet."""
        return frozenset(name for name, each in self._left_behind.items() if each.is_alive())

    async def call(
        self, plugin: Plugin, kwargs: Mapping[str, Any], options: CallOptions
    ) -> Finished:
        """Call a plugin's ``run`` in a new thread.

        Raises:
            PluginError: The run failed, or an earlier one is still stuck.
        """
        if options.name in self.stuck:
            raise PluginError(
                "an earlier run passed its deadline and is still stuck in its thread; "
                "`isolation: process` would have killed it"
            )
        thread, future = _start(options.name, lambda: self._run(plugin, kwargs, options))
        try:
            async with asyncio.timeout(options.timeout) as deadline:
                result = await future
                return Finished(result or {}, "", nothing=result is None)
        except (TimeoutError, asyncio.CancelledError):
            self._left_behind[options.name] = thread
            if not deadline.expired():
                raise
            text = f"run must end within {options.timeout:g} s; its thread was left behind"
            raise RunTimeout(text) from None

    def _run(
        self, plugin: Plugin, kwargs: Mapping[str, Any], options: CallOptions
    ) -> dict[str, Any] | None:
        host, processes = options.host, note_processes()

        def emit(level: str, event: str, values: Mapping[str, Any]) -> None:
            getattr(options.log, level)(event, **values)

        context = {"ctx": FunctionContext(emit)} if plugin.wants_ctx else {}
        try:
            if host is None:
                run = self._imports.run_of(plugin.source)
                return result_as_builtins(call_ordinary(run, {**kwargs, **context}))
            with host.provided():
                # A host imports a plugin anew for each run: nothing of one stays for another.
                run, _ = import_run(replace(plugin.source), host.unavailable)
                returned = call_ordinary(run, {**kwargs, **context})
            # A host asks for no result.
            return result_as_builtins(returned) if isinstance(returned, Mapping) else None
        except BaseException as exc:  # noqa: BLE001 (the border to foreign code)
            raise run_failure(exc, plugin.source.root) from None
        finally:
            tell_strays(kill_started(processes), options)


def _start(
    name: str, work: Callable[[], dict[str, Any] | None]
) -> tuple[threading.Thread, asyncio.Future[dict[str, Any] | None]]:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[dict[str, Any] | None] = loop.create_future()

    def settle(result: dict[str, Any] | None, error: PluginError | None) -> None:
        if future.done():  # the call was cancelled or timed out meanwhile
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)

    def target() -> None:
        result, error = None, None
        try:
            result = work()
        except PluginError as exc:
            error = exc
        except BaseException as exc:  # noqa: BLE001 (a call that is never settled would wait on)
            error = PluginError(f"bug in the daemon: {safe_repr(exc)}")
        with contextlib.suppress(RuntimeError):  # the daemon has left meanwhile
            loop.call_soon_threadsafe(settle, result, error)

    run = contextvars.copy_context().run
    thread = threading.Thread(target=run, args=(target,), name=f"ingestd[{name}]", daemon=True)
    thread.start()
    return thread, future


class _Imports:
    """The latest version of each plugin that was imported here."""

    def __init__(self) -> None:
        self._runs: dict[str, tuple[Source, Callable[..., Any]]] = {}

    def run_of(self, source: Source) -> Callable[..., Any]:
        """Import a plugin unless this very version was imported before."""
        key = str(source.path)
        known = self._runs.get(key)
        if known is None or known[0].fingerprint != source.fingerprint:
            known = self._runs[key] = (source, import_run(source)[0])
        return known[1]
