"""References in a configuration file: variables, files and systemd credentials.

They are replaced in the parsed tree, not in the text, so a value can never turn
into more YAML than the one scalar it stands in.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from ingestd.config import nodes
from ingestd.config.findings import Findings
from ingestd.config.nodes import CORE
from ingestd.errors import Problem
from ingestd.redaction import MASK, looks_secret

_REFERENCE: Final = re.compile(r"\$\$|\$\{([^{}]*)(\}?)")
_VARIABLE: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::([-?])(.*))?", re.DOTALL)
_CREDENTIAL: Final = re.compile(r"[A-Za-z0-9_@%+:-][A-Za-z0-9_.@%+:-]*")
# Only what cannot be meant otherwise: 0123, 12:30 and 2024-01-01 stay text.
_TYPES: Final = (
    (re.compile(r"-?(0|[1-9][0-9]{0,17})"), f"{CORE}int"),
    (re.compile(r"-?(0|[1-9][0-9]*)\.[0-9]+"), f"{CORE}float"),
    (re.compile(r"true|false"), f"{CORE}bool"),
)


class _NotHere(ValueError):
    """A reference leads to what only the service has."""


@dataclass(frozen=True, slots=True)
class Expansion:
    """Replaces references by what they refer to.

    Attributes:
        environ: The environment variables.
        findings: How files are read; grows by every reference that leads nowhere, and by
            every value that must not be shown.
        elsewhere: Whether this is not the service: only that has its credentials, and what
            they are is left open.
    """

    environ: Mapping[str, str] = field(repr=False)
    findings: Findings
    elsewhere: bool = False

    def expand(self, root: Node) -> None:
        """Replace every reference below a node."""
        done: set[int] = set()
        for node, key, secret in _scalars(root, "", secret=False):
            if id(node) not in done:  # an alias leads to the same node again
                done.add(id(node))
                self._expand_scalar(node, key, secret=secret)

    def _expand_scalar(self, node: ScalarNode, key: str, *, secret: bool) -> None:
        if "$" not in node.value:
            return
        text, base = node.value, Path(nodes.file_of(node)).parent
        try:
            node.value = _REFERENCE.sub(partial(self._resolve, base=base, secret=secret), text)
        except _NotHere as exc:
            self.findings.unchecked.append(Problem(nodes.where(node), key, str(exc)))
            nodes.leave_open(node)
            return
        except ValueError as exc:
            self.findings.problems.append(Problem(nodes.where(node), key, str(exc)))
            nodes.lose(node)
            return
        if secret and node.value != text:
            self.findings.secrets.add(node.value)
        whole = _REFERENCE.fullmatch(text)
        if whole and whole[1] and not node.style and node.value not in self.findings.secrets:
            node.tag = next((t for kind, t in _TYPES if kind.fullmatch(node.value)), node.tag)

    def _resolve(self, found: re.Match[str], *, base: Path, secret: bool) -> str:
        body, end = found.groups()
        if body is None:
            return "$"
        kind, colon, rest = body.partition(":")
        variable = _VARIABLE.fullmatch(body)
        if end and colon and kind == "file" and rest[:1] not in ("-", "?"):
            return self._secret(base / rest)
        if end and colon and kind == "credential" and rest[:1] not in ("-", "?"):
            return self._credential(rest)
        if end and variable:
            return self._variable(*variable.groups(), secret=secret)
        raise ValueError(
            "expected ${NAME}, ${NAME:-default}, ${NAME:?message}, ${file:PATH} or "
            "${credential:NAME}, or $$ for a dollar sign, "
            f"got {MASK if secret else repr(found[0])[:80]}"
        )

    def _variable(
        self, name: str, operator: str | None, operand: str | None, *, secret: bool
    ) -> str:
        value = self.environ.get(name)
        if value is None or (operator and not value):
            if operator == "-":
                return operand or ""
            reason = operand if operator and operand else "give it a value or a ${NAME:-default}"
            state = "empty" if value == "" else "not set"
            raise ValueError(f"the environment variable {name} is {state}: {reason}")
        if looks_secret(name):
            self.findings.secrets.add(value)
        if secret or looks_secret(name):
            self.findings.secret_variables.add(name)
        return value

    def _credential(self, name: str) -> str:
        if not _CREDENTIAL.fullmatch(name):
            raise ValueError(f"expected the name of a credential, got {name!r}")
        directory = self.environ.get("CREDENTIALS_DIRECTORY")
        if not directory and self.elsewhere:
            raise _NotHere(f"the credential {name!r} is known to the service only; not checked")
        if not directory:
            raise ValueError(
                f"no credential {name!r}: CREDENTIALS_DIRECTORY is not set; "
                f"the unit needs LoadCredential={name}:/path/to/file"
            )
        return self._secret(Path(directory) / name)

    def _secret(self, path: Path) -> str:
        value = self.findings.read(path).strip()
        if not value:
            raise ValueError(f"{path} is empty")
        self.findings.secrets.add(value)
        return value


def _scalars(node: Node, key: str, *, secret: bool) -> Iterator[tuple[ScalarNode, str, bool]]:
    """Yield the scalars below a node, each with its key and whether that looks secret."""
    if isinstance(node, ScalarNode):
        yield node, key, secret
    elif isinstance(node, SequenceNode):
        for index, item in enumerate(node.value):
            yield from _scalars(item, f"{key}[{index}]", secret=secret)
    elif isinstance(node, MappingNode):
        for name, value in node.value:
            text = str(name.value) if isinstance(name, ScalarNode) else ""
            yield from _scalars(value, nodes.join(key, text), secret=looks_secret(text))
