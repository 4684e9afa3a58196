"""The models of SunSpec: which values stand where, behind the start of each."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from .numbers import SUNSPEC, TYPES
from .registers import Register, shifted

FILE: Final = Path(__file__).parent / "sunspec.yaml"
POINT: Final = re.compile(r"(\w+) (\d+) (\w+)(?: @(\d+)| 10\^(-?\d+))?")
HEADER: Final = 2  # registers with the number and the length of a model


@dataclass(frozen=True, slots=True)
class Point:
    """A value of a model.

    Attributes:
        name: What SunSpec calls it.
        offset: Its first register, counted from the start of its model or group.
        type: One of ``numbers.TYPES``.
        scale: The offset of its scale factor from the start of the model, or None.
        power: A scale factor that never changes.
    """

    name: str
    offset: int
    type: str
    scale: int | None
    power: int

    def value(self, words: Sequence[int], start: int, before: Sequence[int]) -> float | None:
        """Return the value, or None if the device has none.

        Args:
            words: The whole model.
            start: Where the point's model or group begins in it.
            before: The same as it was read before, with the same scale factors.
        """
        at, type_ = start + self.offset, TYPES[self.type]
        if self.scale is not None and self.scale < at:
            words = before  # so that the factor was read before the value, and behind it
        raw = Register(
            where="", series="", tags={}, table="holding", address=at, type=self.type,
            nothing=frozenset(SUNSPEC.get(self.type, type_.nothing)),
        ).value(words[at : at + type_.count])  # fmt: skip
        power = self.power if self.scale is None else signed(words[self.scale])
        return None if raw is None else shifted(raw, power)


@dataclass(frozen=True, slots=True)
class Model:
    """A model.

    Attributes:
        name: What its values are called after.
        length: How many registers it has before its groups, with its header.
        points: Its values.
        group_length: How many registers each of its groups has; 0 if there are none.
        group_points: The values of each.
    """

    name: str
    length: int
    points: tuple[Point, ...]
    group_length: int
    group_points: tuple[Point, ...]

    def values(
        self, words: Sequence[int], before: Sequence[int]
    ) -> Iterator[tuple[str, float | None]]:
        """Yield the values of a model as it was read; a device may have less of it, or more.

        Args:
            words: The whole model.
            before: The same as it was read before, with the same scale factors; what was read in
                one request is of one moment, and can stand here, too.
        """
        for each in self.points:
            if each.offset + TYPES[each.type].count <= len(words):
                yield each.name, each.value(words, 0, before)
        if self.group_length:
            starts = range(self.length, len(words) - self.group_length + 1, self.group_length)
            for number, start in enumerate(starts, 1):
                for each in self.group_points:
                    yield f"{number}_{each.name}", each.value(words, start, before)

    def scales(self, words: Sequence[int]) -> list[int]:
        """Return the scale factors in a model as it was read."""
        wanted = {each.scale for each in (*self.points, *self.group_points)} - {None}
        return [words[each] for each in sorted(map(int, filter(None, wanted))) if each < len(words)]

    def cuts(self, size: int) -> list[int]:
        """Return where a model of so many registers may be parted: never within a value."""
        starts = {0, *(each.offset for each in self.points)}
        if self.group_length:
            for start in range(self.length, size, self.group_length):
                starts |= {start, *(start + each.offset for each in self.group_points)}
        return sorted(each for each in starts if each < size)


def signed(word: int) -> int:
    """Return a register as a number that may be negative."""
    return word - 0x1_0000 if word & 0x8000 else word


@cache
def models() -> Mapping[int, Model]:
    """Return all models that are known, by their numbers."""
    found = yaml.safe_load(FILE.read_text("utf-8"))
    return {
        int(number): model(each) for numbers, each in found.items() for number in numbers.split()
    }


def model(entry: Mapping[str, Any]) -> Model:
    """Read a model of the file."""
    group = entry.get("group", {})
    return Model(
        name=entry["name"],
        length=entry["length"],
        points=points(entry["points"]),
        group_length=group.get("length", 0),
        group_points=points(group.get("points", "")),
    )


def points(text: str) -> tuple[Point, ...]:
    """Read values of a model in the file: name, offset, type, and the scale factor."""
    return tuple(
        Point(name, int(offset), type_, int(at) if at else None, int(power or 0))
        for name, offset, type_, at, power in POINT.findall(text)
    )
