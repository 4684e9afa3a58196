"""``ingestd run``: the daemon, in the foreground."""

import asyncio
import ctypes
import gc
import os
import signal
import sys
from contextvars import copy_context
from functools import partial
from pathlib import Path
from typing import Final, cast

import click

from ingestd import loop
from ingestd.app import Daemon
from ingestd.cli.exitcodes import complain
from ingestd.cli.loading import loader_for
from ingestd.cli.settings import config_option, load
from ingestd.config import Config
from ingestd.errors import ConfigError, IngestError
from ingestd.loading import with_plugins
from ingestd.logs import configure
from ingestd.processes import MARK, kill_descendants, new_mark
from ingestd.redaction import Redactor
from ingestd.signals import SIGNALS, Answers
from ingestd.systemd import Notifier
from ingestd.web import serve

# Readings are tuples by the hundred thousand, in no cycles; the collector of cycles
# looks at all of them each time so many objects have been added. With Python's own
# 700 that takes almost half of the processor at full load. What cycles there are
# (exceptions, mostly) wait a little longer, and cost some megabytes at worst.
MORE_OBJECTS: Final = 50_000

PR_SET_DUMPABLE: Final = 4
EXIT_PATIENCE: Final = 1.0  # seconds that tasks get at the very end


@click.command(short_help="Run the daemon in the foreground.")
@config_option
@click.option(
    "--log-format",
    type=click.Choice(["auto", "console", "journal", "json"]),
    envvar="INGESTD_LOG_FORMAT",
    help="How to write logs, instead of what the configuration says.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    envvar="INGESTD_LOG_LEVEL",
    help="The least important messages to show.",
)
def run(config_path: Path, log_format: str | None, log_level: str | None) -> int:
    """Run the daemon in the foreground until TERM or Ctrl-C.

    A second of these skips the waiting, but still brings readings to safety.
    HUP reloads the configuration, USR1 sends what is in memory at once.
    """
    notifier = Notifier.from_environment(os.environ)
    try:
        config = load(config_path)
    except ConfigError as error:
        notifier.status("the configuration cannot be used")
        raise with_plugins(error, loader_for) from None
    daemon = make_daemon(config, config_path, notifier, log_format=log_format, log_level=log_level)
    close_to_other_processes()
    mark = os.environ[MARK] = new_mark()  # for what coroutines and threads start
    gc.set_threshold(MORE_OBJECTS)
    gc.freeze()  # what was imported by now is there for good, and need not be looked at
    try:
        return loop.run(_run(daemon, mark))
    finally:
        end_descendants(daemon, mark)


def close_to_other_processes() -> None:
    """Keep other processes of the same user from reading this one's memory and environment.

    Root's can still. The kernel writes no core of it, either; ``/proc/PID`` belongs to root.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def end_descendants(daemon: Daemon, mark: str) -> None:
    """End the processes that plugins have started in ours and left behind."""
    if names := kill_descendants(os.getpid(), mark):
        daemon.log.warning("ended processes that plugins left behind", names=sorted(names))


def make_daemon(
    config: Config,
    config_path: Path,
    notifier: Notifier,
    *,
    log_format: str | None = None,
    log_level: str | None = None,
) -> Daemon:
    """Set up the logs of this process and make a daemon that writes there."""
    redactor = Redactor(config.secrets)
    threshold = configure(
        log_format=log_format or config.daemon.log_format,
        level=log_level or config.daemon.log_level,
        redactor=redactor,
    )
    return Daemon(
        config,
        config_path=config_path,
        environ=os.environ,
        notifier=notifier,
        redactor=redactor,
        threshold=threshold,
    )


async def _run(daemon: Daemon, mark: str) -> int:
    code = 0
    try:
        await _run_under_signals(daemon)
    except IngestError as error:
        code = complain(error)
    await leave_behind(daemon, code, mark)
    return code


async def _run_under_signals(daemon: Daemon) -> None:
    """Run a daemon under the signals that people and systemd send.

    TERM and INT stop it, and hurry it when they come again; HUP reloads its
    config; USR1 sends what is in memory. The event loop may be closed when another one
    comes, so they are not left to it.
    """
    running = asyncio.get_running_loop()
    reloads: set[asyncio.Task[None]] = set()

    def on_hangup() -> None:
        task = asyncio.create_task(daemon.reload_and_tell(), name="ingestd[reload]")
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    answers: Answers = {
        signal.SIGTERM: daemon.stop,
        signal.SIGINT: daemon.stop,
        signal.SIGUSR1: daemon.flush,
        signal.SIGHUP: on_hangup,
    }
    # A signal may come while a plugin runs, and what it asks for is no part of that run.
    SIGNALS.attach(answers, partial(running.call_soon_threadsafe, context=copy_context()))
    try:
        await daemon.run(serve)
    finally:
        SIGNALS.detach()


async def leave_behind(daemon: Daemon, code: int, mark: str | None = None) -> None:
    """End the process if a plugin ignores its cancellation, in whichever task it runs.

    The event loop would wait for it for ever, and everything else has come to its end.
    """
    left = asyncio.all_tasks() - {cast("asyncio.Task[object]", asyncio.current_task())}
    for task in left:
        task.cancel()
    if left:
        _, left = await asyncio.wait(left, timeout=EXIT_PATIENCE)
    if left:
        names = sorted(task.get_name() for task in left)
        daemon.log.error("ended without waiting any longer", tasks=names)
        if mark is not None:
            end_descendants(daemon, mark)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
