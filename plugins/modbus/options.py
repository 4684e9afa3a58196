"""What the operator wrote, as it is looked up: with its path, and what holds around it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import isfinite
from typing import Any, TypeVar

from ingestd.plugins._problems import Gathering

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Options:
    """The options in one place, and those around it, which hold where it says nothing else.

    Attributes:
        where: The path of the place; empty for the params themselves.
        given: What stands there.
        outer: The options around them.
    """

    where: str
    given: Mapping[str, Any]
    outer: "Options | None" = None

    def has(self, name: str) -> bool:
        """Say whether an option stands in this very place."""
        return self.given.get(name) is not None

    def path(self, name: str) -> str:
        """Return the path of an option in this place."""
        return f"{self.where}.{name}" if self.where else name

    def find(self, name: str) -> tuple[Any, str]:
        """Return an option from here, or from around, with its path; None if it is nowhere."""
        place: Options | None = self
        while place is not None:
            if place.has(name):
                return place.given[name], place.path(name)
            place = place.outer
        return None, self.path(name)

    def within(self, name: str, border: str) -> tuple[Any, str]:
        """Return an option as ``find`` does, but not from around the place where another stands."""
        place: Options | None = self
        while place is not None:
            if place.has(name):
                return place.given[name], place.path(name)
            place = None if place.has(border) else place.outer
        return None, self.path(name)

    def above(self, where: str, given: Mapping[str, Any]) -> "Options":
        """Return these options with others directly around them."""
        return Options(self.where, self.given, Options(where, given, self.outer))

    def truth(self, name: str) -> bool:
        """Return true or false.

        Raises:
            ValueError: It is something else.
        """
        value, where = self.find(name)
        if not isinstance(value, bool):
            raise ValueError(  # noqa: TRY004 -- what an operator wrote is a value, not a type
                f"{where}: expected true or false, got {value!r}"
            )
        return value

    def whole(self, name: str, *, least: int, most: int, default: int | None = None) -> int:
        """Return a whole number.

        Raises:
            ValueError: It is none, or out of bounds.
        """
        value, where = self.find(name)
        if value is None and default is not None:
            return default
        if type(value) is not int or not least <= value <= most:
            raise ValueError(
                f"{where}: expected a whole number from {least} to {most}, got {value!r}"
            )
        return value

    def number(self, name: str, *, default: float) -> float:
        """Return a number that stands in this place, as it is written.

        Raises:
            ValueError: It is none, or not finite.
        """
        value = self.given.get(name, default)
        if type(value) not in {int, float} or not isfinite(value):
            raise ValueError(f"{self.path(name)}: expected a number, got {value!r}")
        found: float = value
        return found

    def choice(self, name: str, known: Collection[str], *, default: str = "") -> str:
        """Return one of the known words.

        Raises:
            ValueError: It is none of them.
        """
        value, where = self.find(name)
        if value is None and default:
            return default
        if not isinstance(value, str) or value not in known:
            raise ValueError(f"{where}: expected {' or '.join(known)}, got {value!r}")
        return value

    def text(self, name: str) -> str:
        """Return a text.

        Raises:
            ValueError: It is none, or empty.
        """
        value, where = self.find(name)
        if not isinstance(value, str) or not value.strip():
            raise ValueError(f"{where}: expected a text, got {value!r}")
        return value

    def tags(self) -> dict[str, str]:
        """Return the tags that stand in this place.

        Raises:
            ValueError: They are no names with texts.
        """
        tags = self.given.get("tags") or {}
        if not isinstance(tags, Mapping) or not all(map(is_plain, (*tags, *tags.values()))):
            raise ValueError(f"{self.path('tags')}: expected names with texts, got {tags!r}")
        return {str(name): str(value) for name, value in tags.items()}

    def inner(
        self, entry: Any, where: str, *, known: Collection[str], wrong: Gathering
    ) -> "Options":
        """Return the options of an entry below this place.

        Args:
            entry: What stands there.
            where: The path of the place.
            known: The names of the options that there are.
            wrong: Takes note of others.

        Raises:
            ValueError: It is no dict.
        """
        if not isinstance(entry, Mapping):
            raise ValueError(  # noqa: TRY004 -- what an operator wrote is a value, not a type
                f"{where}: expected options such as {example(known)}, got {entry!r}"
            )
        wrong.problems += [
            f"{where}.{name}: unknown option; known here: {', '.join(sorted(known))}"
            for name in entry
            if name not in known
        ]
        return Options(where, entry, self)

    def each_of(
        self, listed: Sequence[Any], where: str, read: Callable[["Options"], T], *,
        known: Collection[str],
    ) -> list[T]:  # fmt: skip
        """Return what is read of each entry of a list below this place.

        Raises:
            ValueError: Says all that is wrong with any of them.
        """
        found = []
        with Gathering() as wrong:
            for number, entry in enumerate(listed):
                inner = partial(self.inner, entry, f"{where}[{number}]", known=known, wrong=wrong)
                if options := wrong.read(inner):
                    found.append(wrong.read(partial(read, options)))
        return found


def entries(value: Any, where: str, *, of: str) -> list[Any]:
    """Return a list that has something in it.

    Raises:
        ValueError: It is none, or empty.
    """
    if not isinstance(value, list | tuple) or not value:
        raise ValueError(f"{where}: expected a list of {of}, got {value!r}")
    return list(value)


def is_plain(value: Any) -> bool:
    """Say whether a value can be (part of) a tag."""
    return isinstance(value, str | int | float) and str(value) != ""


def example(known: Collection[str]) -> str:
    """Return the names of a few options, to show what an entry looks like."""
    return ", ".join(f"{name}: …" for name in list(known)[:2])
