"""Programs that a plugin starts, for the record of its run and without secrets for all to see."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ingestd.calling import Order, Program
from ingestd.collecting.setup import RunSetup
from ingestd.errors import PluginError
from ingestd.loading import access_for


@dataclass(frozen=True, slots=True)
class Started:
    """Starts the programs of one run's plugin.

    Attributes:
        setup: What every run of the collector is made of.
        printed: Takes the end of what a program that has ended wrote to standard error.
    """

    setup: RunSetup
    printed: Callable[[str], None]

    @asynccontextmanager
    async def program(
        self,
        command: Sequence[str],
        *,
        cwd: str | None,
        env: Mapping[str, str],
        files: Sequence[str],
        reads_output: bool,
        patience: float,
    ) -> AsyncIterator[Program]:
        """Run a program until the context ends; ``Context.program`` describes the arguments.

        Raises:
            PluginError: There is a secret among the arguments.
        """
        self._refuse_secrets(command)
        config = self.setup.config
        zone = {} if config.timezone is None else {"TZ": config.timezone.key}
        order = Order(
            command=command,
            folder=cwd,
            variables={**zone, **env},
            memory_limit=config.memory_limit,
            files=files,
            reads_output=reads_output,
            access=access_for(config),
        )
        programs = self.setup.services.processes.programs
        async with programs.running(order, patience=patience) as program:
            try:
                yield program
            finally:
                self.printed(program.printed)

    def _refuse_secrets(self, command: Sequence[str]) -> None:
        redactor, owner = self.setup.services.redactor, self.setup.config.name
        for number, word in enumerate(command):
            if redactor.phrase(word, owner=owner) != word:
                raise PluginError(
                    f"command[{number}]: expected no secret, because everyone on the machine can "
                    "see the arguments of a program; its environment or its input may have one"
                )
