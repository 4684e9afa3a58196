"""What a plugin is: its kind, its parameters, and what else the daemon calls of it."""

from pathlib import Path

from ingestd.calling import Plugin
from ingestd.contract import authorize_of, check_of, unavailable_modules
from ingestd.errors import InterpreterUnfit
from ingestd.loading.importprocess import ImportProcess
from ingestd.loading.snapshot import name_of
from ingestd.loading.syntax import defines_check, read_description
from ingestd.worker import Description, Kind, Source, describe, import_plugin


def learn(
    source: Source, process: ImportProcess, *, sure: bool, python: Path | None = None
) -> Plugin:
    """Learn what a plugin is.

    Args:
        source: Its code.
        process: Imports it apart from the daemon, if need be.
        sure: Whether it is imported in any case.
        python: The interpreter that runs it, or None for ours.

    Raises:
        PluginLoadError: It does not import, or is nothing that can be run.
    """
    description = _described(source, process, python, sure=sure)
    run = check = authorize = None
    polls, programs = True, False
    if description.kind is not Kind.FUNCTION:
        module = import_plugin(source, unavailable_modules(process.hosts))
        run, doc = module.run, module.__doc__ or ""
        check, authorize = check_of(module), authorize_of(module)
        polls = description.kind is not Kind.GENERATOR or getattr(module, "POLLS", False) is True
        programs = getattr(module, "PROGRAMS", False) is True
        seen = describe(run, doc, source)
        # A wrapper that is no coroutine function itself may still return what the
        # `async def` below it gives; ``calling.results`` looks at the result.
        kind = seen.kind if seen.kind is not Kind.FUNCTION else description.kind
        description = Description(kind, seen.parameters, doc)
    return Plugin(
        name=name_of(source.path),
        kind=description.kind,
        parameters=description.parameters,
        doc=description.doc,
        source=source,
        run=run,
        check=check,
        authorize=authorize,
        may_check=description.kind is Kind.FUNCTION and defines_check(source),
        polls=polls,
        programs=programs,
        python=python,
    )


def _described(
    source: Source, process: ImportProcess, python: Path | None, *, sure: bool
) -> Description:
    """Describe a plugin; one that another interpreter runs is imported by that."""
    if python is None:
        read = read_description(source)
        if read is not None and not (sure and read.kind is Kind.FUNCTION):
            return read
        return process.describe(source)
    described = process.describe(source, python)
    if described.kind is not Kind.FUNCTION:
        raise InterpreterUnfit(
            f"{source.path}: run must be an ordinary function, so that python: {python} can run "
            f"it, got a {described.kind.value}"
        )
    return described
