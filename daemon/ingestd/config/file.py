"""Reading the configuration: the file, the folder ``conf.d`` beside it, what they refer to."""

import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from ingestd.config import nodes
from ingestd.config import parse as configparse
from ingestd.config.findings import Findings
from ingestd.config.model import Config
from ingestd.config.section import Section
from ingestd.config.variables import Expansion
from ingestd.errors import ConfigError, Problem
from ingestd.plugins import _files
from ingestd.redaction import Redactor

SYSTEM: Final = Path("/etc/ingestd/ingestd.yaml")
DROP_INS: Final = "conf.d"  # the folder beside the main file
EMPTY: Final = "the file is empty, expected a section such as 'collectors:', or {} for none"
# What is below these may come from several files; everything else is said once.
_MERGED: Final = frozenset({"daemon", "buffer", "stores", "collectors", "series"})


def load(
    path: Path,
    environ: Mapping[str, str],
    *,
    hosts: Iterable[str] = (),
    elsewhere: bool = False,
) -> Config:
    """Read and check a configuration.

    Args:
        path: The main file; ``conf.d/*.yaml`` beside it follow in name order.
        environ: The environment variables.
        hosts: The systems that plugins may have been written for, as ``compat`` has them.
        elsewhere: Whether this is not the service, so that its credentials cannot be read.

    Raises:
        ConfigError: Lists everything that is wrong, sorted by file and line.
    """
    path = Path(os.path.normpath(path.absolute()))
    reader = _Reader()
    drop_ins, problems = _drop_ins(path.parent / DROP_INS)
    roots = []
    for each in (path, *drop_ins):
        try:
            roots.append(_compose(reader.read(each), str(each)))
        except (OSError, UnicodeDecodeError) as exc:
            problems.append(Problem(str(each), "", _reason(exc)))
        except ConfigError as exc:
            problems += exc.problems
    # Half of a configuration would only be wrong in ways that are not its own.
    if problems:
        raise _error(problems)
    state_dir = default_state_dir(environ, root=os.geteuid() == 0, path=path)
    return _parse(roots, reader, environ, tuple(hosts), state_dir, elsewhere=elsewhere)


def _compose(text: str, file: str) -> MappingNode:
    """Parse the text of one file.

    Raises:
        ConfigError: It is empty, as it is while an editor writes it anew, or no YAML.
    """
    if not text.strip():
        raise ConfigError([Problem(file, "", EMPTY)])
    return nodes.compose(text, file)


def default_path(environ: Mapping[str, str], *, root: bool, system: Path = SYSTEM) -> Path:
    """Return where the configuration is if the command line does not say so.

    A user without a file of their own gets the machine's, as ``sudo -u ingestd`` does.

    Args:
        environ: The environment variables.
        root: Whether we run as root.
        system: The machine's own file.
    """
    if environ.get("INGESTD_CONFIG"):
        return Path(environ["INGESTD_CONFIG"])
    if environ.get("CONFIGURATION_DIRECTORY"):
        return _first(environ["CONFIGURATION_DIRECTORY"]) / "ingestd.yaml"
    own = _xdg(environ, "XDG_CONFIG_HOME", ".config") / "ingestd" / "ingestd.yaml"
    # Not Path.exists, which raises where a folder may not be looked into.
    return system if root or (os.path.exists(system) and not os.path.exists(own)) else own  # noqa: PTH110


def default_state_dir(
    environ: Mapping[str, str], *, root: bool, path: Path | None = None, system: Path = SYSTEM
) -> Path:
    """Return where state is kept if the configuration does not say so.

    Args:
        environ: The environment variables.
        root: Whether we run as root.
        path: The main file. That of the machine has its state where the service has it,
            whichever user asks.
        system: The machine's own file.
    """
    if environ.get("STATE_DIRECTORY"):
        return _first(environ["STATE_DIRECTORY"])
    if root or path == system:
        return Path("/var/lib/ingestd")
    return _xdg(environ, "XDG_STATE_HOME", ".local/state") / "ingestd"


class _Reader:
    """Reads text files and remembers which, so that they can be watched."""

    def __init__(self) -> None:
        self.seen: dict[Path, None] = {}

    def read(self, path: Path) -> str:
        self.seen[Path(os.path.normpath(path))] = None
        return _files.read(path).decode("utf-8-sig")

    def read_reference(self, path: Path) -> str:
        """Read a file that the configuration refers to.

        Raises:
            ValueError: Says what is the matter with it.
        """
        try:
            return self.read(path)
        except (OSError, UnicodeDecodeError) as exc:
            raise ValueError(f"{path}: {_reason(exc)}") from None


