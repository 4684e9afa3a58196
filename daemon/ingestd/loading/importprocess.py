"""Imports a plugin in a process of its own, and has it described from there."""

import os
import signal
import socket
import subprocess
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ingestd.calling import check_request, describe_request, worker_command, worker_environment
from ingestd.contract import Host
from ingestd.errors import PluginLoadError
from ingestd.worker import Description, Kind, Parameters, Source, wire

IMPORT_TIMEOUT: Final = 60.0  # seconds


@dataclass(frozen=True, slots=True)
class ImportProcess:
    """How such a process is started.

    Attributes:
        withheld: Environment variables that it is not to have.
        hosts: The systems that plugins may have been written for.
    """

    withheld: Collection[str] = ()
    hosts: Collection[Host] = ()

    def describe(self, source: Source) -> Description:
        """Import a plugin and describe its ``run``.

        Raises:
            PluginLoadError: It does not import, or took the process down with it.
        """
        answer = self._answer(source, describe_request(source, self.hosts))
        if answer[0] == "failed":
            raise PluginLoadError(answer[2], details=answer[3])
        told = answer[1]
        return Description(Kind(told["kind"]), Parameters(**told["parameters"]), told["doc"])

    def check(self, source: Source, params: Sequence[Mapping[str, Any]]) -> list[list[str]]:
        """Have a plugin look at params; return what it says is wrong with each.

        Raises:
            PluginLoadError: It does not import, or took the process down with it.
        """
        answer = self._answer(source, check_request(source, self.hosts, params))
        if answer[0] == "failed":
            raise PluginLoadError(answer[2], details=answer[3])
        problems: list[list[str]] = answer[1]["problems"]
        return problems

    def _answer(self, source: Source, request: Mapping[str, Any]) -> Any:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            process = subprocess.Popen(  # noqa: S603 (our own command)
                worker_command(theirs.fileno()),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                process_group=0,
                env=worker_environment(self.withheld),
            )
            theirs.close()
            ours.settimeout(IMPORT_TIMEOUT)
            try:
                ours.sendall(wire.encode(request))
                return wire.receive(ours)
            except TimeoutError:
                text = f"{source.path}: must import within {IMPORT_TIMEOUT:g} s"
                raise PluginLoadError(text) from None
            except (EOFError, ConnectionError):
                text = f"{source.path}: ended the process that imported it"
                raise PluginLoadError(text) from None
            finally:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
