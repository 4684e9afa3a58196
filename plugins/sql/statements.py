"""The statements that are sent: what is read, from where on, and in which order."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ingestd.plugins._places import Place

from .dialects import MARK, Dialect

PLACE: Final = re.compile(r"\{(?P<name>since|until)(?::(?P<pattern>[^{}]*))?\}")


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement, or a part of one, with its arguments in their order."""

    text: str
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """What rows are read from.

    Attributes:
        table: The parts of its name; empty for a query.
        query: A statement; empty for a table.
    """

    table: tuple[str, ...]
    query: str

    def __str__(self) -> str:
        """Return what people call it."""
        return f"table {'.'.join(self.table)}" if self.table else "query"

    @property
    def places(self) -> list[Place]:
        """Where ends stand in the query."""
        return [Place(found["name"], found["pattern"]) for found in PLACE.finditer(self.query)]

    def part(self, dialect: Dialect, write: Callable[[Place], Any]) -> Statement:
        """Return what stands behind FROM.

        Args:
            dialect: Of the database.
            write: Returns the argument for a place.
        """
        if self.table:
            return Statement(".".join(map(dialect.quoted, self.table)))
        # The query may end in a comment.
        text = f"({PLACE.sub(MARK, self.query)}\n) {dialect.quoted('q')}"
        return Statement(text, tuple(write(place) for place in self.places))


def source_of(table: Any, query: Any) -> Source:
    """Read the options that say what rows are read from.

    Raises:
        ValueError: Says what is wrong with them.
    """
    if (table is None) == (query is None):
        raise ValueError("table, query: expected one of them")
    if query is not None:
        text = query.strip().rstrip(";").rstrip() if isinstance(query, str) else ""
        if not re.match(r"(select|with)\b", text, re.IGNORECASE):
            raise ValueError(
                f"query: expected a statement that begins with SELECT, got {text!r:.40}"
            )
        return Source((), text)
    parts = table if isinstance(table, list | tuple) else str(table).split(".")
    if not parts or not all(isinstance(part, str) and part for part in parts):
        raise ValueError(
            f"table: expected a name such as trends or public.trends, got {table!r:.80}"
        )
    return Source(tuple(parts), "")


@dataclass(frozen=True, slots=True)
class Select:
    """Makes the statements for one run.

    Attributes:
        dialect: Of the database.
        source: What stands behind FROM.
        time: The column of the time.
        id: That of the id, or None.
    """

    dialect: Dialect
    source: Statement
    time: str
    id: str | None

    def names(self) -> Statement:
        """Return a statement that has no rows, but columns."""
        return self._with("SELECT *", [Statement("1 = 0")])

    def example(self, *, latest: bool) -> Statement:
        """Return a statement for one time.

        Args:
            latest: Whether it must be the latest one, where any could be of another kind.
        """
        time = self.dialect.quoted(self.time)
        order = f" ORDER BY {time} DESC" if latest else ""
        rest = f"FROM {self.source.text} WHERE {time} IS NOT NULL{order}"
        return Statement(self.dialect.first(time, rest), self.source.arguments)

    def rows(
        self,
        columns: Sequence[str] | None,
        conditions: Sequence[Statement],
        *,
        few: bool = False,
    ) -> Statement:
        """Return a statement for rows in the order in which they are read.

        Args:
            columns: Those that are needed; None: all.
            conditions: All of which they fulfil.
            few: Whether they are most likely few, and found by several indexes.
        """
        what = "*" if columns is None else ", ".join(map(self.dialect.quoted, columns))
        order = self.dialect.sorted_by(self.dialect.quoted(self.id or self.time), few=few)
        return self._with(f"SELECT {what}", conditions, f" ORDER BY {order}")

    def at_or_after(self, time: Any) -> Statement:
        """Return a condition for times."""
        return Statement(f"{self.dialect.quoted(self.time)} >= {MARK}", (time,))

    def before(self, time: Any) -> Statement:
        """Return a condition for times."""
        return Statement(f"{self.dialect.quoted(self.time)} < {MARK}", (time,))

    def behind(self, row_id: Any) -> Statement:
        """Return a condition for ids."""
        return Statement(f"{self.dialect.quoted(self.id or '')} > {MARK}", (row_id,))

    def from_on(self, latest: Any) -> Statement:
        """Return a condition for what comes behind a row, or is no earlier than it.

        Args:
            latest: Its id, or its time if rows have none.
        """
        return self.at_or_after(latest) if self.id is None else self.behind(latest)

    def _with(self, what: str, conditions: Sequence[Statement], order: str = "") -> Statement:
        parts = [self.source, *conditions]
        where = " AND ".join(each.text for each in conditions)
        text = f"{what} FROM {self.source.text}{' WHERE ' if where else ''}{where}{order}"
        return Statement(text, tuple(arguments_of(parts)))


def either(one: Statement, other: Statement) -> Statement:
    """Return a condition that is fulfilled if one of two is."""
    return Statement(f"({one.text} OR {other.text})", one.arguments + other.arguments)


def arguments_of(parts: Sequence[Statement]) -> Iterator[Any]:
    """Yield the arguments of some parts in their order."""
    for part in parts:
        yield from part.arguments
