"""How far the history of BMON has been brought over, kept so that a kill costs no reading."""

import fcntl
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from ingestd.cli.exitcodes import CommandError
from ingestd.errors import NotNow

VERSION: Final = 1


@dataclass(slots=True)
class Position:
    """What is safe in every store.

    Attributes:
        start: The first time that was asked for, in Unix seconds, or None.
        end: The first time that was not, likewise.
        table: The sensor under way; those before it are done. None at the beginning.
        after: The time of its last reading that is safe, or None if it has yet to begin.
        readings: How many readings there were so far.
        unusable: How many of them cannot be stored, by reason.
        refused: How many the stores will never take, by store and reason.
    """

    start: float | None = None
    end: float | None = None
    table: str | None = None
    after: float | None = None
    readings: int = 0
    unusable: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)

    def spans(self, start: float | None, end: float | None) -> bool:
        """Whether this is what is asked for; who asks for no time takes what there is."""
        return (start is None and end is None) or (self.start, self.end) == (start, end)


class PositionFile:
    """A position on disk.

    Args:
        folder: The state directory.
        asked: What tells this import from others.
    """

    def __init__(self, folder: Path, asked: Mapping[str, Any]) -> None:
        mark = _mark(json.dumps(asked, default=str, sort_keys=True).encode())
        self._path = folder / f"bmon-history-{mark.decode()}"

    def load(self) -> Position | None:
        """Return the position of an import that did not come to its end.

        Returns:
            None if there is none, or it is damaged: then all is read again.
        """
        try:
            mark, _, text = self._path.read_bytes().partition(b"\n")
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise CommandError(f"{self._path}: cannot be read: {exc.strerror}") from exc
        return _position(json.loads(text)) if mark == _mark(text) else None

    def save(self, position: Position) -> None:
        """Bring a position to the disk, whole or not at all.

        Raises:
            CommandError: It cannot be written; the one before is still there.
        """
        values = {each.name: getattr(position, each.name) for each in fields(position)}
        text = json.dumps({"version": VERSION, **values}).encode()
        unfinished = self._path.with_suffix(".new")
        try:
            with unfinished.open("wb") as opened:
                opened.write(_mark(text) + b"\n" + text)
                opened.flush()
                os.fsync(opened.fileno())
            unfinished.replace(self._path)
        except OSError as exc:
            raise CommandError(f"{self._path}: cannot be written: {exc.strerror}") from exc

    def forget(self) -> None:
        """Have the next import begin anew."""
        self._path.unlink(missing_ok=True)


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Be the only import into a state directory, which is made if need be.

    Raises:
        NotNow: Another one is under way.
        CommandError: It cannot be made or opened.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        opened = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as exc:
        raise CommandError(f"{folder}: cannot be used: {exc.strerror}") from exc
    try:
        _lock(opened, folder)
        yield
    finally:
        os.close(opened)


def _lock(opened: int, folder: Path) -> None:
    try:
        # The folder itself: what a daemon locks is a file in it.
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise NotNow(f"{folder}: another import of readings is under way") from None


def _mark(text: bytes) -> bytes:
    """Return what tells a text from others, and from itself after damage."""
    return blake2b(text, digest_size=8).hexdigest().encode()


def _position(found: Any) -> Position | None:
    """Return a position, or None if another version of ours has written it."""
    try:
        if found.pop("version") != VERSION:
            return None
        for name in ("unusable", "refused"):
            found[name] = Counter(found[name])
        return Position(**found)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
