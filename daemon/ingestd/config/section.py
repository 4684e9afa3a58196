"""One section of a configuration file: typed options, every problem noted with its line.

A section never raises. What is wrong becomes a `Problem` and a stand-in value, so
that one look at the file finds everything an operator has to mend.
"""

import os
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, TypeVar

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from ingestd.config import nodes, options
from ingestd.config.findings import Findings
from ingestd.errors import Problem
from ingestd.redaction import MASK, Redactor, find_secrets, in_url, looks_secret

T = TypeVar("T")
D = TypeVar("D")

_LONGEST_SHOWN: Final = 80


class Section:
    """A mapping in the file.

    Args:
        node: The mapping.
        key: Its dotted path, or an empty string at the top.
        findings: Shared by all sections of one configuration.
        where: ``file:line`` of its name, if it has one.
    """

    def __init__(
        self, node: MappingNode, key: str, findings: Findings, *, where: str | None = None
    ) -> None:
        self.key = key
        self.where = where or nodes.where(node)
        self._findings = findings
        self._entries = {
            str(name): entry for name, entry in nodes.entries(node, key, findings.problems).items()
        }
        self._known: set[str] = set()

    def has(self, name: str) -> bool:
        """Return whether the operator wrote this option."""
        return name in self._entries

    def has_secret(self, name: str) -> bool:
        """Return whether the operator wrote this secret, here or in a file."""
        return self.has(name) or self.has(f"{name}_file")

    def names(self) -> list[str]:
        """Return the names in it, in the order they were written."""
        return list(self._entries)

    def where_is(self, name: str) -> str:
        """Return ``file:line`` of an option, or of the section if it is not there."""
        return nodes.where(self._entries[name][0]) if name in self._entries else self.where

    def places(self) -> dict[str, str]:
        """Return ``file:line`` of everything in it, by its dotted path from here."""
        found: dict[str, str] = {}
        for name, (key, value) in self._entries.items():
            found |= {**nodes.places(value, name), name: nodes.where(key)}
        return found

    def problem(self, message: str, name: str | None = None) -> None:
        """Note something that the operator should mend."""
        where, key = (
            (self.where, self.key) if name is None else (self.where_is(name), self._key(name))
        )
        self._findings.problems.append(Problem(where, key, message))

    def get(self, name: str, read: Callable[[str], T], default: D) -> T | D:
        """Return an option, or the default where it is missing or wrong.

        Args:
            name: The option.
            read: Turns its text into a value, or raises ValueError saying what it expected.
            default: What it is if the operator says nothing.
        """
        node = self._take(name)
        return default if node is None else self._read(node, name, read, default)

    def need(self, name: str, read: Callable[[str], T], stand_in: T) -> T:
        """Return an option that must be there, or a stand-in so that checking can go on."""
        if not self.has(name):
            self._take(name)
            self.problem("missing, but required", name)
            return stand_in
        return self.get(name, read, stand_in)

    def secret(self, name: str) -> str | None:
        """Return a secret, written here or in the file that ``<name>_file`` points to."""
        value = self.get(name, options.text, None)
        path = self.path(f"{name}_file", None)
        if path is not None:
            if self.has(name):
                self.problem(f"expected either {name} or {name}_file, got both", name)
            value = self._read_secret(name, path)
        if value is not None:
            self._findings.secrets.add(value)
        return value

    def path(self, name: str, default: D) -> Path | D:
        """Return a path; a relative one starts at the file that it is written in."""
        node = self._take(name)
        return default if node is None else self._read(node, name, _path_from(node), default)

    def paths(self, name: str) -> list[tuple[Path, str]]:
        """Return one path or a list of them, each with the ``file:line`` it is written at."""
        node = self._take(name)
        items = node.value if isinstance(node, SequenceNode) else [node] if node else []
        found = [(self._read(item, name, _path_from(item), None), item) for item in items]
        return [(path, nodes.where(item)) for path, item in found if path is not None]

    def list_of(self, name: str, read: Callable[[str], T]) -> list[T]:
        """Return one text or a list of them, each read as ``get`` does."""
        node = self._take(name)
        items = node.value if isinstance(node, SequenceNode) else [node] if node else []
        found = [self._read(item, name, read, None) for item in items]
        return [each for each in found if each is not None]

    def texts(self, name: str, read_name: Callable[[str], str]) -> dict[str, str]:
        """Return a mapping of names to texts, such as tags."""
        section = self.section(name)
        for each in section.names():
            try:
                read_name(each)
            except ValueError as exc:
                section.problem(f"{exc}, got {each!r:.80}", each)
        return {each: section.get(each, options.text, "") for each in section.names()}

    def mapping(self, name: str) -> dict[str, Any]:
        """Return a mapping as ordinary YAML has it, such as params."""
        node = self._take_mapping(name)
        if node is None:
            return {}
        values = nodes.value_of(node, self._key(name), self._findings.problems)
        if not isinstance(values, dict):  # it had a tag, which is now a problem
            return {}
        for each in values:
            if not isinstance(each, str):
                self.problem(f"expected text as a name, got {each!r:.80}; put it in quotes", name)
        self._findings.secrets.update(find_secrets(values))
        return values

    def section(self, name: str) -> "Section":
        """Return a section within this one; an empty one if it is missing."""
        node = self._take_mapping(name) or nodes.empty_mapping("")
        return Section(node, self._key(name), self._findings, where=self.where_is(name))

    def sections(self, name: str) -> Iterator[tuple[str, "Section"]]:
        """Yield the named sections within one of this section's, such as the stores."""
        parent = self.section(name)
        for each in parent.names():
            yield each, parent.section(each)

    def done(self) -> None:
        """Note every option that was not asked for, and so is none."""
        known = sorted(self._known)
        for name in self._entries.keys() - self._known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            self.problem(f"unknown option; {hint}known here: {', '.join(known)}", name)

    def _key(self, name: str) -> str:
        return nodes.join(self.key, name)

    def _take(self, name: str) -> Node | None:
        self._known.add(name)
        return self._entries[name][1] if name in self._entries else None

    def _take_mapping(self, name: str) -> MappingNode | None:
        node = self._take(name)
        if node is None or nodes.is_nothing(node) or nodes.is_lost(node):
            return None
        if not isinstance(node, MappingNode):
            self.problem(f"expected a mapping, got {_masked(name, node)}", name)
            return None
        return node

    def _read(self, node: Node, name: str, read: Callable[[str], T], default: D) -> T | D:
        if nodes.is_lost(node):
            return default
        written = isinstance(node, ScalarNode) and node.tag.startswith(nodes.CORE)
        try:
            # Where there is no single value, the reader knows best what it expected.
            return read(node.value if written and not nodes.is_nothing(node) else "")
        except ValueError as exc:
            self.problem(f"{exc}, got {_masked(name, node)}", name)
            return default

    def _read_secret(self, name: str, path: Path) -> str | None:
        try:
            value = self._findings.read(path).strip()
        except ValueError as exc:
            self.problem(str(exc), f"{name}_file")
            return None
        try:
            return options.text(value)
        except ValueError as exc:
            self.problem(f"{exc} in {path}", f"{name}_file")
            return None


def _path_from(node: Node) -> Callable[[str], Path]:
    base = Path(nodes.file_of(node)).parent

    def read(value: str) -> Path:
        return Path(os.path.normpath(base / options.text(value)))

    return read


def _masked(name: str, node: Node) -> str:
    """Return a wrong value for a message, if it can be shown."""
    if not isinstance(node, ScalarNode) or nodes.is_nothing(node):
        return nodes.kind_of(node)
    if looks_secret(name):
        return MASK
    if not node.tag.startswith(nodes.CORE):
        return "a value with a YAML tag"
    text = Redactor(in_url(node.value)).text(node.value)
    return repr(text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}...")
