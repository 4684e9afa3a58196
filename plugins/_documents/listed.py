"""Documents that are nothing but records."""

from collections.abc import Sequence
from typing import Any


class Listed(list[Any]):
    """A document that is nothing but records, one behind the other, as in CSV."""


class Headed(Listed):
    """A table without lines: it has nothing new, or is no table but a text that says so.

    Attributes:
        names: The names of its columns.
    """

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self.names = tuple(names)
