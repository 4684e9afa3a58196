"""What the shipped plugins share to tell all that is wrong with their options at once.

    with Gathering() as wrong:
        port = wrong.read(lambda: whole(given["port"], "port"))
        name = wrong.read(lambda: text_in(given, "name", where))
    return Address(name, port)

Imported by its full name, so that a copy of a plugin works in any folder.
"""

from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Self, TypeVar, cast

T = TypeVar("T")


class Problems(ValueError):
    """Several things are wrong; its text has all of them.

    Attributes:
        problems: Each for itself.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(dict.fromkeys(problems))
        super().__init__("; ".join(self.problems))


def problems_of(error: ValueError) -> Sequence[str]:
    """Return the problems that an error tells."""
    return error.problems if isinstance(error, Problems) else (str(error),)


class Gathering:
    """Gathers what is wrong within a block, and raises it at its end.

    What raises because something before it could not be read is not told.

    Attributes:
        problems: What is wrong so far.
    """

    def __init__(self) -> None:
        self.problems: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, ValueError):
            self.problems += problems_of(error)
        if self.problems and isinstance(error, Exception | None):
            raise Problems(self.problems) from None

    def read(self, read: Callable[[], T]) -> T:
        """Return what a function returns; what it refuses is noted, and None takes its place."""
        try:
            return read()
        except ValueError as error:
            self.problems += problems_of(error)
            return cast("T", None)
