"""Labels of Prometheus as series: each set of labels is read once, and comes again and again."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ingestd.plugins._limits import is_name, is_tag, name_problem

from .message import size_of

NAME: Final = "__name__"
SERIES: Final = "series"  # the tag that is the daemon's own
OURS: Final = "exported_series"
MOST: Final = 20_000  # sets of labels that are remembered, of about one KiB each

Label = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Series:
    """Where samples belong.

    Attributes:
        name: The metric's name.
        tags: Its other labels.
        size_bytes: How much memory a sample of it takes until it is safe.
        problem: Why it cannot be stored, or nothing.
    """

    name: str
    tags: Mapping[str, str]
    size_bytes: int
    problem: str = ""


class KnownSeries:
    """The series that came, by their labels as they were sent."""

    def __init__(self) -> None:
        self._known: dict[Sequence[Any], Series] = {}

    def of(self, sent: Sequence[Any], labels: Callable[[Sequence[Any]], Iterable[Label]]) -> Series:
        """Return the series of a set of labels.

        Args:
            sent: The labels as they were sent, the same for the same series.
            labels: Reads them; raises ValueError.
        """
        known = self._known.get(sent)
        if known is None:
            if len(self._known) >= MOST:
                self._known.clear()
            known = self._known[sent] = series_of(sent, labels)
        return known


def series_of(sent: Sequence[Any], labels: Callable[[Sequence[Any]], Iterable[Label]]) -> Series:
    """Return the series of a set of labels, with what is wrong with it."""
    try:
        name, tags = apart(labels(sent))
    except ValueError as error:
        return Series("", {}, 0, str(error))
    problem = "" if is_name(name) else f"{NAME}: {name_problem(f'{name!r:.80}')}"
    return Series(name, tags, size_of((None, name, None, tags)), problem)


def apart(labels: Iterable[Label]) -> tuple[str, dict[str, str]]:
    """Return the name and the tags among some labels; what is empty is as good as not there.

    Raises:
        ValueError: One comes twice, or cannot be kept.
    """
    name, tags = "", {}
    for label, text in labels:
        tag = OURS if label == SERIES else label
        if label == NAME:
            name = text
        elif tag in tags:
            raise ValueError(f"expected each label once, got {label!r:.80} twice")
        elif text and not is_tag(tag, text):
            raise ValueError(
                f"expected printable labels of at most 1024 characters, got {label!r:.80} with "
                f"{text!r:.80}"
            )
        elif text:
            tags[tag] = text
    return name, tags
