"""What is known of common devices: a file for each in the folder ``profiles``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, Final, Self

import yaml

from .options import Options

FOLDER: Final = Path(__file__).parent / "profiles"


@dataclass(frozen=True, slots=True)
class Choice:
    """Which points are wanted, by their names; ``*`` stands for any part of one.

    Attributes:
        only: Those that are; empty for all.
        besides: Those that are not.
    """

    only: tuple[str, ...] = ()
    besides: tuple[str, ...] = ()

    @classmethod
    def of(cls, options: Options) -> Self:
        """Read ``only`` and ``exclude``.

        Raises:
            ValueError: They are no names.
        """
        return cls(names(options, "only"), names(options, "exclude"))

    def takes(self, name: str) -> bool:
        """Say whether a point is wanted."""
        wanted = not self.only or any(fnmatchcase(name, each) for each in self.only)
        return wanted and not any(fnmatchcase(name, each) for each in self.besides)


@dataclass(frozen=True, slots=True)
class Profile:
    """A device as its maker describes it.

    Attributes:
        where: What it is called in paths of options.
        defaults: Options of the device.
        shared: Options of its registers.
        registers: An address, or options, for each name of a point.
    """

    where: str
    defaults: Mapping[str, Any]
    shared: Mapping[str, Any]
    registers: Mapping[str, Any]

    def entries(self, options: Options, choice: Choice, *, named: bool) -> list[Options]:
        """Return the options of each register that is wanted.

        Args:
            options: Of the device.
            choice: Which are wanted.
            named: Whether the device has a name, which goes before those of its points.

        Raises:
            ValueError: Something is wanted that there is not.
        """
        if not self.registers:
            return []
        for each in (*choice.only, *choice.besides):
            if not any(fnmatchcase(name, each) for name in self.registers):
                raise ValueError(
                    f"{options.path('only')}: expected names of {self.where}, such as "
                    f"{', '.join(list(self.registers)[:3])}, got {each!r}"
                )
        around = Options(self.where, {**self.defaults, **self.shared}, options)
        prefix = "{device}_" if named else ""
        return [
            Options(f"{self.where}.{name}", {**entry_of(entry), "series": prefix + name}, around)
            for name, entry in self.registers.items()
            if choice.takes(name)
        ]


def entry_of(entry: Any) -> Mapping[str, Any]:
    """Return the options of a register, of which many have nothing but an address."""
    return entry if isinstance(entry, Mapping) else {"address": entry}


def profile_of(options: Options) -> Profile | None:
    """Read ``profile``.

    Raises:
        ValueError: There is none of that name.
    """
    name, where = options.find("profile")
    if name is None:
        return None
    if name not in known():
        raise ValueError(f"{where}: expected {', '.join(known())}, got {name!r}")
    return load(name)


@cache
def known() -> Sequence[str]:
    """Return the names of all profiles."""
    return sorted(each.stem for each in FOLDER.glob("*.yaml"))


@cache
def load(name: str) -> Profile:
    """Read the file of a profile."""
    found = yaml.safe_load((FOLDER / f"{name}.yaml").read_text("utf-8"))
    return Profile(
        f"profile {name}",
        found.get("device", {}),
        found.get("shared", {}),
        found.get("registers", {}),
    )


def names(options: Options, name: str) -> tuple[str, ...]:
    """Return one name of a point, or several.

    Raises:
        ValueError: There is something else.
    """
    value, where = options.find(name)
    listed = value if isinstance(value, list | tuple) else [] if value is None else [value]
    for each in listed:
        if not isinstance(each, str) or not each:
            raise ValueError(f"{where}: expected names of points, got {each!r:.80}")
    return tuple(listed)
