"""Headers in the midst of a CSV, below which its columns may be others.

A logger that begins anew, perhaps with another program, adds its header to the file that is there.
"""

from collections.abc import Sequence
from itertools import chain, count
from typing import Final

NO_WORDS: Final = tuple("0123456789+-.,")
# A line that has none of the names known before is a header only if it has so many words.
UNKNOWN: Final = 3
# A line that has so many of them is one, whatever stands beside them.
CERTAIN: Final = 2


class LaterHeaders:
    """Tells headers from records.

    Args:
        names: Of the columns above.
        time: The name of the column that has the time of each record; None: it is not one column.
        known: Names that a header has besides.
    """

    def __init__(self, names: Sequence[str], time: str | None, known: Sequence[str]) -> None:
        wanted = [*names, *known, *([] if time is None else [time])]
        self._names = frozenset(name for name in wanted if name and is_word(name))
        self._dated = time is not None
        self._first = names.index(time) if time in names else 0

    def is_one(self, row: Sequence[str]) -> bool:
        """Say whether a line is a header."""
        known = len(self._names.intersection(row))
        if known >= CERTAIN:
            return True
        words = all(map(is_word, row))
        if known:
            return words
        # No record has a word for its time, but a note has one anywhere.
        return words and self._dated and len(row) >= UNKNOWN and all(row)

    def are_among(self, columns: Sequence[Sequence[str]]) -> bool:
        """Say whether a line of some columns is a header."""
        first = columns[self._first]
        if min(first) >= "0" and max(first) < ":":
            return False  # all begin with digits, as nearly always
        return any(
            is_word(field) and self.is_one([column[at] for column in columns])
            for at, field in enumerate(first)
        )


def is_word(text: str) -> bool:
    """Say whether a text can be the name of a column, but no time and no number."""
    return not text.startswith(NO_WORDS)


def names_in(row: Sequence[str]) -> list[str]:
    """Return the names in a header; one that was there before has its number, as in ``kWh.1``."""
    names: list[str] = []
    for name in row:
        tried = chain([name], (f"{name}.{number}" for number in count(1)))
        taken = {*names, *row} - ({name} if name not in names else set())
        names.append(next(each for each in tried if each not in taken))
    return names
