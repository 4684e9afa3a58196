"""YAML as a tree of nodes that know their lines: compose, look into mappings, make values.

Nodes rather than loaded values, because a node has a place to point an
operator to, and because its text is what the operator wrote: ``yes`` and
``0123`` are still themselves.
"""

import io
import re
from collections.abc import Hashable, Iterator
from typing import Any, Final

import yaml
from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

from ingestd.errors import ConfigError, Problem

CORE: Final = "tag:yaml.org,2002:"
NULL: Final = f"{CORE}null"
MAPPING: Final = f"{CORE}map"
SEQUENCE: Final = f"{CORE}seq"
TUPLE: Final = f"{CORE}python/tuple"  # as PyYAML writes one, and our state
_MERGE: Final = f"{CORE}merge"
_OPEN: Final = "! open"
_LOST: Final = "! lost"  # the space keeps it out of any file
_DEEPEST_FILE: Final = 50
_MOST_VALUES: Final = 2_000_000
# Ten times as fast, where PyYAML was built with it.
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# A value that begins with a sign of YAML's own.
_MARKED: Final = re.compile(r"(?:^|[:,\[{-]\s)\s*[*&!]")
# Parsers quote what they stumbled over, and that may be part of a password.
_QUOTED: Final = re.compile(r" '[^<'][^']{4,}'")


class Unknown(str):
    """A value that only the service knows; no check says anything of it."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Say what it is."""
        return "a value that is not known here"


class _NamedText(io.StringIO):
    """Text that tells PyYAML which file it came from."""

    def __init__(self, text: str, name: str) -> None:
        super().__init__(text)
        self.name = name


def compose(text: str, file: str) -> MappingNode:
    """Parse the text of one file; an empty one is an empty mapping.

    Raises:
        ConfigError: It is not YAML, not a mapping, or bigger than it looks.
    """
    try:
        _check_depth(text, file)
        root = yaml.compose(_NamedText(text, file), Loader=_LOADER)
    except yaml.MarkedYAMLError as exc:
        raise ConfigError([_syntax_problem(exc, text, file)]) from None
    except yaml.reader.ReaderError:
        raise ConfigError([_character_problem(text, file)]) from None
    if root is None or (isinstance(root, ScalarNode) and root.tag == NULL):
        return empty_mapping(file)
    if not isinstance(root, MappingNode):
        message = f"expected a mapping such as 'collectors:', got {kind_of(root)}"
        raise ConfigError([Problem(where(root), "", message)])
    _check_aliases(root)
    return root


def empty_mapping(file: str) -> MappingNode:
    """Make a mapping that stands for what was left out."""
    mark = yaml.Mark(file, 0, 0, 0, None, 0)
    return MappingNode(MAPPING, [], start_mark=mark, end_mark=mark)


def where(node: Node) -> str:
    """Return ``file:line`` of a node."""
    return f"{file_of(node)}:{node.start_mark.line + 1}"


def file_of(node: Node) -> str:
    """Return the file that a node was read from."""
    return str(node.start_mark.name)


def places(node: Node, key: str = "") -> dict[str, str]:
    """Return where everything below a node stands: dotted path -> ``file:line``."""
    found = {key: where(node)} if key else {}
    if isinstance(node, SequenceNode):
        for index, item in enumerate(node.value):
            found |= places(item, f"{key}[{index}]")
    elif isinstance(node, MappingNode):
        for name, value in node.value:
            if isinstance(name, ScalarNode) and name.tag != _MERGE:
                path = join(key, name.value)
                found |= {**places(value, path), path: where(name)}
    return found


def is_nothing(node: Node) -> bool:
    """Return whether a node was left empty."""
    return isinstance(node, ScalarNode) and node.tag == NULL


def lose(node: ScalarNode) -> None:
    """Mark a node whose trouble has been told, so that it is not told twice."""
    node.tag = _LOST


def leave_open(node: ScalarNode) -> None:
    """Mark a node whose value only the service knows."""
    node.tag = _OPEN


def is_lost(node: Node) -> bool:
    """Return whether a node's trouble has been told already, or its value is not known here."""
    return node.tag in {_LOST, _OPEN}


def kind_of(node: Node) -> str:
    """Return what a node is, for people, without its content."""
    if isinstance(node, CollectionNode):
        return "a mapping" if isinstance(node, MappingNode) else "a list"
    return "nothing" if is_nothing(node) else "a single value"


def join(key: str, name: object) -> str:
    """Return the dotted path of an option."""
    return f"{key}.{name}" if key else str(name)


def entries(
    node: MappingNode, key: str, problems: list[Problem]
) -> dict[Hashable, tuple[Node, Node]]:
    """Return a mapping's names with their key and value nodes.

    A name is its text as written. What a merge key (``<<``) brings in yields to
    the mapping's own names. Names that come twice are problems.
    """
    own: dict[Hashable, tuple[Node, Node]] = {}
    merged: dict[Hashable, tuple[Node, Node]] = {}
    for key_node, value_node in node.value:
        if key_node.tag == _MERGE:
            for base in _merge_bases(value_node, key, problems):
                merged = {**entries(base, key, problems), **merged}
        elif not isinstance(key_node, ScalarNode) or not key_node.tag.startswith(CORE):
            problems.append(Problem(where(key_node), key, "expected text as the name of an option"))
        elif key_node.value in own:
            first = where(own[key_node.value][0])
            message = f"defined twice; first at {first}"
            problems.append(Problem(where(key_node), join(key, key_node.value), message))
        else:
            own[key_node.value] = (key_node, value_node)
    return own | {name: entry for name, entry in merged.items() if name not in own}


