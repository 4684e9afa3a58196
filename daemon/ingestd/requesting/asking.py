"""What is asked for, and whether a collector can be asked for that."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ingestd.calling import Plugin, check_params
from ingestd.collecting import Collector
from ingestd.errors import NotPossible, PluginLoadError, Problem
from ingestd.requesting.targets import NO_TARGET, Target, Targets, one

INPUT: Final = "input"
MOST_PROBLEMS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """One run that is asked for.

    Attributes:
        collector: Whose plugin is to be called.
        target: What the run is about.
        input: A document that the plugin is to be given, as JSON, or None.
        params: What is to be laid over the collector's params.
        commit: Whether what it gives as state is to be remembered.
        group: For which of the targets of a request for several runs it is, from 0.
    """

    collector: str
    target: Target = NO_TARGET
    input: str | None = field(default=None, repr=False)
    params: Mapping[str, Any] = field(default_factory=dict, repr=False)
    commit: bool = False
    group: int = 0

    @property
    def names(self) -> list[str]:
        """The names of what is given for its target and input."""
        target = {"project": self.target.project, "trace": self.target.trace, INPUT: self.input}
        return [name for name, value in target.items() if value is not None]


def single(
    collector: str,
    targets: Targets,
    *,
    target: Target | None,
    document: str | None,
    params: Mapping[str, Any],
    commit: bool,
) -> RunRequest:
    """Return one run that is asked for, with its project if only a trace is named.

    Args:
        collector: Whose plugin is to be called.
        targets: What runs of it can be asked for.
        target: What the run is about, or None.
        document: What the plugin is to be given instead, as JSON, or None.
        params: What is to be laid over the collector's params.
        commit: Whether what it gives as state is to be remembered.

    Raises:
        NotFound: There is no such project or trace.
        NotPossible: It is about no single target, or about one and a document.
    """
    if target is not None and document is not None:
        raise NotPossible("expected either target or input, got both")
    return RunRequest(
        collector=collector,
        target=NO_TARGET if target is None else one(target, targets, collector=collector),
        input=document,
        params=params,
        commit=commit,
    )


def digest_of(document: Any) -> str:
    """Return a mark of everything in a request, the same whatever the order of its keys."""
    text = json.dumps(document, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


async def check(collector: Collector, requests: Sequence[RunRequest], *, exposed: bool) -> None:
    """Refuse runs that a collector's plugin could not make.

    Args:
        collector: Whose plugin is to be called.
        requests: What is asked for.
        exposed: Whether anybody on this machine can ask.

    Raises:
        NotPossible: Says everything that is wrong.
    """
    if collector.schedule is None:
        raise NotPossible(f"{collector.name}: expected a collector with a schedule, got a stream")
    try:
        plugin = await collector.setup.plugin()
        problems = [*_of_names(collector, plugin, requests, exposed=exposed)]
        problems = problems or await _of_values(collector, plugin, requests)
    except PluginLoadError as error:
        raise NotPossible(str(error)) from error
    if problems:
        found = [Problem(collector.name, key, message) for key, message in problems]
        text = "; ".join(f"{each.key}: {each.message}" for each in found[:MOST_PROBLEMS])
        raise NotPossible(f"{collector.name}: {text}", found[:MOST_PROBLEMS])


def _of_names(
    collector: Collector, plugin: Plugin, requests: Sequence[RunRequest], *, exposed: bool
) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the names of what is given: where, and what."""
    names = dict.fromkeys(name for each in requests for name in each.params)
    targets = dict.fromkeys(name for each in requests for name in each.names)
    for name in targets:
        if name in names:
            yield f"params.{name}", f"expected {name} in one place, got it twice"
        elif plugin.parameters.names and not plugin.wants(name):
            known = ", ".join(plugin.parameters.names)
            yield name, f"expected a plugin that takes {name!r}; {plugin.name} takes {known}"
    found = check_params(plugin, names)
    for message in (*found.unknown, *found.suspicious):
        yield "params", message
    for name in names:
        if name in collector.committer.memory.hidden:
            yield f"params.{name}", "expected another name; the collector keeps a secret under it"
    if names and exposed and _has_secrets(collector):
        yield (
            "params",
            (
                "expected daemon.token in the configuration, or a socket file: the collector has "
                "secrets, which params could send elsewhere, and without a token anybody on this "
                "machine may ask"
            ),
        )


def _has_secrets(collector: Collector) -> bool:
    config, redactor = collector.config, collector.setup.services.redactor
    shown = redactor.value(config.params, owner=collector.name)
    return bool(collector.committer.memory.hidden or shown != config.params)


async def _of_values(
    collector: Collector, plugin: Plugin, requests: Sequence[RunRequest]
) -> list[tuple[str, str]]:
    """Return what the plugin says is wrong with the params that it had not before.

    Raises:
        PluginLoadError: It could not be asked.
    """
    setup, distinct = collector.setup, dict[str, Mapping[str, Any]]()
    for each in requests:
        distinct.setdefault(digest_of(each.params), each.params)
    services, params = setup.services, setup.config.params
    asked = [params, *({**params, **given} for given in distinct.values())]
    known, *found = await services.blocking(services.loader.problems, plugin, asked)
    problems = dict.fromkeys(each for some in found for each in some if each not in known)
    redacted = services.redactor.text
    return [("params", redacted(each, owner=collector.name)) for each in problems]
