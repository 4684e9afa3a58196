"""What the daemon knows of a plugin, and how params compare with it."""

import difflib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ingestd.contract import Authorize, Check
from ingestd.worker import Fingerprint, Kind, Parameters, Source

# Options of a collector that its plugin is given if it declares them.
REVISITS: Final = ("revisit", "revisit_full")


@dataclass(frozen=True, slots=True)
class Plugin:
    """A plugin as it was when it was loaded.

    Attributes:
        name: As the config names it, or the file's stem.
        kind: Which of the three shapes ``run`` has.
        parameters: What ``run`` declares, ``ctx``, ``start`` and ``end`` among it.
        doc: The module's docstring.
        source: Its code.
        run: The function itself, or None where only a worker imports it.
        check: What looks at its params, or None if nothing does, or only a worker imports it.
        authorize: What has a person allow what it does, or None if nothing does.
        may_check: Whether a worker that imports it may find such a function.
        polls: Whether it comes to an end, and is to be called again and again.
        programs: Whether what it does is done by programs that it starts with ``ctx.program``.
        python: The interpreter that it runs in and was described by, or None for ours.
    """

    name: str
    kind: Kind
    parameters: Parameters
    doc: str = field(repr=False)
    source: Source = field(repr=False)
    run: Callable[..., Any] | None = field(repr=False)
    check: Check | None = field(default=None, repr=False)
    authorize: Authorize | None = field(default=None, repr=False)
    may_check: bool = False
    polls: bool = True
    programs: bool = False
    python: Path | None = None

    @property
    def path(self) -> Path:
        """The file, or the ``__init__.py`` of a package."""
        return self.source.path

    @property
    def fingerprint(self) -> Fingerprint:
        """What its files looked like."""
        return self.source.fingerprint

    @property
    def summary(self) -> str:
        """The docstring's first line."""
        return next(iter(self.doc.strip().splitlines()), "")

    @property
    def wants_ctx(self) -> bool:
        """Whether ``run`` declares ``ctx``."""
        return self.wants("ctx")

    @property
    def wants_window(self) -> bool:
        """Whether ``run`` declares both ``start`` and ``end``."""
        return {"start", "end"} <= set(self.parameters.names)

    def wants(self, name: str) -> bool:
        """Say whether ``run`` declares an argument."""
        return name in self.parameters.names

    @property
    def reserved(self) -> frozenset[str]:
        """Names that the daemon passes, so that no param may."""
        window = {"start", "end"} if self.wants_window else set()
        return frozenset({"ctx"} | window | {name for name in REVISITS if self.wants(name)})


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """A line in the list of plugins; ``kind`` is None where ``error`` says why."""

    name: str
    path: Path
    summary: str
    kind: Kind | None
    error: str = ""


# Params that are named in one line; more of them are counted.
MOST_NAMED: Final = 10


@dataclass(frozen=True, slots=True)
class ParamsCheck:
    """How params compare with what a plugin declares.

    Attributes:
        unknown: Messages about params that the plugin cannot take.
        suspicious: Messages about those that it takes by ``**kwargs`` alone, though
            it has names for others.
        missing: Names without a default; the state of an earlier run may hold them.
    """

    unknown: tuple[str, ...]
    suspicious: tuple[str, ...]
    missing: tuple[str, ...]


def check_params(plugin: Plugin, names: Collection[str]) -> ParamsCheck:
    """Compare the names of params with a plugin's signature."""
    declared = [name for name in plugin.parameters.names if name not in plugin.reserved]
    unknown, suspicious, strange = [], [], []
    known = f"; known here: {', '.join(sorted(declared)) or 'none'}"
    for name in (name for name in names if name not in declared):
        if name in plugin.reserved:
            unknown.append(f"{name!r} is passed by the daemon")
            continue
        unused = [each for each in declared if each not in names]
        meant = difflib.get_close_matches(name, unused, n=1, cutoff=0.75)
        if not meant:
            strange.append(name)
        elif not plugin.parameters.accepts_any:
            unknown.append(f"unknown parameter {name!r}; did you mean {meant[0]!r}?")
        else:
            suspicious.append(
                f"{name!r} is not declared by {plugin.name!r}; did you mean {meant[0]!r}?"
            )
    if strange and not plugin.parameters.accepts_any:
        plural = "s" if len(strange) > 1 else ""
        unknown.append(f"unknown parameter{plural} {_named(strange)}{known}")
    elif strange and declared:  # where there is but **kwargs, anything may be meant
        verb = "are" if len(strange) > 1 else "is"
        suspicious.append(f"{_named(strange)} {verb} not declared by {plugin.name!r}{known}")
    required = (name for name in plugin.parameters.required if name not in plugin.reserved)
    return ParamsCheck(
        tuple(unknown), tuple(suspicious), tuple(each for each in required if each not in names)
    )


def _named(names: Sequence[str]) -> str:
    """Return the names of params for a line."""
    shown = ", ".join(map(repr, names[:MOST_NAMED]))
    more = len(names) - MOST_NAMED
    return f"{shown} and {more} more" if more > 0 else shown
