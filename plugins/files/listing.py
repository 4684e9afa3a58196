"""Which files there are."""

import os
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from hashlib import blake2b
from pathlib import Path
from typing import Final

from .patterns import Pattern, fits_before

# How the names of files end, or begin, that another program is still writing, or has left there.
IGNORED: Final = (
    *("*.tmp", "*.temp", "*.part", "*.partial", "*.filepart", "*.crdownload", "*.download"),
    *("*.swp", "*.lock", "*~", "~$*", ".*"),
)


@dataclass(frozen=True, slots=True)
class Found:
    """A file, as it was when it was looked at.

    Attributes:
        path: Where it is.
        below: The same from where the wildcards of its pattern begin.
        names: What the named wildcards stand for.
        size: In bytes.
        inode: Its number in its file system.
        modified_ns: When it was written last, which programs may set, in Unix nanoseconds.
        changed_ns: When that, or anything else about it, changed, in Unix nanoseconds.
    """

    path: Path
    below: Path
    names: Mapping[str, str]
    size: int
    inode: int
    modified_ns: int
    changed_ns: int

    @property
    def look(self) -> bytes:
        """What tells whether it has changed, or has another name: 8 bytes."""
        seen = (str(self.path), self.size, self.modified_ns, self.changed_ns)
        return blake2b(repr(seen).encode(errors="surrogateescape"), digest_size=8).digest()

    def rests(self, now: float) -> float:
        """Return for how many seconds it was not touched; a clock may have been wrong before."""
        return abs(now - self.changed_ns / 1e9)


@dataclass(slots=True)
class Listing:
    """What was found.

    Attributes:
        files: The oldest first.
        problems: What could not be looked at, and why.
    """

    files: list[Found] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def within(self, where: Path, look: Callable[[], None]) -> None:
        """Look at something; what cannot be seen is noted, unless it has gone meanwhile."""
        try:
            look()
        except FileNotFoundError:
            pass
        except OSError as error:
            self.problems.append(f"{where}: {error.strerror or error}")


def list_files(patterns: Sequence[Pattern], ignored: Sequence[str]) -> Listing:
    """Return the regular files that match some patterns; may block."""
    listing = Listing()
    for pattern in patterns:
        try:
            walk(pattern, pattern.folder, listing, ignored)
        except FileNotFoundError:
            text = "expected a folder that is there, got none"
            listing.problems.append(f"{pattern.folder}: {text}")
        except OSError as error:
            listing.problems.append(f"{pattern.folder}: {error.strerror or error}")
    once = {each.path: each for each in reversed(listing.files)}
    listing.files = sorted(once.values(), key=lambda each: (each.modified_ns, each.path))
    return listing


def walk(pattern: Pattern, folder: Path, listing: Listing, ignored: Sequence[str]) -> None:
    """Note the files that match in a folder and in those below it.

    Raises:
        OSError: The folder cannot be read.
    """
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda each: each.name)
    for entry in found:
        path = Path(entry.path)
        if not is_ignored(entry.name, ignored):
            listing.within(
                path,
                lambda entry=entry, path=path: look_at(  # type: ignore[misc]
                    pattern, entry, path, listing, ignored
                ),
            )


def look_at(
    pattern: Pattern,
    entry: "os.DirEntry[str]",
    path: Path,
    listing: Listing,
    ignored: Sequence[str],
) -> None:
    """Note a file if it matches, or what is in a folder.

    Raises:
        OSError: It cannot be looked at.
    """
    if entry.is_dir(follow_symlinks=None not in pattern.steps):  # or links could go in circles
        if fits_before(pattern.steps, path.relative_to(pattern.folder).parts):
            walk(pattern, path, listing, ignored)
        return
    names = pattern.matches(path)
    if names is not None and stat.S_ISREG((seen := entry.stat()).st_mode):
        listing.files.append(found_at(path, path.relative_to(pattern.folder), names, seen))


def found_at(path: Path, below: Path, names: Mapping[str, str], seen: os.stat_result) -> Found:
    """Return a file as the kernel says that it is."""
    return Found(path, below, names, seen.st_size, seen.st_ino, seen.st_mtime_ns, seen.st_ctime_ns)


def again(file: Found) -> Found:
    """Look at a file once more; may block.

    Raises:
        OSError: It has gone.
    """
    return found_at(file.path, file.below, file.names, file.path.stat())


def is_ignored(name: str, ignored: Sequence[str]) -> bool:
    """Say whether a name is one of those that are no files to be read."""
    return any(fnmatchcase(name, each) for each in ignored)
