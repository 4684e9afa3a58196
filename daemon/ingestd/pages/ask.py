"""The page that asks before something is done, with the form that does it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import htpy as h

from ingestd.pages.frame import Page
from ingestd.pages.parts import acting
from ingestd.pages.words import Viewing

Told = Mapping[str, Any]
WIDTH: Final = "24"  # characters of what is to be written


def page(told: Told, viewing: Viewing) -> Page:
    """Ask.

    Args:
        told: ``title`` and ``says``, what will happen; ``path``, where the form goes; ``keeps``,
            what it carries unseen; ``texts`` and ``ticks``, what it lets people say; ``button``
            and ``back``.
        viewing: With the CSRF token of the form.
    """
    form = acting(
        told["path"],
        viewing,
        [
            (h.input(type="hidden", name=name, value=value) for name, value in _pairs(told)),
            _texts(told["texts"]),
            _ticks(told["ticks"]),
            h.p[h.button(class_="act")[told["button"]], " ", h.a(href=told["back"])["No, go back"]],
        ],
    )
    return Page(told["title"], [(h.p[each] for each in told["says"]), form])


def _pairs(told: Told) -> Sequence[tuple[str, str]]:
    return list(told["keeps"].items())


def _texts(told: Sequence[Sequence[Any]]) -> Iterator[h.Node]:
    for name, label, value in told:
        box = h.input(id=name, name=name, value=value, size=WIDTH, autocomplete="off")
        yield h.p[h.label(for_=name)[label], " ", box]


def _ticks(told: Sequence[Sequence[Any]]) -> Iterator[h.Node]:
    for name, label, ticked in told:
        box = h.input(id=name, name=name, type="checkbox", value="true", checked=ticked)
        yield h.p[box, " ", h.label(for_=name)[label]]
