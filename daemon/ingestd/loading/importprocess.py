"""Imports a plugin in a process of its own, and has it described from there."""

import os
import signal
import socket
import subprocess
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ingestd.calling import (
    Access,
    Protection,
    Rulesets,
    check_request,
    describe_request,
    worker_command,
    worker_environment,
)
from ingestd.contract import Host
from ingestd.errors import InterpreterUnfit, PluginLoadError
from ingestd.loading.otherpython import trouble_with
from ingestd.processes import kill_descendants, new_mark
from ingestd.worker import Description, Kind, Parameters, Source, wire

IMPORT_TIMEOUT: Final = 60.0  # seconds
NO_PROTECTION: Final = Protection()


@dataclass(frozen=True, slots=True)
class ImportProcess:
    """How such a process is started.

    Attributes:
        protection: What is kept from it.
        hosts: The systems that plugins may have been written for.
        access: What a plugin's own collectors may see, by its file.
    """

    protection: Protection = NO_PROTECTION
    hosts: Collection[Host] = ()
    access: Mapping[Path, Access] = field(default_factory=dict)

    def describe(self, source: Source, python: Path | None = None) -> Description:
        """Import a plugin and describe its ``run``.

        Args:
            source: The plugin's code.
            python: The interpreter that imports it, or None for ours.

        Raises:
            PluginLoadError: It does not import, or took the process down with it.
        """
        answer = self._answer(source, describe_request(source, self._hosts(python)), python)
        if answer[0] == "failed":
            raise PluginLoadError(answer[2], details=answer[3])
        told = answer[1]
        return Description(Kind(told["kind"]), Parameters(**told["parameters"]), told["doc"])

    def check(
        self, source: Source, params: Sequence[Mapping[str, Any]], python: Path | None = None
    ) -> list[list[str]]:
        """Have a plugin look at params; return what it says is wrong with each.

        Raises:
            PluginLoadError: It does not import, or took the process down with it.
        """
        answer = self._answer(source, check_request(source, self._hosts(python), params), python)
        if answer[0] == "failed":
            raise PluginLoadError(answer[2], details=answer[3])
        problems: list[list[str]] = answer[1]["problems"]
        return problems

    def _hosts(self, python: Path | None) -> Collection[Host]:
        """Return the hosts that there are in an interpreter; what they provide is in ours."""
        return self.hosts if python is None else ()

    def _answer(self, source: Source, request: Mapping[str, Any], python: Path | None) -> Any:
        ours, theirs = socket.socketpair()
        access, mark, rulesets = self.access.get(source.path, Access()), new_mark(), Rulesets()
        confined = rulesets.get(access, self.protection, source.root)
        ruleset = confined and confined[1]
        with ours, theirs:
            process = subprocess.Popen(  # noqa: S603 (our own command)
                worker_command(theirs.fileno(), ruleset, python),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[each for each in (theirs.fileno(), ruleset) if each is not None],
                process_group=0,
                env=worker_environment(access, self.protection, mark),
            )
            theirs.close()
            if ruleset is not None:
                os.close(ruleset)
            rulesets.close()
            ours.settimeout(IMPORT_TIMEOUT)
            try:
                ours.sendall(wire.encode(request))
                return wire.receive(ours)
            except TimeoutError:
                text = f"{source.path}: must import within {IMPORT_TIMEOUT:g} s"
                raise PluginLoadError(text) from None
            except (EOFError, ConnectionError):
                text = f"{source.path}: ended the process that imported it"
                if python and (trouble := trouble_with(python, access, self.protection)):
                    raise InterpreterUnfit(trouble) from None
                raise PluginLoadError(text) from None
            finally:
                kill_descendants(process.pid, mark)
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                kill_descendants(None, mark)
