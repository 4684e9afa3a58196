"""XML as the objects and lists that JSON would have.

An element that holds others, or has attributes, is an object: each of these under its name,
elements of one name as a list. One that holds text alone is that text; text beside attributes
is under ``text``. Where an attribute, or the text, has the name of an element, it is the
element that has it, and the other is under ``@name`` or ``#text``. Prefixes of names are left out.
"""

from typing import Any, Final
from xml.parsers import expat

from .errors import DocumentError

DEEPEST: Final = 64
NIL: Final = "http://www.w3.org/2001/XMLSchema-instance nil"
TEXT: Final = "text"


class Element:
    """An element that is being read.

    Attributes:
        children: What it holds, by name.
        attributes: Theirs, by name.
        texts: Its text, in pieces.
    """

    __slots__ = ("attributes", "children", "name", "nil", "texts")

    def __init__(self, name: str, attributes: dict[str, str]) -> None:
        self.name = name
        self.nil = attributes.pop(NIL, "") in {"true", "1"}
        self.attributes = {local(name): text for name, text in attributes.items()}
        self.children: dict[str, Any] = {}
        self.texts: list[str] = []

    def hold(self, name: str, value: Any) -> None:
        """Put an element into this one."""
        children = self.children
        if name not in children:
            children[name] = value
        elif isinstance(children[name], list):
            children[name].append(value)
        else:
            children[name] = [children[name], value]

    def value(self) -> Any:
        """Return what the element is: an object, text, or nothing."""
        text = "".join(self.texts).strip() or None
        if self.nil or not (self.children or self.attributes):
            return None if self.nil else text
        found = dict(self.children)
        for name, each in self.attributes.items():
            found[f"@{name}" if name in found else name] = each
        if text is not None or not self.children:
            found["#text" if TEXT in found else TEXT] = text
        return found


class Tree:
    """Makes a document of what a parser meets."""

    def __init__(self) -> None:
        self.open: list[Element] = [Element("", {})]

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Open an element.

        Raises:
            DocumentError: It lies too deep.
        """
        if len(self.open) > DEEPEST:
            raise DocumentError(f"at most {DEEPEST} levels of XML", got="more")
        self.open.append(Element(local(name), attributes))

    def end(self, _: str) -> None:
        """Close an element."""
        closed = self.open.pop()
        self.open[-1].hold(closed.name, closed.value())

    def text(self, data: str) -> None:
        """Add text to an element."""
        self.open[-1].texts.append(data)

    def document(self) -> Any:
        """Return the root element."""
        (root,) = self.open[0].children.values()
        return root


def xml_in(data: bytes, *, charset: str | None = None, said: str | None = None) -> Any:
    """Return the root element of an XML document.

    Raises:
        DocumentError: It is none, or has definitions of its own, which might be bombs.
    """
    tree = Tree()
    parser = parser_of(charset or said)
    parser.StartElementHandler, parser.EndElementHandler = tree.start, tree.end
    parser.CharacterDataHandler = tree.text
    parse(parser, data.lstrip(), last=True)
    return tree.document()


def parser_of(charset: str | None) -> expat.XMLParserType:
    """Return a parser that takes no definitions."""
    parser = expat.ParserCreate(charset, " ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = refuse
    return parser


def parse(parser: expat.XMLParserType, data: bytes, *, last: bool) -> None:
    """Parse some more of a document.

    Raises:
        DocumentError: It is none.
    """
    try:
        parser.Parse(data, last)
    except DocumentError:
        raise
    except (expat.ExpatError, LookupError, ValueError) as error:  # encodings, too
        raise DocumentError("XML", why=str(error)) from None


def refuse(*_: Any) -> None:
    """Refuse what a document defines for itself."""
    raise DocumentError("XML without definitions of its own", got="a DOCTYPE")


def local(name: str) -> str:
    """Return a name without its namespace."""
    return name.rpartition(" ")[2]
