"""Reads HTML as a browser would: which elements there are, and what a person reads."""

from collections.abc import Sequence
from html.parser import HTMLParser

# Elements that have no end.
VOID = frozenset({"meta", "link", "input", "br", "hr", "img", "wbr"})


class ReadHtml(HTMLParser):
    """A document.

    Attributes:
        elements: Each element with the names of its attributes, in order.
        attributes: Every value of an attribute.
        inputs: Every ``input`` as the names and the values of its attributes.
        texts: Every text between tags.
        unclosed: The elements that were begun and not ended, or ended and not begun.
    """

    def __init__(self, document: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.inputs: list[dict[str, str]] = []
        self.texts: list[str] = []
        self.unclosed: list[str] = []
        self.feed(document)
        self.close()

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.elements.append((tag, tuple(name for name, _ in attrs)))
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag == "input":
            self.inputs.append({name: value or "" for name, value in attrs})
        if tag not in VOID:
            self.unclosed.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Note the end of an element."""
        if self.unclosed[-1:] == [tag]:
            self.unclosed.pop()
        else:
            self.unclosed.append(f"/{tag}")

    def handle_data(self, data: str) -> None:
        """Note a text."""
        self.texts.append(data)

    @property
    def text(self) -> str:
        """What a person reads."""
        return " ".join(" ".join(self.texts).split())

    @property
    def links(self) -> list[str]:
        """Where links lead."""
        return [value for tag, name, value in self.attributes if (tag, name) == ("a", "href")]
