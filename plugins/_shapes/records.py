"""Where the records of a document are, and what is around each of them.

A path of names, such as ``sites.meters``, is walked step by step and through every list on the
way. ``*`` steps to everything that an object holds, and ``{name}`` does the same and gives the
keys a name. Any other path is JMESPath, which knows nothing of keys, nor of what is around.
A text of JSON on the way is opened: some senders put a document into a field of another one.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from ingestd.plugins._fields import Path, compile_path
from ingestd.plugins._jsontext import read_json

STEP: Final = r'(?:[A-Za-z_]\w*|"[^"\\]+"|\*|\{[A-Za-z_]\w*\})'
NAMES: Final = re.compile(rf"{STEP}(?:\.{STEP})*")
SPLIT: Final = re.compile(STEP)
# Where answers say what went wrong.
TELLING: Final = frozenset({"error", "errors", "fault", "message", "reason", "detail"})
OPENING: Final = ("{", "[")
WHOLE: Final = "@"  # JMESPath for the document itself


class Node:
    """A value in a document, with what is around it.

    Attributes:
        value: It is no list.
        key: The name under which an object holds it, or the list in which it is; or None.
        parent: The object around it; lists do not count.
        place: Its place in the list of the records, from 0; None if it is in none.
        count: How many records that list has.
    """

    __slots__ = ("count", "key", "parent", "place", "value")

    def __init__(
        self,
        value: Any,
        key: str | None,
        parent: "Node | None",
        place: int | None = None,
        count: int = 0,
    ) -> None:
        self.value, self.key, self.parent = value, key, parent
        self.place, self.count = place, count

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Node) and (self.value, self.key) == (other.value, other.key)

    __hash__ = None  # type: ignore[assignment]  # its value has none


@dataclass(frozen=True, slots=True)
class Records:
    """Where the records are.

    Attributes:
        steps: The steps of a path of names; None: ``path`` says it.
        path: What finds a list, or one record.
        parts: Several places, one behind the other; none where it is one.
    """

    steps: tuple[str, ...] | None
    path: Path | None
    parts: "tuple[Records, ...]" = ()

    def place_of(self, name: str) -> int | None:
        """Return how many objects above a record the key is that a step gives a name, or None."""
        steps = self.steps or ()
        wanted = f"{{{name}}}"
        return len(steps) - 1 - steps.index(wanted) if wanted in steps else None

    @property
    def plain(self) -> tuple[str, ...] | None:
        """The names on the path, if it is made of names alone and nothing around is needed."""
        if self.steps is None or any(step[0] in "*{" for step in self.steps):
            return None
        return tuple(step.strip('"') for step in self.steps)

    @property
    def names(self) -> frozenset[str]:
        """The names that steps give to keys."""
        return frozenset(step[1:-1] for step in self.steps or () if step[0] == "{")

    def holders(self, document: Any) -> list[Node]:
        """Return what the path leads to: each is a record, or a list of records.

        Raises:
            ValueError: It leads nowhere.
        """
        if self.parts:
            return [node for part in self.parts for node in part.holders(document)]
        document = opened(document)
        root = Node(document, None, None)
        if self.path is not None:
            found = self.path(document)
            return [Node(checked(found, document), None, root)]
        if not self.steps:
            return [] if document is None else [Node(checked(document, document), None, None)]
        holders, missed = walked(root, self.steps)
        if missed and not holders:
            raise problem(None, missed[0])
        if len(holders) == 1 and self.steps[-1][0] not in "*{":
            checked(holders[0].value, document)
        return holders


EVERYTHING: Final = Records((), None)


def records_of(expression: Any) -> Records:
    """Read the ``records`` option.

    Raises:
        ValueError: It is no path.
    """
    if expression is None or expression == WHOLE:
        return EVERYTHING
    if isinstance(expression, list | tuple):
        return several(expression)
    if isinstance(expression, str) and NAMES.fullmatch(expression):
        steps = tuple(SPLIT.findall(expression))
        named = [step for step in steps if step[0] == "{"]
        if len(set(named)) < len(named):
            raise ValueError(f"records: expected another name for each key, got {expression!r}")
        return Records(steps, None)
    return Records(None, compile_path(expression, where="records"))


def several(expressions: list[Any] | tuple[Any, ...]) -> Records:
    """Read a list of paths.

    Raises:
        ValueError: There is none, or a part is no path, or gives names to keys.
    """
    parts = tuple(records_of(each) for each in expressions if isinstance(each, str))
    if not parts or len(parts) < len(expressions) or any(each.names for each in parts):
        raise ValueError(
            f"records: expected a list of paths, with * in the place of names in braces, "
            f"got {expressions!r:.80}"
        )
    return Records(None, None, parts)


def walked(root: Node, steps: tuple[str, ...]) -> tuple[list[Node], list[Any]]:
    """Return where the steps lead from a document, and objects that lack the name of a step."""
    missed: list[Any] = []
    holders = [root]
    for at, step in enumerate(steps):
        found: list[Node] = []
        for holder in holders:
            for node in map(opened_node, elements(holder)):
                if node.value is None and at:
                    if node.parent and has_errors(node.parent.value):
                        missed.append(node.parent.value)
                    continue  # null on the way: there is nothing
                before = len(found)
                found += stepped(node, step, last=at == len(steps) - 1)
                if len(found) == before and node.value != {} and not is_null(node.value, step):
                    missed.append(node.value)
        holders = found
    return [*map(opened_node, holders)], missed


def opened_node(node: Node) -> Node:
    """Return a node whose value is the document in it, if it is a text of JSON."""
    if type(node.value) is not str:
        return node
    return Node(opened(node.value), node.key, node.parent)


def opened(value: Any) -> Any:
    """Return the object or list in a text of JSON; anything else as it is."""
    if not isinstance(value, str) or value[:1] not in OPENING:
        return value
    try:
        return read_json(value)
    except ValueError:
        return value


def is_null(held: Any, step: str) -> bool:
    """Say whether an object has null where a step leads, which says that there is nothing."""
    return (
        isinstance(held, dict) and held.get(step.strip('"'), held) is None and not has_errors(held)
    )


def has_errors(held: Any) -> bool:
    """Say whether an object lists errors, so that null beside them means more than nothing."""
    return isinstance(held, dict) and bool(held.get("errors"))


def stepped(node: Node, step: str, *, last: bool) -> Iterator[Node]:
    """Yield where one step leads from a value; to null, if it is not the last."""
    held = node.value
    if not isinstance(held, dict):
        return
    if step[0] in "*{":
        for key, value in held.items():
            yield Node(value, key, node)
    elif (name := step.strip('"')) in held and not (last and held[name] is None):
        yield Node(held[name], name, node)


def elements(holder: Node) -> Iterator[Node]:
    """Yield a value, or what is in it if it is a list, however deep lists lie in lists."""
    if not isinstance(holder.value, list):
        yield holder
        return
    for each in holder.value:
        yield from elements(Node(each, holder.key, holder.parent))


def checked(found: Any, document: Any) -> Any:
    """Return a list or an object.

    Raises:
        ValueError: It is neither.
    """
    if isinstance(found, list | dict):
        return found
    raise problem(found, document)


def problem(found: Any, document: Any) -> ValueError:
    """Return the error for records that are not where they were said to be."""
    return ValueError(f"records: expected a list or an object there, got {look(found, document)}")


def look(found: Any, document: Any) -> str:
    """Describe what stands where something else should, for people."""
    if found is not None:
        return shown(found)
    if isinstance(document, dict):
        keys = ", ".join(map(str, document))
        return f"nothing; the keys beside it are {keys[:200]}{said_in(document)}"
    return f"nothing in {shown(document)}"


def said_in(document: dict[str, Any]) -> str:
    """Return what an object says of an error, for people; empty if it says nothing."""
    said = [name for name, found in document.items() if str(name).lower() in TELLING and found]
    return f"; {said[0]} is {shown(document[said[0]], 200)}" if said else ""


def shown(value: Any, longest: int = 80) -> str:
    """Return the beginning of a value as Python has it; parsers nest deeper than that can."""
    try:
        return repr(value)[:longest]
    except RecursionError:
        return "too many levels of nesting"
