"""How far files were read that grow, and which file is which after they were renamed."""

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Final

from ingestd.plugins._documents import Columns

from .listing import Found, found_at
from .opening import GZIP, as_documents, opened, unzipped
from .prints import PRINT, Prints, hashed

TOLD: Final = 7  # values of a position as it is told, without columns


@dataclass(frozen=True, slots=True)
class Position:
    """How far a file was read.

    Attributes:
        path: What it was called when it was found; series may be named after that.
        inode: Its number in its file system.
        place: In bytes, unpacked.
        head: Hash of how it begins, up to there.
        tail: Hash of what lies before the position.
        look: How it looked when it was read to its end, or an empty text.
        gone: Since when it is not where it was, in Unix seconds; None: it is.
        columns: What a header in the midst of it has said, if there was one.
    """

    path: str
    inode: int
    place: int
    head: str
    tail: str
    look: str = ""
    gone: float | None = None
    columns: Columns | None = None

    @property
    def told(self) -> list[Any]:
        """It as state."""
        told = [self.path, self.inode, self.place, self.head, self.tail, self.look, self.gone]
        return told if self.columns is None else [*told, told_columns(self.columns)]


def positions_of(state: Any) -> list[Position]:
    """Return the positions in a state; what is none is left out, so that files are read again."""
    given = state if isinstance(state, list | tuple) else ()
    return [position_of(each) for each in given if is_told(each)]


def position_of(told: Sequence[Any]) -> Position:
    """Return a position as it is told."""
    fields = [*told[:TOLD], columns_of(told[TOLD:])]
    return Position(*fields)


def is_told(each: Any) -> bool:
    """Say whether a value is a position as it is told."""
    known = isinstance(each, list | tuple) and len(each) in (TOLD, TOLD + 1)
    return known and isinstance(each[2], int)


def told_columns(columns: Columns) -> list[Any]:
    """Return what a header has said as state."""
    names, below = columns
    return [list(names), below]


def columns_of(told: Sequence[Any]) -> Columns | None:
    """Return what a header has said, as it is at the end of a state, or None."""
    try:
        ((names, below),) = told
        return tuple(map(str, names)), int(below)
    except (TypeError, ValueError):
        return None


def prints(stream: BinaryIO, place: int) -> Prints:
    """Return the hashes of how a file begins, and of what lies before a place in it.

    Raises:
        OSError: It cannot be read.
    """
    stream.seek(0)
    head = stream.read(min(PRINT, place))
    begin = max(0, place - PRINT)
    stream.seek(begin)
    return hashed(head), hashed(stream.read(place - begin))


def is_packed(file: BinaryIO) -> bool:
    """Say whether a file begins as gzip does."""
    file.seek(0)
    return file.read(len(GZIP)) == GZIP


def goes_on(file: Found, position: Position) -> bool:
    """Say whether a file begins with all that was read up to a position; may block."""
    if position.look and position.look == file.look.hex() and position.path == str(file.path):
        return True
    try:
        with as_documents(), opened(file.path) as raw:
            packed = is_packed(raw)
            if not packed and file.size < position.place:
                return False
            found = prints(unzipped(raw) if packed else raw, position.place)
    except (OSError, ValueError):
        return False
    return found == (position.head, position.tail)


class Matching:
    """Finds the position of each file; may block.

    Args:
        positions: All that are known.

    Attributes:
        pairs: Files and their positions; None: it is new.
    """

    def __init__(self, positions: Iterable[Position]) -> None:
        self.pairs: list[tuple[Found, Position | None]] = []
        self._left = {id(each): each for each in positions}

    @property
    def left(self) -> list[Position]:
        """The positions whose files were not found."""
        return list(self._left.values())

    def match(self, files: Sequence[Found]) -> None:
        """Match files with positions: by number and name, by number, by name, by content."""
        numbers: dict[int, list[Position]] = defaultdict(list)
        names: dict[str, list[Position]] = defaultdict(list)
        for each in self.left:
            numbers[each.inode].append(each)
            names[each.path].append(each)
        rest = list(files)
        ways: Sequence[Callable[[Found], Iterable[Position]]] = (
            lambda file: [each for each in numbers[file.inode] if each.path == str(file.path)],
            lambda file: numbers[file.inode],
            lambda file: names[str(file.path)],
        )
        for candidates in ways:
            rest = [file for file in rest if not self._take(file, candidates(file))]
        heads: dict[int, set[str]] = defaultdict(set)
        for each in self.left:
            heads[min(each.place, PRINT)].add(each.head)
        for file in rest:
            if not (heads and begins_like(file, heads) and self._take(file, self.left)):
                self.pairs.append((file, None))

    def _take(self, file: Found, candidates: Iterable[Position]) -> bool:
        """Note the position of a file, if it goes on behind one of some."""
        for each in candidates:
            if id(each) in self._left and goes_on(file, each):
                del self._left[id(each)]
                self.pairs.append((file, each))
                return True
        return False

    def look_beside(self) -> None:
        """Look for files that have gone, under other names in the same folder."""
        taken = {file.path for file, _ in self.pairs}
        for each in self.left:
            for file in beside(Path(each.path)):
                if file.path not in taken and self._take(file, [each]):
                    taken.add(file.path)
                    break


def begins_like(file: Found, heads: Mapping[int, set[str]]) -> bool:
    """Say whether a file begins like one of some positions; may block."""
    try:
        with as_documents(), opened(file.path) as raw:
            head = (unzipped(raw) if is_packed(raw) else rewound(raw)).read(PRINT)
    except (OSError, ValueError):
        return False
    return any(hashed(head[:size]) in found for size, found in heads.items())


def rewound(stream: BinaryIO) -> BinaryIO:
    """Return a file at its beginning."""
    stream.seek(0)
    return stream


def beside(path: Path) -> Iterator[Found]:
    """Yield the files in the folder of another whose names begin like its own; may block."""
    try:
        with os.scandir(path.parent) as entries:
            near = [each for each in entries if each.name.startswith(path.name.split(".")[0])]
        for each in sorted(near, key=lambda each: each.name):
            if each.is_file():
                yield found_at(Path(each.path), Path(each.name), {}, each.stat())
    except OSError:
        return


def gone_since(position: Position, now: float) -> Position:
    """Return the position of a file that is not where it was."""
    return position if position.gone is not None else replace(position, gone=now)
