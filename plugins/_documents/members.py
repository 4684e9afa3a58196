"""Which files of a zip are documents: some hold a text to read, or what a system has left there."""

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any, Final

from .errors import DocumentError

MOST_SHOWN: Final = 200  # characters of the names of files


def pattern_of(member: Any) -> str | None:
    """Read the option ``member``.

    Raises:
        ValueError: It is no pattern.
    """
    if member is None or (isinstance(member, str) and member):
        return member
    raise ValueError(f"member: expected a pattern of names such as data_*.csv, got {member!r:.80}")


def chosen(
    names: Sequence[str], *, pattern: str | None, says: Callable[[str], bool]
) -> Sequence[str]:
    """Return the files that are documents, in their order.

    Args:
        names: All files, with the folders in which they are.
        pattern: What the names of those have that are wanted, with or without folders; None:
            that is to be found out.
        says: Says whether the name of a file says that it is a document of the wanted format.

    Raises:
        DocumentError: None is, or that cannot be told.
    """
    files = [each for each in names if not is_left_over(each)]
    if pattern is not None:
        found = [each for each in files if fits(each, pattern)]
        if files and not found:
            raise DocumentError(f"a file {pattern} in the zip (member)", got=shown(files))
        return found
    found = [each for each in files if says(each)]
    if found or len({PurePosixPath(each).suffix.lower() for each in files}) <= 1:
        return found or files
    raise DocumentError("files of one kind in the zip, or `member`", got=shown(files))


def is_left_over(name: str) -> bool:
    """Say whether a file is hidden, or of the folder that macOS puts into its archives."""
    return any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts)


def fits(name: str, pattern: str) -> bool:
    """Say whether a pattern fits the name of a file, with or without the folders."""
    return fnmatchcase(name, pattern) or fnmatchcase(PurePosixPath(name).name, pattern)


def shown(names: Sequence[str]) -> str:
    """Return names for people."""
    text = ", ".join(names)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"
