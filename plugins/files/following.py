"""Files to which lines are added: each is read on from where it was read before."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from ingestd.plugins._readings import Reading

from .asking import answer, each_of
from .batches import batches
from .enough import Enough
from .gathered import MORE, Gathered, has_usable, why_unusable
from .listing import Found, Listing
from .opening import PACKED
from .options import Setup
from .patterns import FILE, stem
from .positions import Matching, Position, gone_since, positions_of
from .scanning import listed
from .work import Batch, ChangedError

# A last line without an end is a line if nothing was added for so long, in seconds.
LONGEST_PAUSE: Final = 86_400.0
# Files that have gone may come again under another name: packed, for instance.
KEPT: Final = 86_400.0  # seconds
MOST: Final = 20_000  # files


class Following:
    """One run over files that grow.

    Args:
        setup: What the params say.
        ctx: The context of the run.
        state: What the run before has left.
    """

    def __init__(self, setup: Setup, ctx: Any, state: Mapping[str, Any]) -> None:
        self._setup, self._ctx = setup, ctx
        self._now = ctx.now().timestamp()
        self._before = positions_of(state["positions"])
        self._positions: dict[int, Position] = {}  # by the order of the files
        self._gathered = Gathered()
        self._enough = Enough(ctx)

    async def results(self) -> AsyncGenerator[dict[str, Any], None]:
        """Yield what is new.

        Raises:
            OSError: No file can be seen, and that should not be.
        """
        listing = await listed(self._setup)
        for problem in listing.problems:
            self._gathered.complain(problem)
        if len(listing.files) > MOST:
            text = f"expected at most {MOST} files that grow, got {len(listing.files)}"
            raise ValueError(f"path: {text}")
        matching = await self._matched(listing)
        pairs = sorted(matching.pairs, key=lambda pair: pair[0].modified_ns)
        self._positions = {at: each for at, (_, each) in enumerate(pairs) if each is not None}
        for each in matching.left:
            self._keep(each, seen=not listing.problems)
        for at, (file, position) in enumerate(pairs):
            async with aclosing(self._file(at, file, position)) as results:
                async for result in results:
                    yield result
            if self._enough:
                break
        yield {**self._result(), **self._gathered.problem()}

    async def _matched(self, listing: Listing) -> Matching:
        """Return which file is at which position."""
        folder = self._setup.patterns[0].folder / "*"

        def match() -> Matching:
            found = Matching(self._before)
            found.match(listing.files)
            found.look_beside()
            return found

        return await answer(folder, match)

    def _keep(self, position: Position, *, seen: bool) -> None:
        """Keep the position of a file that is not there, for some time."""
        if seen:
            position = gone_since(position, self._now)
        if position.gone is None or self._now - position.gone < KEPT:
            self._positions[-1 - len(self._positions)] = position

    async def _file(
        self, at: int, file: Found, position: Position | None
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Yield the results of a file; what is wrong with it is noted."""
        if position is not None and position.look == file.look.hex():
            return
        try:
            async with aclosing(self._lines(at, file, position)) as results:
                async for result in results:
                    yield result
        except (FileNotFoundError, ChangedError):  # the next run finds out what it is now
            return
        except OSError as error:
            self._gathered.complain(f"{file.path}: {error.strerror or error}")
        except ValueError as error:
            self._gathered.complain(f"{file.path}: {error}")

    async def _lines(
        self, at: int, file: Found, position: Position | None
    ) -> AsyncGenerator[dict[str, Any], None]:
        path = str(file.path) if position is None else position.path
        place, good = (0, False) if position is None else (position.place, True)
        work = self._setup.work(
            self._as_called(file, path),
            (0, place),
            now=self._now,
            growing=True,
            whole=self._is_whole(file, path),
            prints=None if position is None else (position.head, position.tail),
            columns=None if position is None else position.columns,
        )
        first: Reading | None = None
        async with aclosing(each_of(file.path, lambda: batches(work))) as found:
            async for batch in found:
                for problem in batch.problems:
                    self._gathered.complain(f"{file.path}: {problem}")
                self._gathered.add(batch.readings)
                first = first or next(iter(batch.readings), None)
                good = good or has_usable(batch, self._ctx.time_problem)
                if good:
                    self._positions[at] = behind(file, path, batch)
                if good and self._gathered.full:
                    yield self._result()
                if good and self._enough:
                    self._ctx.note(MORE.format(file.path))
                    return
        if first is not None and not good:  # it is read from its beginning when params are right
            why = why_unusable(first, self._ctx.time_problem)
            text = f"expected readings, got none that can be used; the first: {why}"
            self._gathered.complain(f"{file.path}: {text}")

    def _as_called(self, file: Found, path: str) -> Found:
        """Return a file with the name that it had when it was found: series may have it."""
        was = Path(path)
        names = [found for each in self._setup.patterns if (found := each.matches(was)) is not None]
        return replace(file, names={**(names[0] if names else file.names), FILE: stem(was.name)})

    def _is_whole(self, file: Found, path: str) -> bool:
        """Say whether no more lines are added."""
        renamed = str(file.path) != path
        pause = self._setup.settle if renamed or file.path.suffix == PACKED else LONGEST_PAUSE
        return file.rests(self._now) >= pause

    def _result(self) -> dict[str, Any]:
        return {
            "readings": self._gathered.take(),
            "positions": [each.told for each in self._positions.values()],
        }


def behind(file: Found, path: str, batch: Batch) -> Position:
    """Return the position behind some readings."""
    place, (head, tail) = batch.end[1], batch.prints or ("", "")
    at_end = file.path.suffix == PACKED or place == file.size
    look = file.look.hex() if at_end else ""
    return Position(path, file.inode, place, head, tail, look, columns=batch.columns)
