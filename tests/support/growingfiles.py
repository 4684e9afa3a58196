"""Files that other programs write: logs that grow and are rotated, and exports in a folder.

What is written is told by chance alone, so that a seed repeats it; what a store must hold in the
end is known all the while.
"""

import gzip
import hashlib
import io
import os
import random
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from ingestd.plugins.files.positions import positions_of, prints
from tests.support.ondisk import Contents

T = TypeVar("T")

BEGIN: Final = 1_782_864_000  # 2026-07-01 in UTC
HEADER: Final = "time,a,b\n"
GZIP: Final = b"\x1f\x8b"
WIDTH: Final = 8  # bytes of a hash in the state
MOST_LINES: Final = 1200  # of an export
Points = dict[tuple[str, int], float]


def line(number: int, *, version: int = 0) -> str:
    """Return a line, from which its number can be told."""
    return f"{BEGIN + number},{number}.5,{number + version * 1_000_000}.25\n"


def points_in(text: str, name: str) -> Points:
    """Return what a store must hold of a text: series and Unix microseconds to values."""
    found: Points = {}
    for each in text.splitlines()[1:]:
        time, first, second = each.split(",")
        found[f"{name}_a", int(time) * 1_000_000] = float(first)
        found[f"{name}_b", int(time) * 1_000_000] = float(second)
    return found


class Log:
    """A log to which lines are added, in pieces that end anywhere.

    Args:
        folder: Where it is.
        name: What it is called.
        chance: Decides what is done.
    """

    def __init__(self, folder: Path, name: str, chance: random.Random) -> None:
        self.path, self.name, self._chance = folder / f"{name}.csv", name, chance
        self.expected: Points = {}
        self._count, self._rotated = 0, 0
        self._left = ""  # of what was written without its end
        self._begin()

    def _begin(self) -> None:
        self._file = self.path.open("a")
        self._put(HEADER)

    def _put(self, text: str) -> None:
        self._file.write(text)
        self._file.flush()

    def grow(self) -> None:
        """Add some lines, the last one perhaps without its end."""
        text = self._left
        for _ in range(self._chance.randrange(1, 40)):
            text += line(self._count)
            self.expected |= points_in(HEADER + line(self._count), self.name)
            self._count += 1
        cut = self._chance.choice([len(text), len(text), self._chance.randrange(len(text))])
        self._put(text[:cut])
        self._left = text[cut:]

    def finish(self) -> None:
        """Write what is left."""
        self._put(self._left)
        self._left = ""

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def rotate(self) -> None:
        """Begin anew, as logrotate has it done, and keep the old lines in another file."""
        self.finish()
        self._rotated += 1
        old = self.path.with_name(f"{self.name}.csv.{self._rotated}")
        if self._chance.random() < 0.5:
            self._file.close()
            self.path.rename(old)
            self._begin()
        else:
            shutil.copy(self.path, old)
            os.truncate(self.path, 0)
            self._put(HEADER)
        if self._chance.random() < 0.3:
            beside = old.with_name(f"{old.name}.gz.part")
            beside.write_bytes(gzip.compress(old.read_bytes()))
            beside.rename(f"{old}.gz")
            old.unlink()


class Exports:
    """A folder that other programs put exports into, each in one go.

    Args:
        folder: The folder.
        name: How names of series begin.
        chance: Decides what is done.
    """

    def __init__(self, folder: Path, name: str, chance: random.Random) -> None:
        self.folder, self.name, self._chance = folder, name, chance
        self.expected: Points = {}
        self.contents: dict[bytes, Points] = {}  # by their hashes, as far as they have been there
        self._data: dict[str, bytes] = {}
        self._count, self._files, self._version = 0, 0, 0
        folder.mkdir(parents=True, exist_ok=True)

    def put(self) -> None:
        """Put a new export there, a corrected one, or one that was there before."""
        what = self._chance.choices(["new", "corrected", "again"], [6, 2, 2])[0]
        if what == "new" or not self._data:
            begin, size = self._count, self._chance.randrange(1, MOST_LINES)
            self._count += size
            text = HEADER + "".join(line(begin + at) for at in range(size))
        elif what == "corrected":
            text = self._corrected(self._chance.choice(list(self._data)))
        else:
            text = self._chance.choice(list(self._data))
        if text not in self._data:
            packed = self._chance.random() < 0.3
            self._data[text] = gzip.compress(text.encode()) if packed else text.encode()
            self.expected |= points_in(text, self.name)
        self._write(text)

    def _corrected(self, text: str) -> str:
        self._version += 1
        numbers = [int(each.partition(",")[0]) - BEGIN for each in text.splitlines()[1:]]
        return HEADER + "".join(line(number, version=self._version) for number in numbers)

    def _write(self, text: str) -> None:
        self._files += 1
        data = self._data[text]
        self.contents[hashlib.sha256(data).digest()[:WIDTH]] = points_in(text, self.name)
        # Where the clock has not moved between two of them, their names tell the later one.
        path = self.folder / f"export-{self._files:05}.csv{'.gz' * data.startswith(GZIP)}"
        beside = path.with_name(f"{path.name}.part")
        beside.write_bytes(data)
        beside.rename(path)


