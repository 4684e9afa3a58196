"""How the daemon starts a worker process, and what it asks of one."""

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from ingestd.calling.access import Access, Protection, environment_for
from ingestd.calling.plugin import Plugin
from ingestd.contract import Host, unavailable_modules
from ingestd.processes import MARK
from ingestd.worker import ELSEWHERE, Source

SUPERVISOR: Final = "ingestd.processes"


def worker_command(channel: int, ruleset: int | None, python: Path | None = None) -> list[str]:
    """Return the command line that starts a worker below a supervisor.

    Without ``-B`` it would write bytecode next to the plugins, and without
    ``-P`` it would import modules that happen to lie in the current directory.

    Args:
        channel: The file descriptor of the worker's end of the channel.
        ruleset: That of the Landlock ruleset that it restricts itself with, or None.
        python: The interpreter that it runs in, or None for ours.
    """
    if python is not None:
        return interpreter_command(python, ruleset, str(channel))
    restriction = "-" if ruleset is None else str(ruleset)
    return _supervised("ingestd.worker", str(channel), restriction)


def interpreter_command(python: Path, ruleset: int | None, *arguments: str) -> list[str]:
    """Return the command line that starts a worker in another interpreter, below a supervisor.

    It is confined before it starts, because its packages run code when it does. ``-E`` keeps from
    it what the environment says to our own.

    Args:
        python: The interpreter.
        ruleset: See above.
        arguments: Those of ``worker.elsewhere``.
    """
    restriction = "-" if ruleset is None else str(ruleset)
    command = (str(python), "-E", "-B", str(ELSEWHERE), *arguments)
    return _supervised("ingestd.processes.program", "-", "-", restriction, *command)


def _supervised(module: str, *arguments: str) -> list[str]:
    ours = (sys.executable, "-P", "-B", "-m", SUPERVISOR, str(os.getpid()))
    return [*ours, module, *arguments]


def worker_environment(access: Access, protection: Protection, mark: str) -> dict[str, str]:
    """Return the environment of a worker process.

    Args:
        access: What its collector may see.
        protection: What the daemon keeps from all.
        mark: By which its descendants are known.
    """
    return {**environment_for(access, protection), MARK: mark}


def describe_request(source: Source, hosts: Iterable[Host]) -> dict[str, Any]:
    """Return the request to import a plugin and to describe its ``run``.

    Args:
        source: The plugin's code.
        hosts: The systems that it may have been written for.
    """
    hosts = tuple(hosts)
    return {
        **_request("describe", source, hosts),
        "hosts": [(each.provider, None) for each in hosts],
    }


def check_request(
    source: Source, hosts: Iterable[Host], params: Iterable[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the request to have a plugin look at the params of some collectors.

    Args:
        source: The plugin's code.
        hosts: The systems that it may have been written for.
        params: Those of each collector.
    """
    request = describe_request(source, hosts)
    return {**request, "do": "check", "params": [dict(each) for each in params]}


def run_request(
    plugin: Plugin,
    kwargs: Mapping[str, Any],
    *,
    host: Host | None,
    memory_limit: int | None,
    timezone: str | None,
) -> dict[str, Any]:
    """Return the request to call a plugin's ``run``.

    Args:
        plugin: One whose kind is FUNCTION.
        kwargs: Everything but ``ctx``, which the worker adds if it is declared.
        host: The system that the plugin was written for, or None.
        memory_limit: Bytes of data that the process may hold, all in all, or None.
        timezone: The IANA name of its local zone; None for that of the machine.
    """
    hosts = () if host is None else (host,)
    return {
        **_request("run", plugin.source, hosts),
        "hosts": [(each.provider, dict(each.settings)) for each in hosts],
        "kwargs": dict(kwargs),
        "ctx": plugin.wants_ctx,
        "memory_limit": memory_limit,
        "timezone": timezone,
    }


def _request(do: str, source: Source, hosts: Iterable[Host]) -> dict[str, Any]:
    return {
        "do": do,
        "plugin": (str(source.path), source.module, dict(source.files)),
        "unavailable": unavailable_modules(hosts),
    }
