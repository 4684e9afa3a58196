"""What becomes of a file whose readings are safe."""

import errno
import os
import shutil
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any, Final

from .listing import Found, again

KEEP: Final = "keep"
DELETE: Final = "delete"
MOVE: Final = "move"
CHOICES: Final = (KEEP, DELETE, MOVE)
AGAIN: Final = "again-"  # begins the folders of files whose names were there already

Ending = Callable[[Found], None]


def ending_of(after: Any, move_to: Any) -> Ending | None:
    """Read the options ``after`` and ``move_to``; None: files stay where they are.

    Raises:
        ValueError: Says what is wrong with them.
    """
    if after not in CHOICES:
        raise ValueError(f"after: expected {' or '.join(CHOICES)}, got {after!r:.80}")
    if (after == MOVE) != (move_to is not None):
        raise ValueError("move_to: expected a folder beside `after: move`, and only there")
    if after == DELETE:
        return delete
    if after == KEEP:
        return None
    if not isinstance(move_to, str) or not move_to.startswith("/"):
        raise ValueError(f"move_to: expected a path such as /data/read, got {move_to!r:.200}")
    return lambda file: move(file, Path(move_to))


def delete(file: Found) -> None:
    """Delete a file, if it is still the one that was read; may block.

    Raises:
        OSError: It cannot be.
    """
    if again(file).look == file.look:
        file.path.unlink()


def move(file: Found, folder: Path) -> None:
    """Move a file below a folder, as deep as it was, and over no other; may block.

    Raises:
        OSError: It cannot be.
    """
    if again(file).look != file.look:
        return
    target = free(file.below, folder)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        file.path.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        move_across(file.path, target)


def move_across(path: Path, target: Path) -> None:
    """Move a file to another disk; at any instant one of the two is whole.

    Raises:
        OSError: It cannot be.
    """
    beside = target.with_name(f".{target.name}.part")
    shutil.copy2(path, beside)
    with beside.open("rb") as copy:
        os.fsync(copy.fileno())
    beside.rename(target)
    path.unlink()


def free(below: Path, folder: Path) -> Path:
    """Return where a file can be put."""
    if not (folder / below).exists():
        return folder / below
    return next(
        each for number in count(2) if not (each := folder / f"{AGAIN}{number}" / below).exists()
    )


def folders_in(folder: Path) -> Sequence[Path]:
    """Return the folders to which files were moved; may block."""
    try:
        return [folder, *sorted(folder.glob(f"{AGAIN}*"))]
    except OSError:
        return [folder]