def _parse(
    roots: Sequence[MappingNode],
    reader: _Reader,
    environ: Mapping[str, str],
    hosts: Sequence[str],
    state_dir: Path,
    *,
    elsewhere: bool,
) -> Config:
    findings = Findings(reader.read_reference)
    expansion = Expansion(environ, findings, elsewhere)
    for root in roots:
        expansion.expand(root)
    section = Section(_merge(roots, findings.problems), "", findings)
    config = configparse.parse(section, findings, state_dir=state_dir, hosts=hosts)
    config = dataclasses.replace(
        config,
        secrets=frozenset(findings.secrets),
        secret_variables=frozenset(findings.secret_variables),
        unchecked=tuple(findings.unchecked),
        files=tuple(reader.seen),
    )
    if findings.problems:
        raise _error(findings.problems, findings.secrets, config)
    return config


def _merge(roots: Sequence[MappingNode], problems: list[Problem]) -> MappingNode:
    """Put the sections of several files together, names that come twice and all."""
    pairs: list[tuple[Node, Node]] = []
    for root in roots:
        earlier = {key.value: index for index, (key, _) in enumerate(pairs)}
        for key, value in root.value:
            index = earlier.get(key.value) if isinstance(key, ScalarNode) else None
            if index is None:
                pairs.append((key, value))
            else:
                both = _both(key, pairs[index][1], value, problems)
                pairs[index] = (pairs[index][0], both)
    main = roots[0]
    return MappingNode(main.tag, pairs, main.start_mark, main.end_mark)


def _both(key: Node, first: Node, second: Node, problems: list[Problem]) -> Node:
    """Return one node for a section that two files have."""
    if nodes.is_nothing(first) or nodes.is_nothing(second):
        return second if nodes.is_nothing(first) else first
    if key.value == "series_file":
        items = [*_items(first), *_items(second)]
        return SequenceNode(nodes.SEQUENCE, items, first.start_mark, first.end_mark)
    if key.value in _MERGED and isinstance(first, MappingNode) and isinstance(second, MappingNode):
        return MappingNode(first.tag, first.value + second.value, first.start_mark, first.end_mark)
    wrong = second if isinstance(first, MappingNode) else first
    message = f"expected a mapping, got {nodes.kind_of(wrong)}"
    problems.append(Problem(nodes.where(wrong), key.value, message))
    return first if isinstance(first, MappingNode) else second


def _items(node: Node) -> list[Node]:
    return node.value if isinstance(node, SequenceNode) else [node]


def _drop_ins(folder: Path) -> tuple[list[Path], list[Problem]]:
    """Return the files of ``conf.d``, and those that look as if they should be among them."""
    try:
        # Editors keep their own files beside the one being edited, under hidden names.
        found = _files.within(folder / "*", lambda: sorted(folder.iterdir()))
    except FileNotFoundError:
        return [], []
    except OSError as exc:
        return [], [Problem(str(folder), "", _reason(exc))]
    found = [each for each in found if not each.name.startswith(".")]
    misnamed = [
        Problem(str(each), "", "expected a name that ends with .yaml; it would not be read")
        for each in found
        if each.suffix == ".yml"
    ]
    return [each for each in found if each.suffix == ".yaml"], misnamed


def _reason(exc: OSError | UnicodeDecodeError) -> str:
    if isinstance(exc, UnicodeDecodeError):
        line = exc.object.count(b"\n", 0, exc.start) + 1
        return f"not UTF-8 text: line {line} has the byte 0x{exc.object[exc.start]:02x}"
    return f"cannot be read: {(exc.strerror or type(exc).__name__).lower()}"


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Return problems by file and line, each of them once."""
    return sorted(dict.fromkeys(problems), key=_place)


def _error(
    problems: Sequence[Problem], secrets: Iterable[str] = (), config: Config | None = None
) -> ConfigError:
    """Make the error that shows every problem once, in order, without a secret."""
    redactor = Redactor(secrets)
    shown = {
        dataclasses.replace(problem, message=redactor.text(problem.message)): None
        for problem in problems
    }
    return ConfigError(in_order(shown), config)


def _place(problem: Problem) -> tuple[str, int, str]:
    file, _, line = problem.where.rpartition(":")
    return (file, int(line), problem.key) if line.isdigit() else (problem.where, 0, problem.key)


def _first(directories: str) -> Path:
    """Return the first of the directories that systemd lists in a variable."""
    return Path(directories.partition(":")[0])


def _xdg(environ: Mapping[str, str], variable: str, fallback: str) -> Path:
    return Path(environ.get(variable) or Path(environ.get("HOME") or "/") / fallback)
