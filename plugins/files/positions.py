"""How far files were read that grow, and which file is which after they were renamed."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO, Final

from .listing import Found, found_at
from .opening import GZIP, as_documents, opened, unzipped

PRINT: Final = 1024  # bytes at the beginning and before the position that tell one file from others


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
    """

    path: str
    inode: int
    place: int
    head: str
    tail: str
    look: str = ""
    gone: float | None = None

    @property
    def told(self) -> list[Any]:
        """It as state."""
        return [self.path, self.inode, self.place, self.head, self.tail, self.look, self.gone]


def positions_of(state: Any) -> list[Position]:
    """Return the positions in a state; what is none is left out, so that files are read again."""
    given = state if isinstance(state, list | tuple) else ()
    return [Position(*each) for each in given if is_told(each)]


def is_told(each: Any) -> bool:
    """Say whether a value is a position as it is told."""
    return isinstance(each, list | tuple) and len(each) == 7 and isinstance(each[2], int)


def prints(stream: BinaryIO, place: int) -> tuple[str, str]:
    """Return the hashes of how a file begins, and of what lies before a place in it.

    Raises:
        OSError: It cannot be read.
    """
    stream.seek(0)
    head = stream.read(min(PRINT, place))
    begin = max(0, place - PRINT)
    stream.seek(begin)
    return hashed(head), hashed(stream.read(place - begin))


def hashed(data: bytes) -> str:
    """Return a short hash."""
    return blake2b(data, digest_size=8).hexdigest()


def is_packed(file: BinaryIO) -> bool:
    """Say whether a file begins as gzip does."""
    file.seek(0)
    return file.read(len(GZIP)) == GZIP


def position_in(file: Found, path: str, place: int) -> Position:
    """Return the position at a place of a file; may block.

    Raises:
        OSError: It cannot be read.
    """
    with as_documents(), opened(file.path) as raw:
        packed = is_packed(raw)
        head, tail = prints(unzipped(raw) if packed else raw, place)
        size = os.fstat(raw.fileno()).st_size
    look = file.look.hex() if packed or place == size == file.size else ""
    return Position(path, file.inode, place, head, tail, look)


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


@dataclass(slots=True)
class Matching:
    """Finds the position of each file; may block.

    Attributes:
        left: Positions whose files were not found.
        pairs: Files and their positions; None: it is new.
    """

    left: list[Position]
    pairs: list[tuple[Found, Position | None]]

    @classmethod
    def of(cls, files: Sequence[Found], positions: Iterable[Position]) -> "Matching":
        """Match files with positions: by name and number, by number, by name, by content."""
        matching = cls(list(positions), [])
        rest = list(files)
        for same in (is_same, has_same_number, has_same_name):
            rest = [file for file in rest if not matching.take(file, same)]
        heads: dict[int, set[str]] = {}
        for each in matching.left:
            heads.setdefault(min(each.place, PRINT), set()).add(each.head)
        for file in rest:
            if not (heads and begins_like(file, heads) and matching.take(file, any_other)):
                matching.pairs.append((file, None))
        return matching

    def take(self, file: Found, same: Any) -> bool:
        """Note the position of a file, if one fits that is the same in some way."""
        for each in self.left:
            if same(file, each) and goes_on(file, each):
                self.left.remove(each)
                self.pairs.append((file, each))
                return True
        return False

    def look_beside(self) -> None:
        """Look for files that have gone, under other names in the same folder."""
        taken = {file.path for file, _ in self.pairs}
        for each in list(self.left):
            for file in beside(Path(each.path)):
                if file.path not in taken and self.take(file, lambda _, p, each=each: p is each):
                    taken.add(file.path)
                    break


def is_same(file: Found, position: Position) -> bool:
    """Say whether name and number are those of a position."""
    return has_same_number(file, position) and has_same_name(file, position)


def has_same_number(file: Found, position: Position) -> bool:
    """Say whether the number in the file system is that of a position."""
    return file.inode == position.inode


def has_same_name(file: Found, position: Position) -> bool:
    """Say whether the name is that of a position."""
    return str(file.path) == position.path


def any_other(_file: Found, _position: Position) -> bool:
    """Say that only the content matters."""
    return True


def begins_like(file: Found, heads: dict[int, set[str]]) -> bool:
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
