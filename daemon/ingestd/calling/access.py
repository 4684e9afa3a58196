"""What a worker process may see of the daemon's surroundings: variables and files.

Landlock can only grant, and what is to be denied is little: the daemon's own files. So everything
is granted around those, one by one the entries of each folder above them. A file that comes into
such a folder later is granted to none of the processes that run; ``Grants.up_to_date`` tells
when that is so.
"""

import os
import site
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ingestd import landlock

# What programs and libraries take from their environment to find their way; no secrets of ours.
VARIABLES: Final = frozenset(
    {
        *("HOME", "LANG", "LANGUAGE", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "TZ", "TZDIR"),
        *("USER", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "NO_COLOR", "DJANGO_SETTINGS_MODULE"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
        *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
    }
)
FAMILIES: Final = ("LC_", "PYTHON", "XDG_", "OMP_", "OPENBLAS_", "MKL_", "MALLOC_", "COVERAGE_")
# What a process needs in any case, whatever its collector names under reads: and writes:.
NEEDED_READS: Final = (
    *("/bin", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/opt", "/proc", "/run", "/sbin"),
    *("/sys", "/usr", "/tmp", "/var/tmp"),  # noqa: S108 -- no file of ours is made there
)
NEEDED_WRITES: Final = ("/dev", "/proc", "/tmp", "/var/tmp")  # noqa: S108 -- likewise
EVERYTHING: Final = Path("/")


@dataclass(frozen=True, slots=True)
class Access:
    """What one collector's ordinary function may see.

    Attributes:
        environment: Names of variables beside those that every process has.
        reads: The files and folders that it may read, or None for all but the daemon's.
        writes: Those that it may write to and read, or None for all but the daemon's.
        confined: Whether files are kept from it at all.
    """

    environment: frozenset[str] = frozenset()
    reads: tuple[Path, ...] | None = None
    writes: tuple[Path, ...] | None = None
    confined: bool = True


EVERYDAY: Final = Access()


@dataclass(frozen=True, slots=True)
class Protection:
    """What the daemon keeps from every worker process.

    Attributes:
        withheld: Environment variables that its secrets come from.
        protected: Files and folders; with a file those whose names only add to its own.
        code: What may be read although it lies in one of them, and not changed wherever it
            lies: plugins and what they import, which run with the rights of other collectors and
            of the daemon.
    """

    withheld: frozenset[str] = frozenset()
    protected: frozenset[Path] = frozenset()
    code: frozenset[Path] = frozenset()


def environment_for(
    access: Access, protection: Protection, environ: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Return the environment of a worker process."""
    return {
        name: value
        for name, value in environ.items()
        if name in access.environment or (_is_common(name) and name not in protection.withheld)
    }


def _is_common(name: str) -> bool:
    return name.startswith(FAMILIES) or name.upper() in VARIABLES


@dataclass(frozen=True, slots=True)
class Grants:
    """What a ruleset grants.

    Attributes:
        paths: Files and folders, with what may be done there.
        listed: The folders whose entries were granted one by one, with the times when they
            last changed, in nanoseconds.
    """

    paths: tuple[tuple[str, int], ...]
    listed: tuple[tuple[str, int], ...]

    @property
    def up_to_date(self) -> bool:
        """Whether the folders still have the entries that they had."""
        return all(_changed_ns(path) == changed for path, changed in self.listed)


def grants(access: Access, protection: Protection, plugin: Path) -> Grants:
    """Say what a worker process may do where.

    Args:
        access: What its collector may see.
        protection: What the daemon keeps from all.
        plugin: The file or folder with the plugin's code.
    """
    additions = _additions(access, protection, plugin)
    granting = _Granting(protection.protected, protection.code, additions)
    granting.walk(str(EVERYTHING), 0)
    return Grants(tuple(granting.paths), tuple(granting.listed))


def _additions(access: Access, protection: Protection, plugin: Path) -> Iterator[tuple[Path, int]]:
    """Yield where access is added to what the folder above has."""
    reads = (EVERYTHING,) if access.reads is None else access.reads
    writes = (EVERYTHING,) if access.writes is None else access.writes
    for path in (*reads, *map(Path, NEEDED_READS), *protection.code, plugin, *_of_python()):
        yield path.resolve(), landlock.READ
    for path in (*writes, *map(Path, NEEDED_WRITES)):
        wide = path == EVERYTHING and access.reads is not None
        yield path.resolve(), landlock.WRITE if wide else landlock.READ | landlock.WRITE


def _of_python() -> Iterator[Path]:
    places = (sys.prefix, sys.base_prefix, site.getusersitepackages(), *sys.path)
    return (Path(place) for place in places if place)


class _Granting:
    """Walks from the root to what is protected. Paths are texts here: there are hundreds."""

    def __init__(
        self,
        protected: Iterable[Path],
        code: Iterable[Path],
        additions: Iterable[tuple[Path, int]],
    ) -> None:
        self._protected = {str(each.resolve()) for each in protected}
        self._code = {name for each in code for name in _names_of(each)}
        self._files = {each for each in self._protected if not Path(each).is_dir()}
        self._additions: dict[str, int] = {}
        for path, access in additions:
            self._additions[str(path)] = self._additions.get(str(path), 0) | access
        self.paths: list[tuple[str, int]] = []
        self.listed: list[tuple[str, int]] = []

    def walk(self, path: str, inherited: int) -> None:
        """Grant what may be done at a path and below."""
        access = 0 if self._is_protected(path) else inherited
        if path in self._code:
            access &= landlock.READ
        access |= self._additions.get(path, 0)
        if any(_is_below(each, path) for each in self._kept_from(access)):
            self._one_by_one(path, access)
            return
        if access:
            self.paths.append((path, access))
        # Nothing below is protected, and a ruleset adds up what it grants along a path.
        below = ((each, added) for each, added in self._additions.items() if _is_below(each, path))
        self.paths += ((each, added) for each, added in below if added & ~access)

    def _kept_from(self, access: int) -> set[str]:
        """Return below what no more than an access may be granted as a whole."""
        return self._protected | self._code if access & landlock.WRITE else self._protected

    def _one_by_one(self, path: str, access: int) -> None:
        if path not in NEEDED_WRITES:  # folders for what is temporary change all the time
            self.listed.append((path, _changed_ns(path)))
        try:
            with os.scandir(path) as found:
                entries = [each.path for each in found if not each.is_symlink()]
        except OSError:  # out of reach for the process as well
            return
        for entry in entries:
            if access or any(each == entry or _is_below(each, entry) for each in self._additions):
                self.walk(entry, access)

    def _is_protected(self, path: str) -> bool:
        """Whether a path is one of ours, such as ``state.db``, or ``state.db-wal`` beside it."""
        if path in self._protected:
            return True
        folder, _, name = path.rpartition("/")
        for each in self._files:
            ours, _, known = each.rpartition("/")
            if folder == ours and name.lstrip(".#").startswith(known.lstrip(".")):
                return True
        return False


def _names_of(path: Path) -> set[str]:
    """Return what must not be replaced if a path is to lead where it does: a link, too."""
    return {str(path.resolve()), str(path.parent.resolve() / path.name)}


def _is_below(path: str, folder: str) -> bool:
    return path != folder and path.startswith(folder.rstrip("/") + "/")


def _changed_ns(path: str) -> int:
    try:
        return Path(path).stat().st_mtime_ns
    except OSError:
        return 0
