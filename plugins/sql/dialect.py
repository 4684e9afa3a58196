"""What is asked of every kind of database."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from typing import Any, ClassVar

from .address import Address

# Stands for an argument while a statement is made.
MARK = "\0"


class Dialect(ABC):
    """How one kind of database is reached, and what its statements look like.

    Attributes:
        driver: The module that speaks with it.
        extra: What to install for that, as ``ingestd[extra]``.
        quotes: What stands before and behind a name.
        mark: What stands for an argument.
        mixes: Whether a column may have values of several kinds.
    """

    driver: ClassVar[str]
    extra: ClassVar[str] = ""
    quotes: ClassVar[tuple[str, str]] = ('"', '"')
    mark: ClassVar[str] = "%s"
    mixes: ClassVar[bool] = False

    def require(self) -> None:
        """Check that the driver is there.

        Raises:
            ImportError: It is not; the message says how to get it.
        """
        if find_spec(self.driver) is None:
            raise ImportError(
                f"{self.driver} is not installed: pip install 'ingestd[{self.extra}]'"
            )

    def quoted(self, name: str) -> str:
        """Return a name as it stands in a statement."""
        begin, end = self.quotes
        return f"{begin}{name.replace(end, end * 2)}{end}"

    def finished(self, text: str) -> str:
        """Return a statement as the driver takes it."""
        return text.replace("%", "%%").replace(MARK, self.mark)

    def sorted_by(self, name: str, *, few: bool) -> str:
        """Return what rows are sorted by.

        Args:
            name: The column, as it stands in a statement.
            few: Whether the rows are most likely few, and found by several indexes.
        """
        del few
        return name

    def first(self, columns: str, rest: str) -> str:
        """Return a statement for one row."""
        return f"SELECT {columns} {rest} LIMIT 1"

    @property
    @abstractmethod
    def errors(self) -> tuple[type[Exception], ...]:
        """What the driver raises."""

    @abstractmethod
    def connect(self, address: Address, patience: float) -> Any:
        """Return a connection that only reads.

        Args:
            address: Of the database.
            patience: How long a statement may take, in seconds.
        """

    def cursor(self, connection: Any) -> Any:
        """Return a cursor that gets rows as they are fetched."""
        return connection.cursor()

    def execute(self, cursor: Any, text: str, arguments: list[Any]) -> None:
        """Execute a statement."""
        cursor.execute(text, tuple(arguments))

    def before_fetch(self, connection: Any, patience: float) -> None:  # noqa: B027
        """Have the next rows come within that time; most servers see to that themselves."""

    def interrupt(self, connection: Any) -> None:  # noqa: B027
        """Have what is going on in another thread end soon, if there is a way."""

    def close(self, connection: Any, cursor: Any) -> None:
        """Close a connection, and a cursor that may have more rows, or None.

        What is broken is closed as well, without a word.
        """
        with suppress(*self.errors):
            connection.close()
        if cursor is not None:
            # Behind its connection, of which it asks nothing any more.
            with suppress(*self.errors):
                cursor.close()

    def told(self, error: Exception) -> str:
        """Return what an error says, in one line."""
        return " ".join(str(error).split()) or type(error).__name__


def known(options: Mapping[str, Any], **ours: Any) -> dict[str, Any]:
    """Return what a driver is given: ours, but for what was not said, and what was written."""
    return {name: each for name, each in ours.items() if each is not None} | dict(options)
