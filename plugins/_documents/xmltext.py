"""XML as the objects and lists that JSON would have.

An element that holds others, or has attributes, is an object: each of these under its name,
elements of one name as a list. One that holds text alone is that text; text beside attributes
is under ``text``. Where an attribute, or the text, has the name of an element, it is the
element that has it, and the other is under ``@name`` or ``#text``. Prefixes of names are left out.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, Final
from xml.parsers import expat

from .errors import DocumentError

DEEPEST: Final = 64
NIL: Final = "http://www.w3.org/2001/XMLSchema-instance nil"
TEXT: Final = "text"
MISDECLARED: Final = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*<\?xml[^>]{1,200}encoding\s*=\s*[\"']utf-?16", re.IGNORECASE
)


class Names(dict[str, str]):
    """Names without their namespaces, by names with them."""

    def __missing__(self, name: str) -> str:
        found = self[name] = local(name)
        return found


def value_of(
    children: dict[str, Any], attributes: dict[str, str], told: str | None, names: Names
) -> Any:
    """Return what an element is that holds others or has attributes: an object, or nothing.

    Args:
        children: What it holds, by name.
        attributes: Theirs, by name with namespace.
        told: All of its text, or None.
        names: Those that were met.
    """
    if attributes.pop(NIL, "") in {"true", "1"}:
        return None
    if not (children or attributes):
        return told
    for name, each in attributes.items():
        plain = names[name]
        children[f"@{plain}" if plain in children else plain] = each or None
    if told is not None:
        children["#text" if TEXT in children else TEXT] = told
    return children


def add(children: dict[str, Any], name: str, value: Any) -> None:
    """Put one more element of a name that was there before with the others, in a list."""
    held = children[name]
    if isinstance(held, list):
        held.append(value)
    else:
        children[name] = [held, value]


class XmlRecords:
    """Reads the elements at a path below the root, while they arrive.

    Args:
        steps: The names on the path; none for the root.
        charset: What the operator says of the encoding, or the sender; None: as the document.

    Attributes:
        encoding: How the document is encoded, as far as is known.
        latest: Where the last element began and ended of those that ended in what was fed last,
            in bytes from the beginning of that; negative if there is none, or it began before.
        skipped: How many bytes of the document were not fed.
    """

    def __init__(self, steps: Sequence[str], charset: str | None) -> None:
        self.encoding = charset or "utf-8"
        self.latest, self.skipped = (-1, -1), 0
        self._parser = parser_of(charset)
        self._found: list[Any] = []
        self._fed, self._seen = 0, 0
        self._name = ".".join(steps)
        self._strangers: dict[str, None] = {}  # what stands where the path should go on
        self._span = [0, 0]  # where the tags of the last element begin, in bytes that were fed
        if charset is None:
            self._parser.XmlDeclHandler = self._declared
        handlers = builder(tuple(steps), self._found, self._strangers, self._parser, self._span)
        self._parser.StartElementHandler = handlers[0]
        self._parser.EndElementHandler = handlers[1]
        self._parser.CharacterDataHandler = handlers[2]

    def _declared(self, _version: str, encoding: str | None, _standalone: int) -> None:
        self.encoding = encoding or self.encoding

    def feed(self, data: bytes) -> list[Any]:
        """Return the elements that some more of a document ends.

        Raises:
            DocumentError: It is no XML.
        """
        # Some senders begin with an empty line.
        blanks = 0 if self._fed else len(data) - len(data.lstrip())
        self.skipped += blanks
        parse(self._parser, data[blanks:], last=False, skipped=self.skipped)
        begin = self._fed - blanks
        self._fed += len(data) - blanks
        found = self._found[:]
        self._found.clear()
        self._seen += len(found)
        self.latest = self._latest(data, begin) if found else (-1, -1)
        return found

    def _latest(self, data: bytes, begin: int) -> tuple[int, int]:
        first, last = (each - begin for each in self._span)
        if last < 0 or data[last : last + 2] == b"</":  # not where an empty element ends
            last = data.find(b">", max(0, last)) + 1
        return first, last

    def close(self) -> tuple[list[Any], Any]:
        """Return the elements that are left.

        Raises:
            DocumentError: The document broke off.
        """
        parse(self._parser, b"", last=True, skipped=self.skipped)
        self._seen += len(self._found)
        if not self._seen and self._strangers:
            raise DocumentError(f"elements {self._name}", got=", ".join(self._strangers)[:200])
        return self._found, None


# The children of an element by name, its attributes, and its text.
Element = tuple[dict[str, Any], dict[str, str], str]
Handlers = tuple[
    Callable[[str, dict[str, str]], None], Callable[[str], None], Callable[[str], None]
]


def builder(  # noqa: C901 -- short functions that share variables
    steps: tuple[str, ...],
    found: list[Any],
    strangers: dict[str, None],
    parser: expat.XMLParserType,
    span: list[int],
) -> Handlers:
    """Return what puts the elements at a path into a list: at each start, end, and text.

    Elements come by the hundred thousand in a second, so the state is in variables of this
    function.
    """
    names = Names()
    inside: list[Element] = []  # what was open when each element of a record began
    children: dict[str, Any] = {}  # of the element that is open, as are the next two
    given: dict[str, str] = {}
    said = ""
    depth = on_path = 0  # of what is open around a record, and of what lies on the path
    began = 0  # where the record did
    room = DEEPEST - len(steps)

    def begins(name: str) -> bool:
        nonlocal depth, on_path, began
        depth += 1
        if depth > DEEPEST:
            raise too_deep()
        if depth != on_path + 1:
            return False
        if depth > 1 and names[name] != steps[depth - 2]:
            strangers[names[name]] = None
            return False
        on_path = depth
        if depth <= len(steps):
            return False
        began = parser.CurrentByteIndex
        return True

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal children, given, said
        if inside or begins(name):
            if len(inside) >= room:
                raise too_deep()
            inside.append((children, given, said))
            children, given, said = {}, attributes, ""

    def end(name: str) -> None:
        nonlocal children, given, said, depth, on_path
        if not inside:
            depth -= 1
            on_path = min(on_path, depth)
            return
        told = said.strip() or None
        value = value_of(children, given, told, names) if children or given else told
        children, given, said = inside.pop()
        if not inside:
            depth -= 1
            on_path = depth
            found.append(value)
            span[:] = began, parser.CurrentByteIndex
        elif (plain := names[name]) in children:
            add(children, plain, value)
        else:
            children[plain] = value

    def text(data: str) -> None:
        nonlocal said
        if inside:
            said += data

    return start, end, text


def xml_in(data: bytes, *, charset: str | None = None, said: str | None = None) -> Any:
    """Return the root element of an XML document.

    Raises:
        DocumentError: It is none, or has definitions of its own, which might be bombs.
    """
    records = XmlRecords((), charset or said or misdeclared(data))
    if b"\0" not in data[:4]:  # as in UTF-16
        data = data.rstrip(b"\0")  # with which texts of C programs end
    root = [*records.feed(data), *records.close()[0]][0]
    return {} if root is None else root


def misdeclared(start: bytes) -> str | None:
    """Return the encoding of a document that says UTF-16 in letters that are not, or None.

    Programs write so that make a text first, and send it in another encoding.
    """
    return "utf-8" if MISDECLARED.match(start) else None


def parser_of(charset: str | None) -> expat.XMLParserType:
    """Return a parser that takes no definitions."""
    parser = expat.ParserCreate(charset, " ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = refuse
    return parser


def parse(parser: expat.XMLParserType, data: bytes, *, last: bool, skipped: int) -> None:
    """Parse some more of a document, of which so many bytes were skipped.

    Raises:
        DocumentError: It is none.
    """
    try:
        parser.Parse(data, last)
    except DocumentError:
        raise
    except expat.ExpatError as error:
        place = f"{expat.ErrorString(error.code)}: byte {parser.ErrorByteIndex + skipped}"
        raise DocumentError("XML", why=place if skipped else str(error)) from None
    except (LookupError, ValueError) as error:  # of encodings
        raise DocumentError("XML", why=str(error)) from None


def too_deep() -> DocumentError:
    """Return the error for elements in too many others."""
    return DocumentError(f"at most {DEEPEST} levels of XML", got="more")


def refuse(*_: Any) -> None:
    """Refuse what a document defines for itself."""
    raise DocumentError("XML without definitions of its own", got="a DOCTYPE")


def local(name: str) -> str:
    """Return a name without its namespace."""
    return name.rpartition(" ")[2]