class Writers:
    """All that is written, below one folder.

    Attributes:
        logs: Logs that are rotated.
        exports: Folders of exports: of files that are moved, and of some that are kept.
    """

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self.folder, self._chance = folder, chance
        self._seen: set[Any] = set()  # what was yielded by ``passed`` before
        (folder / "logs").mkdir(parents=True)
        self.logs = [Log(folder / "logs", f"log{number}", chance) for number in range(3)]
        self.exports = [Exports(folder / name, name, chance) for name in ("moved", "kept")]

    def act(self) -> None:
        """Do one thing."""
        actions: list[Callable[[], None]] = [
            *(each.grow for each in self.logs),
            *(each.grow for each in self.logs),
            self._chance.choice(self.logs).rotate,
            *(each.put for each in self.exports),
        ]
        self._chance.choice(actions)()

    def finish(self) -> None:
        """Write what is left."""
        for each in self.logs:
            each.finish()

    def close(self) -> None:
        """Close all files."""
        for each in self.logs:
            each.close()

    def collectors(self) -> dict[str, Any]:
        """Return ``collectors:`` that read everything again and again."""
        shape = {"time": "time", "time_format": "unix", "settle": "0s"}
        exports: dict[str, Any] = {
            name: {
                "path": f"{self.folder}/{name}/*",
                "values": {f"{name}_a": "a", f"{name}_b": "b"},
            }
            for name in ("moved", "kept")
        }
        exports["moved"] |= {"after": "move", "move_to": f"{self.folder}/done"}
        logs = {
            "path": f"{self.folder}/logs/{{log}}.csv*",
            "follow": True,
            "values": {"{log}_a": "a", "{log}_b": "b"},
        }
        return {
            name: {"plugin": "files", "every": "100ms", "params": {**shape, **params}}
            for name, params in {**exports, "logs": logs}.items()
        }

    @property
    def expected(self) -> Points:
        """What a store must hold in the end."""
        found: Points = {}
        for log in self.logs:
            found |= log.expected
        for exports in self.exports:
            found |= exports.expected
        return found

    def passed(self, states: dict[str, Any]) -> Iterator[tuple[str, Points]]:
        """Yield what lies behind the positions in states, and in files that were moved.

        What was yielded before is left out, since what is safe stays so.
        """
        for position in positions_of(states.get("logs", {}).get("positions")):
            name = Path(position.path).name.partition(".")[0]
            for file in (self.folder / "logs").iterdir():
                text = file.read_bytes()
                data = gzip.decompress(text) if file.suffix == ".gz" else text
                place = position.place
                if prints(io.BytesIO(data), place) == (position.head, position.tail):
                    yield f"{file} at {place}", points_in(data[:place].decode(), name)
        for exports in self.exports:
            state = states.get(exports.name, {})
            for content in self._news(contents_in(state)):
                yield f"{exports.name} {content.hex()}", exports.contents[content]
        for file in self._news((self.folder / "done").rglob("export*")):
            content = hashlib.sha256(file.read_bytes()).digest()[:WIDTH]
            yield str(file), self.exports[0].contents[content]

    def _news(self, found: Iterable[T]) -> list[T]:
        news = [each for each in found if each not in self._seen]
        self._seen.update(news)
        return news


def contents_in(state: Mapping[str, Any]) -> Iterator[bytes]:
    """Yield the hashes of contents that count as read."""
    packed = [((state.get("read") or b"")[WIDTH:], 2 * WIDTH), (state.get("earlier") or b"", WIDTH)]
    for data, step in packed:
        yield from (data[at : at + WIDTH] for at in range(0, len(data), step))


def points_of(contents: Contents) -> dict[tuple[str, int], list[float]]:
    """Return what a store or a spool holds, by series and time."""
    found: dict[tuple[str, int], list[float]] = defaultdict(list)
    for series, points in contents.items():
        for time_us, values in points.items():
            found[series, time_us] += values
    return found
