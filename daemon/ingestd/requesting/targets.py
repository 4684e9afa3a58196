"""What runs are asked for: a project, one of its traces, or all of them. Pure.

The names are those of OpenEEMeter: a project is a building or a site, a trace is one
meter of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ingestd.errors import NotFound, NotPossible

Targets = Mapping[str, Sequence[str]]  # project -> its traces


@dataclass(frozen=True, slots=True)
class Target:
    """What a run is about.

    Attributes:
        project: A project, or None.
        trace: One of its traces, or None.
    """

    project: str | None = None
    trace: str | None = None


NO_TARGET: Final = Target()


def one(target: Target, known: Targets, *, collector: str) -> Target:
    """Return the one target that is meant, with its project.

    Args:
        target: What was asked for.
        known: The collector's projects with their traces; if there are none, any will do.
        collector: Its name, for messages.

    Raises:
        NotFound: There is no such project or trace.
        NotPossible: That would be none, or several.
    """
    found = all_of(target, known, collector=collector)
    if len(found) != 1:
        raise NotPossible(
            f"target: expected a project with one trace, or a trace beside it, got project "
            f"{target.project!r} with {len(found)} traces"
        )
    return found[0]


def all_of(target: Target, known: Targets, *, collector: str) -> list[Target]:
    """Return every target that is meant: the traces of a project if none is named.

    Raises:
        NotFound: There is no such project or trace.
        NotPossible: It names neither, or a trace of several projects.
    """
    project, trace = target.project, target.trace
    if project is None and trace is None:
        raise NotPossible("target: expected a project, a trace or both")
    if not known:
        return [target]
    if project is None:
        project = _project_of(trace or "", known, collector)
    if project not in known:
        raise NotFound(f"{collector}: no project {project!r} among its targets")
    if trace is None:
        return [Target(project, each) for each in known[project]]
    if trace not in known[project]:
        raise NotFound(f"{collector}: no trace {trace!r} in project {project!r}")
    return [Target(project, trace)]


def _project_of(trace: str, known: Targets, collector: str) -> str:
    projects = [project for project, traces in known.items() if trace in traces]
    if not projects:
        raise NotFound(f"{collector}: no trace {trace!r} among its targets")
    if len(projects) > 1:
        raise NotPossible(f"target: expected a project beside trace {trace!r}, which several have")
    return projects[0]
