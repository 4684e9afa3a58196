"""Records of the same fields, kept as columns.

Objects made one by one cost more than all that is read from them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, repeat
from typing import Any, overload


class Table(Sequence[dict[str, Any]]):
    """Records that have the same fields; each is made when somebody asks for it.

    Args:
        columns: What all records have in each field, by its name; there is at least one.
    """

    __slots__ = ("columns",)

    def __init__(self, columns: Mapping[str, Sequence[Any]]) -> None:
        self.columns = columns

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        rows = zip(*self.columns.values(), strict=True)
        return map(dict, map(zip, repeat(tuple(self.columns)), rows))

    @overload
    def __getitem__(self, at: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, at: slice) -> "Table": ...
    def __getitem__(self, at: int | slice) -> "dict[str, Any] | Table":
        found = {name: column[at] for name, column in self.columns.items()}
        return found if isinstance(at, int) else Table(found)


def nulled(column: Sequence[str]) -> Sequence[str | None]:
    """Return a column whose empty fields are null."""
    return [text or None for text in column] if "" in column else column


def joined(parts: Sequence[Sequence[Any]]) -> Sequence[Any]:
    """Return the records of some parts, as one table if all are tables of the same fields."""
    if len(parts) == 1:
        return parts[0]
    tables = [part for part in parts if isinstance(part, Table)]
    names = {tuple(table.columns) for table in tables}
    if len(names) == 1 and len(tables) == len(parts):
        return Table({name: flat(table.columns[name] for table in tables) for name in names.pop()})
    return flat(parts)


def flat(parts: Iterable[Sequence[Any]]) -> list[Any]:
    """Return what is in some sequences, one behind the other."""
    return list(chain.from_iterable(parts))