def value_of(node: Node, key: str, problems: list[Problem]) -> Any:
    """Return a node's value as ordinary YAML has it: numbers, dates, lists and so on."""
    if isinstance(node, MappingNode) and node.tag == MAPPING:
        return {
            _scalar(key_node, key, problems): value_of(value_node, join(key, name), problems)
            for name, (key_node, value_node) in entries(node, key, problems).items()
        }
    if isinstance(node, SequenceNode) and node.tag in {SEQUENCE, TUPLE}:
        items = [
            value_of(item, f"{key}[{index}]", problems) for index, item in enumerate(node.value)
        ]
        return items if node.tag == SEQUENCE else tuple(items)
    return _scalar(node, key, problems)


def _scalar(node: Node, key: str, problems: list[Problem]) -> Any:
    if is_lost(node):
        return Unknown() if node.tag == _OPEN else None
    try:
        if isinstance(node, ScalarNode) and node.tag.startswith(CORE):
            return yaml.constructor.SafeConstructor().construct_object(node)
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, OverflowError):
        # PyYAML trips in all these ways over explicit tags and impossible dates.
        problems.append(Problem(where(node), key, "not a value YAML can read; put it in quotes"))
        return None
    message = "YAML tags are not understood here; quote a value that begins with '!'"
    problems.append(Problem(where(node), key, message))
    return None


def _merge_bases(node: Node, key: str, problems: list[Problem]) -> Iterator[MappingNode]:
    for base in node.value if isinstance(node, SequenceNode) else [node]:
        if isinstance(base, MappingNode):
            yield base
        else:
            message = f"expected a mapping after '<<', got {kind_of(base)}"
            problems.append(Problem(where(base), key, message))


def _check_depth(text: str, file: str) -> None:
    """Refuse deep nesting before it overflows the stack of a recursive composer.

    Raises:
        ConfigError: It is nested deeper than any configuration needs to be.
    """
    depth = 0
    for event in yaml.parse(_NamedText(text, file), Loader=_LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST_FILE:
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise ConfigError([_too_deep(f"{file}:{line}")])


def _check_aliases(root: Node) -> None:
    """Refuse aliases that contain themselves, multiply without end, or nest deeply.

    What an alias stands for was written before it, so that this recurses no deeper
    than the text is nested.

    Raises:
        ConfigError: There is one.
    """
    # id of a node -> how many values it holds, and how deep; None within itself
    extents: dict[int, tuple[int, int] | None] = {}

    def measure(node: Node) -> tuple[int, int]:
        if id(node) in extents:
            known = extents[id(node)]
            if known is None:
                raise ConfigError([Problem(where(node), "", "an alias that contains itself")])
            return known
        extents[id(node)] = None
        within = [measure(child) for child in _children(node)]
        size = 1 + sum(size for size, _ in within)
        depth = isinstance(node, CollectionNode) + max((depth for _, depth in within), default=0)
        if depth > _DEEPEST_FILE:
            raise ConfigError([_too_deep(where(node))])
        extents[id(node)] = size, depth
        return size, depth

    if measure(root)[0] > _MOST_VALUES:
        message = f"expected at most {_MOST_VALUES} values, counting those behind aliases"
        raise ConfigError([Problem(where(root), "", message)])


def _too_deep(place: str) -> Problem:
    return Problem(place, "", f"expected at most {_DEEPEST_FILE} levels of nesting, got more")


def _children(node: Node) -> Iterator[Node]:
    if isinstance(node, MappingNode):
        for pair in node.value:
            yield from pair
    elif isinstance(node, SequenceNode):
        yield from node.value


def _syntax_problem(exc: yaml.MarkedYAMLError, text: str, file: str) -> Problem:
    mark = exc.problem_mark or exc.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    context = exc.context or ""
    if exc.context_mark and exc.context_mark.line != line:
        context += f" that begins at line {exc.context_mark.line + 1}"
    said = ", ".join(part for part in (context, exc.problem) if part)
    lines = text.splitlines()
    at_fault = lines[line] if line < len(lines) else ""
    hint = ""
    if at_fault.lstrip(" ").startswith("\t"):
        hint = "; indent with spaces, not tabs"
    elif _MARKED.search(at_fault):
        hint = "; quote a value that begins with '*', '&' or '!'"
    elif set(at_fault.rpartition("${")[0]) & set("[{,"):
        hint = "; quote ${...} inside { } and [ ]"
    message = f"not valid YAML at column {column + 1}: {_QUOTED.sub('', said)}{hint}"
    return Problem(f"{file}:{line + 1}", "", message)


def _character_problem(text: str, file: str) -> Problem:
    bad = yaml.reader.Reader.NON_PRINTABLE.search(text)
    line = text.count("\n", 0, bad.start()) + 1 if bad else 1
    character = f"the character U+{ord(bad.group()):04X}" if bad else "a character"
    return Problem(f"{file}:{line}", "", f"{character} cannot stand in a YAML file")
